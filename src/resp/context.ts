/**
 * What every command can reach: the node, the keys, the client that asked, the process's settings; and
 * what a command is to those who run it.
 *
 * Owns: types and the counters of the client port. Does not own: their use.
 * Tested in: test/unit/resp/client.test.ts.
 */
import type { Args } from "./args.ts";
import type { Unconfirmed } from "./unconfirmed.ts";
import type { CommandQueue } from "./command-queue.ts";
import type { Keyspace } from "../node/keyspace.ts";
import type { Logger } from "../node/logger.ts";
import type { WriteMark } from "../log/write-mark.ts";
import type { HawserNode } from "../node/api.ts";
import type { LiveSettings } from "../node/options.ts";
import type { StopSave } from "../node/checkpointer.ts";
import type { Watcher, WatchTable } from "../node/watch.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** A row of the command table. */
export interface Command {
  /** Lower case; "config|get" for a subcommand. */
  readonly name: string;
  readonly arity: number;
  /** FLAG bits (commands/command.ts). */
  readonly bits: number;
  /** redis's words, for COMMAND. */
  readonly flags: readonly string[];
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  readonly handler: Handler;
  /** By their own lower-case name; null when the command has none. */
  readonly subcommands: ReadonlyMap<string, Command> | null;
}

export type Handler = (call: Call) => void;

/** A client's connection, as commands see it (client.ts). */
export interface Connection {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  readonly lastActiveMs: number;
  name: string;
  libName: string;
  libVersion: string;
  protocol: 2 | 3;
  authenticated: boolean;
  noEvict: boolean;
  noTouch: boolean;
  /** The one that runs or ran last, "client|list" for a subcommand. */
  lastCommand: string;
  /** Commands of an open MULTI. */
  queue: CommandQueue<Command> | null;
  readonly watcher: Watcher;
  /** After this client's last write: what WAIT waits for. */
  readonly written: WriteMark;
  /** After the last command of this client that wrote or read, while others have to confirm that. */
  readonly shown: WriteMark;
  /** CLIENT SYNC: so many others have to confirm what it is shown, if the node asks for fewer. */
  copies: number;
  /** Inside EXEC: nothing may block. */
  executing: boolean;
  /** How the REPLICAOF NO ONE ended that EXEC has waited for: null, or why it is refused. Undefined when it has not. */
  promotion: string | null | undefined;
  readonly isBlocked: boolean;
  /** Replies that the kernel has not taken yet. */
  readonly outputBytes: number;
  /** Bytes that arrived and were not executed yet. */
  readonly bufferedBytes: number;
  /**
   * Stops executing until `done` is called, with what then writes the reply. May be called at once.
   * @param start returns what to call when the client goes away first
   */
  block(start: (done: (write: (reply: ReplyWriter) => void) => void) => () => void): void;
  /**
   * Replies `[from, to)`, counted from what was handed over, answer a write, or a read: until that is durable,
   * or confirmed, nobody can say OK.
   */
  answersData(from: number, to: number, what: Unconfirmed): void;
  /** Replies that were written still go out. */
  closeAfterReply(): void;
  /** Forgets MULTI and WATCH. */
  discard(watches: WatchTable): void;
  /** CLIENT KILL and shutdown. */
  destroy(): void;
  /** Executes no more; replies that were written, and one that it waits for, still go out. */
  end(): void;
}

/** Since the process began, or the last CONFIG RESETSTAT. */
export interface PortCounters {
  connections: number;
  rejectedConnections: number;
  /** Connections that the system could not accept. */
  portErrors: number;
  commands: number;
  inputBytes: number;
  reads: number;
  writes: number;
  protocolErrors: number;
  authFailures: number;
  /** Clients closed because one command's replies were too many bytes. */
  outputLimitDisconnections: number;
  /** Writes that were executed and answered UNCONFIRMED. */
  unconfirmedWrites: number;
  /** Reads whose answer was replaced by UNCONFIRMED. */
  unconfirmedReads: number;
}

export interface PortContext {
  readonly node: HawserNode;
  readonly keys: Keyspace;
  readonly reply: ReplyWriter;
  /** The node's own. */
  readonly settings: LiveSettings;
  readonly counters: PortCounters;
  readonly clients: Map<number, Connection>;
  readonly log: Logger;
  readonly startedAtMs: number;
  /** The node's counters at the last CONFIG RESETSTAT, from which INFO counts them. */
  nodeCountersReset: Readonly<Record<string, number>>;
  /** Real client port, once listening. */
  port: number;
  /** Commands are running: what ends a wait must come in a later turn. */
  busy: boolean;
  /** SHUTDOWN. */
  readonly shutdown: (save: StopSave) => void;
}

/** One command that is being executed. */
export interface Call {
  args: Args;
  client: Connection;
  readonly reply: ReplyWriter;
  readonly keys: Keyspace;
  readonly port: PortContext;
}

export function newCounters(): PortCounters {
  return {
    connections: 0,
    rejectedConnections: 0,
    portErrors: 0,
    commands: 0,
    inputBytes: 0,
    reads: 0,
    writes: 0,
    protocolErrors: 0,
    authFailures: 0,
    outputLimitDisconnections: 0,
    unconfirmedWrites: 0,
    unconfirmedReads: 0,
  };
}
