/**
 * replicate(): a state of the embedder's own has a primary or a replica in this process.
 *
 *   replicate(state, { listen })    a primary: feeds what the state has
 *   replicate(state, { of })        a replica: the state is kept equal to what `of` has
 *
 * Owns: its options, opening. Does not own: the state and its bridge (bridge/), the node (node/), what can be
 * done with it (replicated-node.ts).
 * Tested in: test/unit/embed/replicate.test.ts, test/unit/embed/replicate-types.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import type { ReplicatedState } from "../bridge/seam.ts";
import { type NodeSettings, startNode } from "./open.ts";
import { type ReplicatedNode, replicatedOver } from "./replicated-node.ts";
import { REPLICATE_NAMES } from "./words.ts";

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

/**
 * Opens a node over `state`, which belongs to it until it is closed: nothing else may change the state, but
 * a state that binds by its own methods.
 * @throws {UsageError} naming a wrong option and what is allowed
 * @throws {HawserError} ERR_ARGUMENT when `state` is not in the form of one; ERR_DISK_... about `dir`; the
 *   system's error when the port is taken
 */
export async function replicate<Tx = never>(
  state: ReplicatedState<Tx>,
  options: ReplicateOptions = {},
): Promise<ReplicatedNode<Tx>> {
  if (typeof (options as unknown) !== "object" || (options as unknown) === null)
    throw new ArgumentError("ERR_ARGUMENT", `options are of type ${typeof options}`);
  if (typeof (state as unknown) !== "object" || (state as unknown) === null)
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `state is of type ${typeof state}; an object is allowed`,
    );
  const command = options.of === undefined ? "primary" : "replica";
  // What transact() hands on is between the embedder and the state.
  const any = state as unknown as ReplicatedState;
  const { node, replPort } = await startNode(command, options, any, REPLICATE_NAMES);
  return replicatedOver<Tx>(node, node.bridge!, replPort);
}
