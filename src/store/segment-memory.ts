/**
 * The memory of the state: shared buffers, those of arena segments recycled through a free list.
 *
 * Why recycled: V8 does not count SharedArrayBuffers, so dropped ones stay resident until a
 * collection happens by chance. What is dropped here (surplus, and segments of a single large
 * record) is counted, and collect() runs one explicit collection for it.
 *
 * Owns: buffers and their count. Does not own: what lies in them (arena.ts).
 * Tested in: test/unit/store/memory.test.ts, test/unit/store/large-records.test.ts.
 */
import v8 from "node:v8";
import vm from "node:vm";
import { StoreError } from "../errors.ts";

/** Free segments that are always kept. */
const FREE_MIN = 8;
/** Free segments that nothing took for so long, ms, are surplus: syncs in a row take the same ones. */
const SURPLUS_MS = 10_000;
/** Segments dropped in one slice. */
const RELEASE_MAX = 32;
/** Dropped memory that is worth a collection; more at a time takes longer, 70 to 100 us per MiB. */
const COLLECT_BYTES = 32 * 1024 * 1024;
/** Dropped memory that is not let grow further. */
const DROPPED_BYTES_MAX = 256 * 1024 * 1024;

export interface SegmentMemory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Uint32Array;
  readonly bytes: Buffer;
}

/** Bounds of an arena. By default they are what its addresses allow (addresses.ts); tests lower them. */
export interface ArenaBounds {
  /** Records above this have an arena segment of their own, bytes; a quarter of a segment at most. */
  readonly largeRecordBytes: number;
  /** Shared arena segments in use, and large records, at one time. */
  readonly segmentsMax: number;
  readonly largeRecordsMax: number;
}

const UNBOUNDED: ArenaBounds = {
  largeRecordBytes: Number.POSITIVE_INFINITY,
  segmentsMax: Number.POSITIVE_INFINITY,
  largeRecordsMax: Number.POSITIVE_INFINITY,
};

export class SegmentPool {
  /** Bytes of a regular arena segment. */
  readonly segmentBytes: number;
  readonly bounds: ArenaBounds;
  /** Bytes of all arena segments that are in use or in the free list. */
  heldBytes = 0;
  /** Bytes of the index's chunks. */
  chunkBytes = 0;
  /** usedBytes stays below; tests lower it. */
  limitBytes: number = Number.POSITIVE_INFINITY;
  /** Bytes dropped since the last collection. */
  #droppedBytes = 0;
  readonly #free: SegmentMemory[] = [];
  /** The fewest free segments since #sinceMs. */
  #leastFree = 0;
  #sinceMs = 0;
  /** Memory for large records that was found ahead. */
  readonly #secured: SegmentMemory[] = [];
  /** Free segments that are to be dropped. */
  #surplus = 0;
  /**
   * Memory that nobody needs any more and that waits to be dropped. Why not at once: what is dropped is unmapped in
   * one go, and a replaced state of 40 million keys has half a gigabyte of index: 40 ms.
   */
  readonly #condemned: SharedArrayBuffer[] = [];
  #condemnedBytes = 0;

