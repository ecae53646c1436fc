/**
 * From an embedder's options to a started node without a client port.
 *
 * Owns: the types of options, for embedders to read. Does not own: checks (settings.ts), their meaning
 * (node/settings.ts).
 * Tested in: test/unit/index.test.ts.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ReplicatedState } from "../bridge/seam.ts";
import { createLogger, type LogFormat, type LogLevel } from "../node/logger.ts";
import type { FsyncPolicy } from "../log/disk/sync-policy.ts";
import type { EmbeddedValues } from "../node/settings.ts";
import { Housekeeping } from "../node/housekeeping.ts";
import { Keyspace } from "../node/keyspace.ts";
import { createNode, type DaemonNode } from "../node/node.ts";
import { UsageError } from "../node/option-values.ts";
import { shown } from "./bytes.ts";
import { readEmbedded } from "./settings.ts";
import { foldStrangers } from "../node/stranger-log.ts";
import { Waits } from "./waits.ts";
import { asEmbedder, errorInWords, inWords, type OptionNames } from "./words.ts";
import { codeUrl, ownThreads, type Threads, threadsAt } from "../threads.ts";

/**
 * What both a primary and a replica take. Sizes in bytes, times in ms. Names and types are those of the
 * table of settings; one that is missing below is taken all the same.
 */
export interface NodeSettings extends EmbeddedValues<"primary"> {
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
  /** Shared password of replication links; needed to listen beyond loopback. */
  readonly replPassword?: string;
  /** Allows to listen beyond loopback without a password: whoever reaches the port may copy everything. */
  readonly insecure?: boolean;
  /**
   * Bytes of memory above which writes that make the state grow throw ERR_MAXMEMORY; nothing is evicted.
   * 0, the default, is unlimited. What a replica receives is applied all the same.
   */
  readonly maxmemory?: number;
  /** Where the node keeps its state, and who it is. */
  readonly dir?: string;
  /** When the log in `dir` is synced; default everysec. `await primary.durable()` asks for it at any time. */
  readonly fsync?: FsyncPolicy;
  /** Takes one line for each event; default: nothing is logged. */
  readonly log?: (line: string) => void;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
  /**
   * Code of worker threads: an absolute path, or a file: or data: URL, of `hawser/worker` of the same
   * version, which may be copied anywhere. By default it is the file that was installed, or a text that bundles
   * have within. What is named here is tried at open().
   */
  readonly workerUrl?: URL | string;
}

/** A started node and what an embedder's process has beside it. */
export interface OpenNode {
  readonly node: DaemonNode;
  readonly replPort: number;
  readonly keys: Keyspace;
  /** Of all objects over this node. */
  readonly waits: Waits;
  /** Closing again waits for the same end. */
  close(): Promise<void>;
}

/**
 * Builds and starts a node.
 * @throws {UsageError} naming a wrong value and what is allowed; the system's error when the port is taken
 * @throws {NodeError} ERR_WORKER when there is no code for worker threads
 */
export async function openNode(
  command: "primary" | "replica",
  settings: NodeSettings,
): Promise<OpenNode> {
  const { node, replPort } = await startNode(command, settings);
  const keys = new Keyspace(node, node.settings);
  const housekeeping = new Housekeeping({ node, keys });
  housekeeping.start();
  const waits = new Waits(node.turn, `this ${command}`);
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    waits.close();
    closing ??= endNode(node, housekeeping);
    return closing;
  };
  return { node, replPort, keys, waits, close };
}

/** The same over the built-in store or over `state`, without what is about keys. Throws as openNode(). */
export async function startNode(
  command: "primary" | "replica",
  settings: NodeSettings,
  state: ReplicatedState | null = null,
  names: OptionNames = {},
): Promise<Pick<OpenNode, "node" | "replPort">> {
  try {
    return await startInWords(command, settings, state, names);
  } catch (error) {
    throw errorInWords(error, names);
  }
}

async function startInWords(
  command: "primary" | "replica",
  settings: NodeSettings,
  state: ReplicatedState | null,
  names: OptionNames,
): Promise<Pick<OpenNode, "node" | "replPort">> {
  if (typeof (settings as unknown) !== "object" || (settings as unknown) === null)
    throw new UsageError(`options are ${shown(settings)}; an object is allowed`);
  const options = readEmbedded(command, settings, names);
  const given: unknown = settings.log;
  if (given !== undefined && typeof given !== "function")
    throw new UsageError(`log: of type ${typeof given}; expected a function`);
  const logger = foldStrangers(
    createLogger({
      level: options.logLevel,
      format: options.logFormat,
      sink: settings.log === undefined ? () => undefined : apart(settings.log, names),
    }),
  );
  const node = createNode(options, logger, await threadsFor(settings.workerUrl), state);
  node.emitter.words = (happened) => inWords(happened, names);
  let replPort: number;
  try {
    await node.open();
    replPort = await node.listen();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return { node, replPort };
}

async function endNode(node: DaemonNode, housekeeping: Housekeeping): Promise<void> {
  housekeeping.stop();
  // What was written in this turn is sealed at its end.
  await nextTurn();
  await node.stop();
}

/** @throws {UsageError} for what names no file @throws {NodeError} ERR_WORKER */
async function threadsFor(given: unknown): Promise<Threads> {
  if (given === undefined) return ownThreads();
  const isText = typeof given === "string";
  const url = isText || given instanceof URL ? codeUrl(given) : null;
  if (url !== null) return threadsAt(url);
  throw new UsageError(
    `workerUrl: ${isText ? `"${given}"` : shown(given)} is not allowed; expected an absolute path, or a file: or data: URL`,
  );
}

/** What the embedder's function throws is the embedder's: never in the middle of a step of the node. */
function apart(log: (line: string) => void, names: OptionNames): (line: string) => void {
  return (line) => {
    try {
      log(asEmbedder(line, names));
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  };
}
