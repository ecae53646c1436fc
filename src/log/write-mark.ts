/**
 * How far the log went when a connection last wrote: what its WAIT waits for.
 *
 * An offset means nothing without its history. After a demotion, a resync and a promotion the same
 * offset is another write, so a mark is judged by the node's lineage whenever it is used.
 * Owns: one place in the log. Does not own: lineages (history.ts), waiting (primary/waiters.ts).
 */
import { leftAt, type HistoryState } from "./history.ts";
import type { Id } from "../wire/messages.ts";

export class WriteMark {
  /** "" before the first write. */
  private history: Id = "";
  private offset = 0;

  /** The connection wrote something. */
  get isSet(): boolean {
    return this.history !== "";
  }

  /** A write of this connection ends at `offset` of `history`. */
  set(history: Id, offset: number): void {
    this.history = history;
    this.offset = offset;
  }

  /**
   * @returns the offset in the log of `node`: 0 before the first write, -1 when the write is no part
   *   of that log any more
   */
  offsetIn(node: HistoryState): number {
    if (this.history === "") return 0;
    return leftAt(node, this.history) >= this.offset ? this.offset : -1;
  }
}
