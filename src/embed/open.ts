/**
 * From an embedder's options to a started node: the same options, checks and error texts as the
 * command line, without a client port.
 *
 * Owns: names of options in camelCase. Does not own: their meaning (node/settings.ts).
 */
import { createLogger, type LogFormat, type LogLevel } from "../node/logger.ts";
import { Housekeeping } from "../node/housekeeping.ts";
import { Keyspace } from "../node/keyspace.ts";
import { createNode, type DaemonNode } from "../node/node.ts";
import { readNodeOptions } from "../node/options.ts";
import { foldStrangers } from "../node/stranger-log.ts";

/** What both a primary and a replica take. Sizes in bytes, times in ms. */
export interface NodeSettings {
  /** Replication port; 0, the default, takes a free one. */
  readonly replPort?: number;
  /** Address it listens on; default 127.0.0.1. */
  readonly bind?: string;
  /** Log kept for replicas that come back; default 256 MiB. */
  readonly backlogBytes?: number;
  /** Log sent to a replica beyond what it has applied; default 64 MiB. */
  readonly windowBytes?: number;
  /** Bytes per second of a full sync; 0, the default, is unlimited. */
  readonly shipRate?: number;
  /** Shared password of replication links. */
  readonly replPassword?: string;
  /** Where the node keeps its replica id and a half received snapshot. */
  readonly dir?: string;
  /** Takes one line for each event; default: nothing is logged. */
  readonly log?: (line: string) => void;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}

const FLAGS: readonly (readonly [keyof NodeSettings, string])[] = [
  ["replPort", "--repl-port"],
  ["bind", "--bind"],
  ["backlogBytes", "--backlog"],
  ["windowBytes", "--window"],
  ["shipRate", "--ship-rate"],
  ["replPassword", "--repl-password"],
  ["dir", "--dir"],
];

/** A started node and what an embedder's process has beside it. */
export interface OpenNode {
  readonly node: DaemonNode;
  readonly replPort: number;
  readonly keys: Keyspace;
  readonly housekeeping: Housekeeping;
}

/**
 * Builds and starts a node.
 * @throws {UsageError} naming a wrong value and what is allowed; the system's error when the port is taken
 */
export async function openNode(
  command: "primary" | "replica",
  settings: NodeSettings,
  more: readonly string[],
): Promise<OpenNode> {
  // There is no client port to protect. The embedder's code says which role; what --dir remembers is for daemons.
  const argv = ["--port", "0", "--clients-open", "--role-from-flags", ...more];
  if (settings.replPort === undefined) argv.push("--repl-port", "0");
  for (const [name, flag] of FLAGS) {
    const value = settings[name];
    if (typeof value === "string" || typeof value === "number") argv.push(flag, String(value));
  }
  const { options } = readNodeOptions(command, argv, {}, () => "");
  const logger = foldStrangers(
    createLogger({
      level: settings.logLevel ?? "info",
      format: settings.logFormat ?? "pretty",
      sink: settings.log ?? (() => undefined),
    }),
  );
  const node = createNode(options, logger);
  const replPort = await node.start();
  const keys = new Keyspace(node);
  const housekeeping = new Housekeeping({ node, keys });
  housekeeping.start();
  return { node, replPort, keys, housekeeping };
}
