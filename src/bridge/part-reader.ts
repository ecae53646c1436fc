/**
 * A ChunkReader over a Frozen: its records cut into chunks in a bounded ring, a slice in a turn of the loop.
 *
 *   waiting --frozen--> skipping --the first chunk asked for--> filling --all read--> whole
 *      |                    |          ring full: rests until release()                |
 *      +---------+----------+-------------- failed: dead, close(): closed -------------+
 *
 * It begins at the last place before its first chunk that is known (chunk-places.ts): what is between is read
 * again and cut again, and thrown away. The ring is shared memory, so that a thread may write what is in it
 * to a disk.
 *
 * Owns: one reading. Does not own: records (part-records.ts), cutting (chunk-records.ts), who else reads
 * (source.ts).
 * Tested in: test/unit/bridge/source.test.ts.
 */
import { wordsOf } from "../errors.ts";
import {
  CHUNK_ROOM_BYTES,
  type ChunkEvents,
  type ChunkReader,
  type ChunkTotals,
  type ReadyChunk,
} from "../store/state.ts";
import { chunkSum } from "../wire/frame.ts";
import type { ChunkPlace, ChunkPlaces } from "./chunk-places.ts";
import { ChunkCutter } from "./chunk-records.ts";
import { PartRecords } from "./part-records.ts";
import type { Frozen } from "./seam.ts";

/** Read in one turn of the loop, bytes: part of a millisecond when they are at hand. */
const SLICE_BYTES = 256 * 1024;

/** What a record costs beside its bytes. */
export const RECORD_COST_BYTES = 32;

export interface RingSizes {
  /** Chunks that are read and not released. */
  readonly slots: number;
  /** Bytes of a chunk and the room before it. */
  readonly slotBytes: number;
}

export interface ReaderHome {
  readonly sizes: RingSizes;
  readonly places: ChunkPlaces;
  /** Runs something in a later turn of the loop. */
  readonly nextTurn: (run: () => void) => void;
  /** Nothing is read any more. */
  over(reader: PartReader): void;
  /** All was read, so much. */
  read(totals: ChunkTotals & { readonly bytes: number }): void;
}

export class PartReader implements ChunkReader {
  readonly #home: ReaderHome;
  readonly #events: ChunkEvents;
  readonly #fromChunk: number;
  readonly #cutter: ChunkCutter;
  readonly #place: ChunkPlace;
  #ring: Buffer | null = null;
  readonly #ready: ReadyChunk[] = [];
  /** Chunks in the ring that are not released: ready ones and those that were taken. */
  #held = 0;
  /** The chunk that is being filled. */
  #number: number;
  #isFilling = false;
  /** Records that ended so far, and those to pass over before the first is cut. */
  #records: number;
  #skip: number;
  /** Payload of the chunks that this reading made. */
  #bytes = 0;
  #source: PartRecords | null = null;
  /** A record that is in the present chunk in part. */
  #rest: Uint8Array | null = null;
  #isWhole = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(home: ReaderHome, fromChunk: number, events: ChunkEvents) {
    this.#home = home;
    this.#events = events;
    this.#fromChunk = fromChunk;
    this.#place = home.places.before(fromChunk);
    const { chunk, done, skip, records } = this.#place;
    this.#cutter = new ChunkCutter(home.sizes.slotBytes - CHUNK_ROOM_BYTES, done);
    this.#number = chunk;
    this.#records = records;
    this.#skip = skip;
  }

  /** The state is frozen: reading begins, in a turn of its own. */
  begin(frozen: Frozen): void {
    if (this.#isClosed) return;
    try {
      this.#source = new PartRecords(frozen, this.#place.token, (error) => {
        if (error === null) this.#schedule();
        else this.fail(wordsOf(error));
      });
    } catch (error) {
      this.fail(wordsOf(error));
      return;
    }
    this.#schedule();
  }

  get totals(): ChunkTotals | null {
    if (!this.#isWhole || this.#isClosed || this.#ready.length > 0) return null;
    return { chunks: this.#number, records: this.#records };
  }

  take(): ReadyChunk | null {
    return this.#isClosed ? null : (this.#ready.shift() ?? null);
  }

  release(): void {
    this.#held -= 1;
    this.#schedule();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const source = this.#source;
    const over = (): void => this.#home.over(this);
    // Why: a Frozen is closed when nobody reads it any more.
    if (source === null) over();
    else source.close().then(over, over);
  }

  /** It cannot go on: whoever reads hears of it in a later turn. */
  fail(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#home.nextTurn(() => this.#events.failed(reason));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed || this.#isWhole || this.#source === null) return;
    this.#isScheduled = true;
    this.#home.nextTurn(() => {
      this.#isScheduled = false;
      if (this.#isClosed) return;
      try {
        this.#fill(this.#source!);
      } catch (error) {
        this.fail(wordsOf(error));
      }
    });
  }

  #fill(source: PartRecords): void {
    let budget = SLICE_BYTES;
    while (budget > 0 && this.#hasSlot()) {
      const record = this.#rest ?? source.next();
      if (record === "later") return;
      if (record === null) {
        this.#end();
        return;
      }
      budget -= record.length + RECORD_COST_BYTES;
      if (this.#skip > 0) {
        this.#skip -= 1;
        continue;
      }
      if (this.#cutter.put(record)) {
        this.#rest = null;
        this.#records += 1;
        continue;
      }
      this.#rest = record;
      this.#seal();
      this.#noteStart(source);
    }
    if (budget <= 0) this.#schedule();
  }

  /** There is a slot to fill. */
  #hasSlot(): boolean {
    if (this.#isFilling) return true;
    const { slots, slotBytes } = this.#home.sizes;
    if (this.#isClosed || this.#held >= slots) return false;
    this.#ring ??= Buffer.from(new SharedArrayBuffer(slots * slotBytes));
    this.#cutter.begin(this.#ring, this.#slotAt(this.#number) + CHUNK_ROOM_BYTES);
    this.#isFilling = true;
    return true;
  }

  #slotAt(number: number): number {
    const { slots, slotBytes } = this.#home.sizes;
    return (number % slots) * slotBytes;
  }

  /** The present chunk is whole. */
  #seal(): void {
    const number = this.#number;
    this.#number += 1;
    this.#isFilling = false;
    this.#bytes += this.#cutter.filled;
    if (number < this.#fromChunk) return;
    const bytes = this.#ring!;
    const from = this.#slotAt(number) + CHUNK_ROOM_BYTES;
    const to = from + this.#cutter.filled;
    this.#held += 1;
    this.#ready.push({ number, bytes, from, to, sum: chunkSum(bytes, from, to, number) });
    this.#events.ready();
  }

  /** The next chunk begins with the record that was read last, or inside it. */
  #noteStart({ token, since }: PartRecords): void {
    this.#home.places.note({
      chunk: this.#number,
      token,
      skip: since - 1,
      done: this.#cutter.done,
      records: this.#records,
    });
  }

  #end(): void {
    if (this.#isFilling && this.#cutter.filled > 0) this.#seal();
    if (this.#isClosed) return;
    this.#isWhole = true;
    this.#isFilling = false;
    if (this.#number < this.#fromChunk) {
      this.fail(`there is no chunk ${this.#fromChunk}`);
      return;
    }
    if (this.#place.chunk === 0)
      this.#home.read({ chunks: this.#number, records: this.#records, bytes: this.#bytes });
    this.#home.over(this);
    this.#events.ready();
  }
}
