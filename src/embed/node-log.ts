/**
 * The log of a node, as the order of writes grows it: drafts, the disk that has to have them first, and taking
 * one back.
 *
 * Owns: what a draft waits for. Does not own: drafts (log/draft.ts), the disk (log/disk/).
 * Tested in: test/unit/embed/replicated-node.test.ts, test/unit/embed/taken-back.test.ts.
 */
import { DiskError, NodeError } from "../errors.ts";
import type { OrderLog } from "../bridge/write-deps.ts";
import type { Backlog } from "../log/backlog.ts";
import type { DiskTrouble } from "../log/disk/disk-log-messages.ts";
import type { Draft } from "../log/draft.ts";
import { awaitTurn } from "../node/await-turn.ts";
import type { Turn } from "../node/turn.ts";

/** A log that had to begin anew counts within this, ms, or nobody waits for it. */
const COUNTS_MS = 5_000;

export interface LoggingNode {
  readonly core: { readonly identity: { readonly history: string } };
  readonly turn: Turn;
  readonly backlog: Backlog;
  /** Why the disk takes nothing; null when it does, or there is none. */
  readonly diskTrouble: DiskTrouble | null;
  readonly isStopped: boolean;
}

export class NodeLog implements OrderLog {
  readonly storesFirst: boolean;
  readonly #node: LoggingNode;

  /** @param storesFirst  a draft is to be on the disk, if there is one, before the state has it */
  constructor(node: LoggingNode, storesFirst: boolean) {
    this.#node = node;
    this.storesFirst = storesFirst;
  }

  get history(): string {
    return this.#node.core.identity.history;
  }

  get next(): number {
    return this.#node.backlog.next;
  }

  draft(count: number, payloadBytes: number, fill: (bytes: Buffer, at: number) => void): Draft {
    return this.#node.backlog.draft(count, payloadBytes, fill);
  }

  store(draft: Draft, done: (trouble: Error | null) => void): void {
    const { backlog, turn } = this.#node;
    const isThere = (): boolean => backlog.store.written >= draft.end;
    backlog.persistDraft();
    if (isThere()) {
      done(null);
      return;
    }
    turn.until(
      () => isThere() || this.#trouble !== null,
      () => done(isThere() ? null : this.#trouble),
    );
  }

  /** Why it will not be written, as far as is known now. */
  get #trouble(): Error | null {
    const { diskTrouble, isStopped } = this.#node;
    if (diskTrouble !== null) return DiskError.of(diskTrouble);
    return isStopped ? new NodeError("ERR_CLOSED", "this node was closed") : null;
  }

  commitDraft(): void {
    this.#node.backlog.commitDraft();
    this.#node.turn.want();
  }

  /**
   * With a log on disk that had it, `done` when that has let go of it, synced: until then a start would find the
   * draft. Nobody waits for ever for a disk that has no room for that.
   */
  dropDraft(done: () => void): void {
    const { backlog, turn } = this.#node;
    const is = { back: false };
    backlog.dropDraft(() => {
      is.back = true;
      turn.changed();
    });
    if (is.back) {
      done();
      return;
    }
    const isOver = (): boolean =>
      (is.back && backlog.store.durable >= backlog.next) || this.#node.isStopped;
    void awaitTurn(turn, isOver, COUNTS_MS).then(done);
  }

  forgetDraft(): void {
    this.#node.backlog.forgetDraft();
  }
}