  constructor(segmentBytes: number, bounds: Partial<ArenaBounds> = {}) {
    this.segmentBytes = segmentBytes;
    this.bounds = { ...UNBOUNDED, ...bounds };
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** Bytes that are not free to be taken again. */
  get usedBytes(): number {
    return this.heldBytes - this.#free.length * this.segmentBytes + this.chunkBytes;
  }

  /** Whether `count` free segments may be taken. */
  mayTake(count: number): boolean {
    return this.usedBytes + count * this.segmentBytes <= this.limitBytes;
  }

  /**
   * Finds memory ahead: of so many take() and of takeOwn() of these sizes none will fail.
   * @throws StoreError ERR_STORE_FULL, with nothing kept of what was found for large records
   */
  secure(segments: number, large: readonly number[]): void {
    if (!this.mayTake(segments)) full(segments * this.segmentBytes);
    while (this.#free.length < segments) this.#free.push(this.#allocate(this.segmentBytes));
    try {
      for (const bytes of large) {
        const left = this.limitBytes - segments * this.segmentBytes;
        if (this.usedBytes + bytes > left) full(bytes);
        this.#secured.push(this.#allocateOwn(bytes));
      }
    } catch (error) {
      this.releaseSecured();
      throw error;
    }
  }

  /** What secure() found for large records and nobody took. */
  releaseSecured(): void {
    while (this.#secured.length > 0) this.give(this.#secured.pop()!);
  }

  /** A regular arena segment's memory; what is in it is left over. */
  take(): SegmentMemory {
    if (this.usedBytes + this.segmentBytes > this.limitBytes) full(this.segmentBytes);
    const memory = this.#free.pop();
    if (memory === undefined) return this.#allocate(this.segmentBytes);
    if (this.#free.length < this.#leastFree) this.#leastFree = this.#free.length;
    return memory;
  }

  /** Memory for a single record of `bytes`, a multiple of 8. */
  takeOwn(bytes: number): SegmentMemory {
    const at = this.#secured.findIndex(({ buffer }) => buffer.byteLength === bytes);
    return at < 0 ? this.#allocateOwn(bytes) : this.#secured.splice(at, 1)[0]!;
  }

  #allocateOwn(bytes: number): SegmentMemory {
    // Large values that replace each other in a tight loop must not outrun maintain().
    if (this.#condemnedBytes + this.#droppedBytes >= DROPPED_BYTES_MAX) {
      this.#dropCondemned(Number.POSITIVE_INFINITY);
      this.#collect();
    }
    return this.#allocate(bytes);
  }

  /** Takes memory back that nothing reads any more. */
  give(memory: SegmentMemory): void {
    if (memory.buffer.byteLength === this.segmentBytes) {
      this.#free.push(memory);
      return;
    }
    this.heldBytes -= memory.buffer.byteLength;
    this.#condemn(memory.buffer);
  }

  /** A free segment for somebody else; null when few are free. */
  lend(): SharedArrayBuffer | null {
    if (this.#free.length <= FREE_MIN) return null;
    const { buffer } = this.#free.pop()!;
    if (this.#free.length < this.#leastFree) this.#leastFree = this.#free.length;
    this.heldBytes -= buffer.byteLength;
    return buffer;
  }

  /** Somebody else's memory, of a regular segment, is a free segment from now on. */
  adopt(buffer: SharedArrayBuffer): void {
    this.heldBytes += buffer.byteLength;
    this.#free.push({ buffer, words: new Uint32Array(buffer), bytes: Buffer.from(buffer) });
  }

  /** Memory for the index. */
  takeChunk(bytes: number): SharedArrayBuffer {
    const chunk = this.#share(bytes);
    this.chunkBytes += bytes;
    return chunk;
  }

  /** Takes memory of the index back that nothing reads any more. */
  giveChunk(chunk: SharedArrayBuffer): void {
    this.chunkBytes -= chunk.byteLength;
    this.#condemn(chunk);
  }

  #condemn(buffer: SharedArrayBuffer): void {
    this.#condemned.push(buffer);
    this.#condemnedBytes += buffer.byteLength;
  }

  /**
   * One slice of giving surplus back: drops free memory beyond an eighth of the segments in use that
   * nothing took for 10 s, and what is condemned, and when enough is dropped runs a collection (4 to
   * 8 ms), which returns it to the system.
   * @param nowMs of a clock that only goes forward; Infinity: without waiting for 10 s
   * @returns true when there is more to do now
   */
  release(segmentsInUse: number, nowMs: number): boolean {
    const keep = Math.max(FREE_MIN, segmentsInUse >>> 3);
    this.#judgeSurplus(keep, nowMs);
    for (let n = 0; n < RELEASE_MAX && this.#surplus > 0; n++) {
      this.#surplus--;
      // What the surplus was judged by may have been taken since.
      if (this.#free.length > keep) this.#drop(this.#free.pop()!);
    }
    this.#dropCondemned(COLLECT_BYTES);
    const more = this.#surplus > 0 || this.#condemned.length > 0;
    if (this.#droppedBytes >= COLLECT_BYTES) this.#collect();
    return more;
  }

  #judgeSurplus(keep: number, nowMs: number): void {
    const isAtOnce = nowMs === Number.POSITIVE_INFINITY;
    if (!isAtOnce && nowMs - this.#sinceMs < SURPLUS_MS) return;
    const free = this.#free.length;
    this.#surplus = Math.max(0, (isAtOnce ? free : this.#leastFree) - keep);
    this.#leastFree = free;
    if (!isAtOnce) this.#sinceMs = nowMs;
  }

  /** Until `bytes` are dropped; a buffer is dropped whole. */
  #dropCondemned(bytes: number): void {
    while (this.#droppedBytes < bytes) {
      const buffer = this.#condemned.pop();
      if (buffer === undefined) return;
      this.#condemnedBytes -= buffer.byteLength;
      this.#droppedBytes += buffer.byteLength;
    }
  }

  #collect(): void {
    this.#droppedBytes = 0;
    collectGarbage();
  }

  #allocate(bytes: number): SegmentMemory {
    const buffer = this.#share(bytes);
    this.heldBytes += bytes;
    return { buffer, words: new Uint32Array(buffer), bytes: Buffer.from(buffer) };
  }

  #share(bytes: number): SharedArrayBuffer {
    if (this.usedBytes + bytes > this.limitBytes) full(bytes);
    try {
      return new SharedArrayBuffer(bytes);
    } catch (cause) {
      return full(bytes, cause);
    }
  }

  #drop(memory: SegmentMemory): void {
    this.heldBytes -= memory.buffer.byteLength;
    this.#droppedBytes += memory.buffer.byteLength;
  }
}

function full(bytes: number, cause?: unknown): never {
  throw new StoreError("ERR_STORE_FULL", `no memory for ${bytes} more bytes`, { cause });
}

let collector: (() => void) | null = null;

/** A full garbage collection; V8 has no other way to be told of dead shared memory. */
export function collectGarbage(): void {
  if (collector === null) {
    v8.setFlagsFromString("--expose-gc");
    collector = vm.runInNewContext("gc") as () => void;
  }
  collector();
}
