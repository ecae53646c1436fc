/** A store as bench/embed measures it: plainly, and as the state of a node. */
import type { ReplicatedNode, ReplicatedState } from "../../src/index.ts";

/** Puts entries, all of one call together, and resolves when the store has them. */
export type Put = (entries: readonly (readonly [string, string])[]) => unknown;

export interface OpenSubject {
  readonly state: ReplicatedState;
  /** Into the same store, past the node: keys of its own, so that neither reads the other's. */
  readonly plain: Put;
  /**
   * Into the same store, past the node, with the least that a replicated write must do: its records are made, copied into
   * a log, summed, read again, and applied with a mark.
   */
  readonly least?: Put;
  through(node: ReplicatedNode, entries: Parameters<Put>[0]): unknown;
  close(): unknown;
}

/** Opens it in an empty folder. */
export type Subject = (dir: string) => OpenSubject | Promise<OpenSubject>;
