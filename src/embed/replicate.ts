/**
 * replicate(): a state of the embedder's own has a primary or a replica in this process.
 *
 *   replicate(state, { listen })    a primary: feeds what the state has
 *   replicate(state, { of })        a replica: the state is kept equal to what `of` has
 *
 * Owns: its options, opening and closing, the position. Does not own: the state and its bridge (bridge/),
 * the node (node/), writes and their order (node-writes.ts).
 * Tested in: test/unit/embed/replicate.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import type { NodeStatus } from "../node/api.ts";
import type { DaemonNode } from "../node/node.ts";
import type { LogPosition, ReplicatedState } from "../bridge/seam.ts";
import { type NodeSettings, startNode } from "./open.ts";

/** Sizes in bytes, times in ms. */
export interface ReplicateOptions extends Omit<NodeSettings, "replPort" | "replPassword"> {
  /** Replication port; 0, the default, takes a free one. */
  readonly listen?: number;
  /** HOST:PORT of the node to follow: then this one is a replica. */
  readonly of?: string;
  /** Shared by all nodes; without it they listen on loopback alone. */
  readonly password?: string;
  /** Of a replica, once: an unrelated or empty primary may replace what the state holds. */
  readonly allowReset?: boolean;
}

/** How the options are called that a node has under another name. */
const RENAMED: Readonly<Record<string, string>> = { listen: "replPort", password: "replPassword" };

export class Replicated {
  /** Replicas of this node connect to it. */
  readonly port: number;
  /** For what is built on top of it in src/embed; embedders have no use for it. */
  readonly node: DaemonNode;
  private closing: Promise<void> | null = null;

  constructor(node: DaemonNode, port: number) {
    this.node = node;
    this.port = port;
  }

  get role(): "primary" | "replica" | "closed" {
    return this.closing === null ? this.node.role : "closed";
  }

  /** Where the state is: on a primary all that was written, on a replica all that is applied. */
  get position(): LogPosition {
    const { history, offset } = this.node.position;
    return { history, offset };
  }

  /** It has all that its upstream had said it has; a primary always does. */
  get isSynced(): boolean {
    return this.node.isSynced;
  }

  status(): NodeStatus {
    return this.node.status();
  }

  /** Says BYE, sends what is left, closes the state's part that is hawser's. Again: the same end. */
  close(): Promise<void> {
    this.closing ??= this.node.stop().then(() => undefined);
    this.node.turn.changed();
    return this.closing;
  }
}

/**
 * Opens a node over `state`, which belongs to it until it is closed.
 * @throws {UsageError} naming a wrong option and what is allowed
 * @throws {HawserError} ERR_ARGUMENT when `state` is not in the form of one; ERR_DISK_... about `dir`
 */
export async function replicate<Tx>(
  state: ReplicatedState<Tx>,
  options: ReplicateOptions = {},
): Promise<Replicated> {
  if (typeof (options as unknown) !== "object" || (options as unknown) === null)
    throw new ArgumentError("ERR_ARGUMENT", `options are of type ${typeof options}`);
  const settings = Object.fromEntries(
    Object.entries(options).map(([name, value]) => [RENAMED[name] ?? name, value as unknown]),
  );
  const command = options.of === undefined ? "primary" : "replica";
  // What transact() hands on is between the embedder and the state.
  const any = state as unknown as ReplicatedState;
  const { node, replPort } = await startNode(command, settings, any);
  return new Replicated(node, replPort);
}
