/**
 * The log from the place on that a state's mark names: what is before it, the state has already.
 *
 *   log file   [ batch | batch | batch | batch ]
 *                  passed over ^ place  given on
 *
 *   the place is                                       it is
 *   between two batches, with the mark's chain         in the log
 *   behind the last batch, and the log is related      beyond: the state was written, the log was not
 *   before the first file                              before: the state is older than all log there is
 *   anywhere else                                      other: the log is not that of the state
 *
 * Owns: finding the place. Does not own: reading, the verdict on the log (log/disk/), what a start makes of
 * a place that is not in the log (marked-log.ts).
 * Tested in: test/unit/node/disk/marked-recovery.test.ts.
 */
import type { MarkedPlace } from "../../bridge/mark.ts";
import type { LogHead } from "../../log/disk/frames.ts";
import type { BatchSink } from "../../log/disk/log-file-scan.ts";
import type { BatchPlace } from "../../log/disk/log-recovery.ts";
import { leftAt } from "../../log/history.ts";
import { batchChain, batchOffset, isNodeBatch } from "../../wire/frame.ts";

/** Where the place of a mark is, or is not. */
export type FoundMark = "in" | "beyond" | "before" | "other";

export class LogFromMark implements BatchSink {
  /** Where what is behind the place begins; null while nothing is. */
  behind: BatchPlace | null = null;
  /** Batches of records behind it. */
  count = 0;
  readonly #place: MarkedPlace;
  readonly #sink: BatchSink;
  readonly #fileAt: () => Pick<BatchPlace, "file" | "fileAt">;
  /** Chain where the next batch begins. */
  #chain: number;
  #state: "before" | "reached" | "missed" = "before";

  /** @param chain where the first batch begins; `fileAt` says where the one does that is told of */
  constructor(
    place: MarkedPlace,
    chain: number,
    sink: BatchSink,
    fileAt: () => Pick<BatchPlace, "file" | "fileAt">,
  ) {
    this.#place = place;
    this.#chain = chain;
    this.#sink = sink;
    this.#fileAt = fileAt;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    if (this.#state === "before") this.#look(batchOffset(head, at));
    this.#chain = batchChain(head, at);
    if (this.#state !== "reached") return;
    if (!isNodeBatch(head, at)) this.count += 1;
    this.#sink.batchHead(head, at, length);
  }

  #look(offset: number): void {
    const { offset: wanted, chain } = this.#place;
    if (offset < wanted) return;
    this.#state = offset === wanted && this.#chain === chain ? "reached" : "missed";
    if (this.#state === "reached") this.behind = { ...this.#fileAt(), offset, chain };
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#state === "reached") this.#sink.batchBytes(bytes, from, to);
  }

  batchEnd(): void {
    if (this.#state === "reached") this.#sink.batchEnd();
  }

  /** All was read: the log ends at `end`, with `chain` there, in the log that `head` names. */
  found(end: number, chain: number, head: LogHead | null): FoundMark {
    if (this.#state === "reached") return "in";
    const place = this.#place;
    if (this.#state === "missed") return "other";
    if (end === place.offset) return chain === place.chain ? "in" : "other";
    return head !== null && isRelated(place, head) ? "beyond" : "other";
  }
}

/** The mark goes on from where the log of `head` ends, as far as histories tell. */
function isRelated(place: MarkedPlace, { start, lineage }: LogHead): boolean {
  const log = { history: start.history, lineage };
  return leftAt(place, log.history) >= 0 || leftAt(log, place.history) >= 0;
}
