/**
 * The pages of the index: blocks of equal size inside chunks of 8 MiB, handed out and taken back.
 * What every page needs beside its entries (count, depth, prefix) lies in arrays by page number.
 *
 * Chunks are SharedArrayBuffers although no other thread sees them: V8 counts ordinary ones and ran a
 * full collection (12 ms) for them while the index grew. Those that are not needed any more go to the pool, which
 * gives them back to the system.
 *
 * Owns: pages as memory. Does not own: what is in them (key-index.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
/** 8 MiB: few enough objects for tens of millions of keys, and small enough to give back. */
const CHUNK_BYTES = 8 * 1024 * 1024;
/** The depth of a page that is not in use. */
const UNUSED = 255;

/** Where chunks come from, and where they go when they are not needed any more; segment-memory.ts is one. */
export interface ChunkMemory {
  takeChunk(bytes: number): SharedArrayBuffer;
  giveChunk(chunk: SharedArrayBuffer): void;
}

export class PageTable {
  readonly chunks: Int32Array<SharedArrayBuffer>[] = [];
  /** Page p is in chunks[p >>> chunkShift] from word (p & chunkMask) << pageShift on. */
  readonly chunkShift: number;
  readonly chunkMask: number;
  readonly pageShift: number;
  counts: Uint16Array = new Uint16Array(16);
  depths: Uint8Array = new Uint8Array(16).fill(UNUSED);
  /** The tag prefix of each page, in the high bits. */
  prefixes: Int32Array = new Int32Array(16);
  /** Pages in use. */
  used = 0;
  readonly #pageBytes: number;
  readonly #memory: ChunkMemory;
  /** Pages that were ever handed out, from number 0 on. */
  #touched = 0;
  /** Unused pages; may name pages that are in use again or gone. */
  #free: number[] = [];
  /** No page below it is unused, during one shrink(). */
  #lowest = 0;

  constructor(pageEntries: number, memory: ChunkMemory) {
    this.#pageBytes = pageEntries * 8;
    this.#memory = memory;
    this.pageShift = 31 - Math.clz32(pageEntries * 2);
    // Tiny pages, in tests, get tiny chunks, so that chunks are given back there too.
    const pages = pageEntries >= 1024 ? CHUNK_BYTES / this.#pageBytes : 8;
    this.chunkShift = 31 - Math.clz32(pages);
    this.chunkMask = pages - 1;
  }

  /** Bytes that were ever touched and are still held. */
  get bytes(): number {
    return this.#touched * this.#pageBytes;
  }

  chunkOf(page: number): Int32Array {
    return this.chunks[page >>> this.chunkShift]!;
  }

  baseOf(page: number): number {
    return (page & this.chunkMask) << this.pageShift;
  }

  /** None of it is used any more. */
  dispose(): void {
    for (const chunk of this.chunks) this.#memory.giveChunk(chunk.buffer);
    this.chunks.length = 0;
  }

  /** An empty page. */
  allocate(depth: number, prefix: number): number {
    const page = this.#pick();
    this.counts[page] = 0;
    this.depths[page] = depth;
    this.prefixes[page] = prefix;
    this.used++;
    return page;
  }

  /** Pages that can be handed out without memory. */
  get unused(): number {
    return (this.chunks.length << this.chunkShift) - this.used;
  }

  /** Memory for `count` more pages. */
  makeRoomFor(count: number): void {
    while (this.unused < count) this.#addChunk();
  }

  /** Takes a page back. */
  free(page: number): void {
    const base = this.baseOf(page);
    this.chunkOf(page).fill(0, base, base + (1 << this.pageShift));
    this.counts[page] = 0;
    this.depths[page] = UNUSED;
    this.used--;
    this.#free.push(page);
  }

  /**
   * Moves up to `limit` pages out of the last chunk into unused pages of the others, when at least
   * one and a quarter chunks are unused, and drops the chunk when it is empty.
   *
   * @param moved called for each page that moved, after the move
   * @returns true when there is more to do
   */
  shrink(limit: number, moved: (from: number, to: number) => void): boolean {
    const perChunk = this.chunkMask + 1;
    if (this.#touched - this.used < perChunk + (perChunk >>> 2)) return false;
    const first = (this.chunks.length - 1) << this.chunkShift;
    let left = limit;
    this.#lowest = 0;
    for (let page = this.#touched - 1; page >= first; page--) {
      if (this.depths[page] !== UNUSED) {
        if (left-- === 0) return true;
        moved(page, this.#move(page));
      }
      this.#touched = page;
    }
    this.#memory.giveChunk(this.chunks.pop()!.buffer);
    this.#free = this.#free.filter((page) => page < this.#touched);
    return true;
  }

  #move(page: number): number {
    while (this.depths[this.#lowest] !== UNUSED) this.#lowest++;
    const to = this.#lowest;
    const from = this.baseOf(page);
    this.chunkOf(to).set(
      this.chunkOf(page).subarray(from, from + (1 << this.pageShift)),
      this.baseOf(to),
    );
    this.counts[to] = this.counts[page]!;
    this.depths[to] = this.depths[page]!;
    this.prefixes[to] = this.prefixes[page]!;
    this.depths[page] = UNUSED;
    this.chunkOf(page).fill(0, from, from + (1 << this.pageShift));
    return to;
  }

  #pick(): number {
    while (this.#free.length > 0) {
      const page = this.#free.pop()!;
      if (page < this.#touched && this.depths[page] === UNUSED) return page;
    }
    const page = this.#touched;
    if (page >>> this.chunkShift === this.chunks.length) this.#addChunk();
    if (page === this.counts.length) this.#growNotes();
    this.#touched++;
    return page;
  }

  #addChunk(): void {
    const bytes = (this.chunkMask + 1) * this.#pageBytes;
    this.chunks.push(new Int32Array(this.#memory.takeChunk(bytes)));
  }

  #growNotes(): void {
    const size = this.counts.length * 2;
    const counts = new Uint16Array(size);
    const depths = new Uint8Array(size).fill(UNUSED);
    const prefixes = new Int32Array(size);
    counts.set(this.counts);
    depths.set(this.depths);
    prefixes.set(this.prefixes);
    this.counts = counts;
    this.depths = depths;
    this.prefixes = prefixes;
  }
}
