/**
 * What clients were told in synchronous mode, and who has to have it: places in the log, each the end of the first batch
 * that has all that an answer showed.
 *
 *   an answer goes out      whoever leads with the highest rank, and not by force, has the place
 *   the answer to a read    shows every place that was told before it was asked
 *   a node begins to lead   it has every place
 *   the same by force       what was told before counts no more, nor what is told by those who led before
 *
 * Knows nothing of how the nodes do it. Owns: that. Does not own: what happens (sync-life.ts).
 */
import { compareLeaders } from "../../src/log/history.ts";
import type { NodeCore } from "../../src/node/core.ts";
import { batchLength } from "../../src/wire/frame.ts";
import { SimError } from "./clock.ts";
import type { SyncNeeds } from "./sync-needs.ts";

export class SyncPromises {
  /** Answers to writes so far. */
  confirmations = 0;
  /** Ends of batches that clients were told of, and their chains. */
  #told = new Map<number, number>();
  /** The greatest of them. */
  #toldTo = 0;
  /** Who has led since anybody led by force. */
  readonly #leaders = new Set<NodeCore>();
  /** Leads with the highest rank of those. */
  #highest: NodeCore | null = null;
  readonly #mark: (what: string) => void;

  readonly #needs: SyncNeeds;

  constructor(needs: SyncNeeds, mark: (what: string) => void) {
    this.#needs = needs;
    this.#mark = mark;
  }

  /** A client asks `core` now. @returns what to call when it is answered */
  asked(core: NodeCore, name: string, reads: boolean): () => void {
    const { tail } = core.backlog;
    const { leadership } = core.synchronous;
    const before = this.#toldTo;
    const epoch = this.#told;
    const { running } = this.#needs;
    return () => {
      if (!this.#leaders.has(core) || epoch !== this.#told) return;
      if (core.synchronous.leadership !== leadership)
        throw new SimError(`${name} answers as the leader that it was before`);
      if (reads && before > tail)
        throw new SimError(`${name} answers a read at ${tail}, and ${before} was told before it`);
      if (!reads) this.confirmations += 1;
      this.#needs.told(core, name, batchEndAt(core, tail), running);
      this.#tell(core, name, tail);
    };
  }

  #tell(core: NodeCore, name: string, tail: number): void {
    const end = batchEndAt(core, tail);
    const chain = core.backlog.chainAt(end);
    // Its memory begins later: whoever led before it had it, and was compared with it.
    if (chain === -1) return;
    const other = this.#told.get(end);
    if (other !== undefined && other !== chain)
      throw new SimError(`${name} tells of ${end}, of which another told other things`);
    this.#told.set(end, chain);
    this.#toldTo = Math.max(this.#toldTo, end);
    const highest = this.#highest!;
    if (highest === core) return;
    this.#mark("sync: a lower leader confirms");
    if (!has(highest, end, chain))
      throw new SimError(`${name} tells of ${end}, which the leader above it does not have`);
  }

  leads(core: NodeCore, name: string, isForced: boolean): void {
    if (isForced) {
      this.#told = new Map();
      this.#toldTo = 0;
      this.#leaders.clear();
      this.#highest = null;
    }
    if (!isForced) this.#needs.leads(core, name);
    this.#leaders.add(core);
    for (const [end, chain] of this.#told)
      if (!has(core, end, chain))
        throw new SimError(`${name} leads at ${core.backlog.next} without ${end}, which was told`);
    if (this.#told.size > 0) this.#mark("sync: leads with all that was told");
    const highest = this.#highest;
    if (highest === null || compareLeaders(core.identity, highest.identity) > 0)
      this.#highest = core;
  }
}

/** What is older than its memory came with a state, from one that was compared. */
function has({ backlog }: NodeCore, end: number, chain: number): boolean {
  return end < backlog.first || (backlog.next >= end && backlog.chainAt(end) === chain);
}

/** The end of the batch that has the byte before `offset`; `offset` itself when that is before its memory. */
function batchEndAt({ backlog }: NodeCore, offset: number): number {
  let end = backlog.first;
  if (offset <= end) return offset;
  while (end < offset) {
    const { bytes, start } = backlog.segmentAt(end);
    end += batchLength(bytes, end - start);
  }
  return end;
}
