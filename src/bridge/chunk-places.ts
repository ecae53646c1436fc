/**
 * Where chunks begin in what a Frozen reads, so that a reading that starts at a chunk need not read what is
 * before it: as many as PLACES_MAX, and as many bytes of tokens; of more every other one is forgotten.
 *
 *   parts    [ r r r r ]token [ r r r r ]token [ r r r ...
 *   chunk n                        ^ token of the first part, 1 record to skip, 0 bytes of the next done
 *
 * Owns: what is remembered. Does not own: reading (part-reader.ts).
 * Tested in: test/unit/bridge/source.test.ts.
 */
/** A place between two chunks. */
export interface ChunkPlace {
  /** The chunk that begins here. */
  readonly chunk: number;
  /** What is read on from; null for the beginning. */
  readonly token: Uint8Array | null;
  /** Records after the token that are in earlier chunks. */
  readonly skip: number;
  /** Bytes of the record after those that are in earlier chunks, its length included. */
  readonly done: number;
  /** Records that end in earlier chunks. */
  readonly records: number;
}

const START: ChunkPlace = { chunk: 0, token: null, skip: 0, done: 0, records: 0 };

const PLACES_MAX = 1024;
const TOKEN_BYTES_MAX = 4 * 1024 * 1024;

export class ChunkPlaces {
  #places: ChunkPlace[] = [];
  /** Only chunks that are multiples of it are remembered. */
  #every = 1;

  /** Where the chunk begins that is the last known one up to `chunk`. */
  before(chunk: number): ChunkPlace {
    return this.#places.findLast((place) => place.chunk <= chunk) ?? START;
  }

  note(place: ChunkPlace): void {
    const newest = this.#places.at(-1)?.chunk ?? 0;
    if (place.chunk <= newest || place.chunk % this.#every !== 0) return;
    this.#places.push(place);
    while (this.#isFull()) {
      this.#every *= 2;
      this.#places = this.#places.filter(({ chunk }) => chunk % this.#every === 0);
    }
  }

  #isFull(): boolean {
    if (this.#places.length > PLACES_MAX) return true;
    let bytes = 0;
    for (const { token } of this.#places) bytes += token?.length ?? 0;
    return this.#places.length > 1 && bytes > TOKEN_BYTES_MAX;
  }
}
