/**
 * Which nodes have dialled this one as their upstream, and when last: how a node that seeds finds out whose replicas
 * its sources are, whatever name or proxy they reach it by.
 *
 * Pure. Owns: that, of the newest that came. Does not own: what follows (seeding.ts), who may come (primary/).
 * Tested in: test/unit/node/seeding.test.ts.
 */
import { LIMITS } from "../limits.ts";
import type { Id } from "../wire/messages.ts";

export class Dialled {
  /** The newest last. */
  readonly #atMs = new Map<Id, number>();

  came(nodeId: Id, nowMs: number): void {
    this.#atMs.delete(nodeId);
    this.#atMs.set(nodeId, nowMs);
    if (this.#atMs.size <= LIMITS.linksMax) return;
    for (const oldest of this.#atMs.keys()) {
      this.#atMs.delete(oldest);
      return;
    }
  }

  /** When it came last; -1 for never. */
  lastMs(nodeId: Id): number {
    return this.#atMs.get(nodeId) ?? -1;
  }
}
