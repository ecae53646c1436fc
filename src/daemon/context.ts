/**
 * What every command can reach: the node, the keys, the client that asked, the process's settings.
 *
 * Owns: interfaces and the counters of the client port. Does not own: their use.
 */
import type { Args } from "./args.ts";
import type { Client } from "./client.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Logger } from "./logger.ts";
import type { HawserNode } from "./node-api.ts";
import type { NodeOptions } from "./options.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** Since the process began, or the last CONFIG RESETSTAT. */
export interface PortCounters {
  connections: number;
  rejectedConnections: number;
  commands: number;
  inputBytes: number;
  reads: number;
  writes: number;
  protocolErrors: number;
  authFailures: number;
}

/** Settings that CONFIG SET may change. */
export interface PortSettings {
  requirepass: string;
  maxclients: number;
}

export interface PortContext {
  readonly node: HawserNode;
  readonly keys: Keyspace;
  readonly reply: ReplyWriter;
  readonly options: NodeOptions;
  readonly settings: PortSettings;
  readonly counters: PortCounters;
  readonly clients: Map<number, Client>;
  readonly log: Logger;
  readonly startedAtMs: number;
  /** Real client port, once listening. */
  port: number;
  /** Commands are running: what ends a wait must come in a later turn. */
  busy: boolean;
  /** SHUTDOWN. */
  readonly shutdown: () => void;
}

/** One command that is being executed. */
export interface Call {
  args: Args;
  client: Client;
  readonly reply: ReplyWriter;
  readonly keys: Keyspace;
  readonly port: PortContext;
}

export type Handler = (call: Call) => void;

export function newCounters(): PortCounters {
  return {
    connections: 0,
    rejectedConnections: 0,
    commands: 0,
    inputBytes: 0,
    reads: 0,
    writes: 0,
    protocolErrors: 0,
    authFailures: 0,
  };
}
