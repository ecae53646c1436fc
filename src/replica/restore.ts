/**
 * One snapshot being received: chunks are gathered, checked and loaded into a staged state, which
 * outlives the connection so that the ship can be resumed at the next chunk.
 *
 *   SNAPSHOT -> CHUNK 0 .. n-1, in order -> END: counts and digest compared -> ready to swap
 *
 * Owns: what has arrived of it and what is loaded. Does not own: how chunks are loaded (loading.ts),
 * the swap (restoring.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import { ChunkTally } from "../wire/chunk-tally.ts";
import type { RecordsFormat } from "../store/state.ts";
import type { SnapshotBegin, SnapshotEnd } from "../wire/messages.ts";
import { canRead } from "./formats.ts";
import type { Loading } from "./loading.ts";

export class Restore {
  /** The newest SNAPSHOT of this snapshot: a resumed ship may name a newer history. */
  begin: SnapshotBegin;
  readonly loading: Loading;
  readonly startedAtMs: number;
  /** First chunk that is not here. */
  arrived = 0;
  /** Chunks that an earlier process left in a file; loaded from there first. */
  readonly keptChunks: number;
  /** When the connection was lost, ms; -1 while it stands. */
  parkedAtMs = -1;
  /** Chunks that were here when a connection ended; those of the next come on top. */
  private arrivedBefore = 0;
  /** Of the chunks that are loaded. */
  private readonly tally = new ChunkTally();
  private chunk: Buffer = EMPTY;
  private filled = 0;
  private expected = 0;

  constructor(begin: SnapshotBegin, loading: Loading, nowMs: number, keptChunks = 0) {
    this.begin = begin;
    this.loading = loading;
    this.startedAtMs = nowMs;
    this.keptChunks = keptChunks;
  }

  /** First chunk that is not loaded. */
  get nextChunk(): number {
    return this.tally.chunks;
  }

  /** Chunk payload bytes loaded. */
  get bytes(): number {
    return this.tally.bytes;
  }

  /** The chunk at which a feeder should go on. */
  get resumeChunk(): number {
    return Math.max(this.arrived, this.keptChunks);
  }

  /** Chunks of an earlier process, or connection, are still being loaded. */
  get isLoadingKept(): boolean {
    return this.nextChunk < Math.max(this.keptChunks, this.arrivedBefore);
  }

  /** All that arrived is loaded. */
  get isLoaded(): boolean {
    return this.nextChunk === this.arrived;
  }

  /** Payload that arrived: loaded, or waiting for it. */
  get arrivedBytes(): number {
    return this.bytes + this.loading.waitingBytes;
  }

  /** The connection is over. */
  park(nowMs: number): void {
    this.arrivedBefore = this.arrived;
    // Why not every time: a dial that fails does not begin the grace anew.
    if (this.parkedAtMs < 0) this.parkedAtMs = nowMs;
  }

  /** The ship goes on, on a new connection. */
  resume(begin: SnapshotBegin): void {
    this.begin = begin;
    this.parkedAtMs = -1;
  }

  /** A chunk begins; its length was checked against LIMITS.chunkBytesMax. */
  chunkHead(number: number, payloadBytes: number): void {
    if (number !== this.arrived)
      throw new WireError("ERR_WIRE_STATE", `chunk ${number}, expected ${this.arrived}`);
    if (this.chunk.length < payloadBytes) this.chunk = Buffer.allocUnsafeSlow(payloadBytes);
    this.filled = 0;
    this.expected = payloadBytes;
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    bytes.copy(this.chunk, this.filled, from, to);
    this.filled += to - from;
  }

  /**
   * All bytes are in and match their crc: loads them. Throws StoreError when they do not parse.
   * @param loaded called with the payload, valid during the call, when it is loaded: now or later
   */
  chunkEnd(digest: number, loaded: (payload: Buffer) => void): void {
    const { chunk, expected } = this;
    const isLoaded = this.load(chunk, 0, expected, digest, (isLoadedLater) => {
      if (isLoadedLater) loaded(chunk.subarray(0, expected));
    });
    if (isLoaded) loaded(chunk.subarray(0, expected));
    else this.chunk = EMPTY;
  }

  /**
   * The next chunk's payload, verified by the caller. Throws StoreError when it does not parse.
   * @param loaded called when it is loaded later, or never will be: `bytes` must not change before
   * @returns whether it is loaded already
   */
  load(
    bytes: Buffer,
    from: number,
    to: number,
    digest: number,
    loaded: (isLoaded: boolean) => void,
  ): boolean {
    this.arrived += 1;
    const isLoaded = this.loading.load(bytes, from, to, (isLoadedLater) => {
      if (isLoadedLater) this.onLoaded(to - from, digest);
      loaded(isLoadedLater);
    });
    if (isLoaded) this.onLoaded(to - from, digest);
    return isLoaded;
  }

  private onLoaded(bytes: number, digest: number): void {
    this.tally.note(this.nextChunk, bytes, digest);
  }

  /** Compares everything END says with what was loaded. Throws WireError or StoreError when they differ. */
  verify(end: SnapshotEnd): void {
    if (end.snapshotId !== this.begin.snapshotId)
      throw new WireError(
        "ERR_WIRE_STATE",
        `END of ${end.snapshotId}, not ${this.begin.snapshotId}`,
      );
    if (end.chunks !== this.nextChunk)
      throw new WireError(
        "ERR_WIRE_BODY",
        `END names ${end.chunks} chunks, ${this.nextChunk} came`,
      );
    if (end.bytes !== this.bytes)
      throw new WireError("ERR_WIRE_BODY", `END names ${end.bytes} bytes, ${this.bytes} came`);
    const { digest } = this.tally;
    if (digest !== end.digest)
      throw new WireError("ERR_WIRE_BODY_CRC", `snapshot digest ${digest}, END says ${end.digest}`);
    this.loading.finish({ records: end.records });
  }

  discard(): void {
    this.loading.discard();
    this.chunk = EMPTY;
  }
}

/**
 * Whether SNAPSHOT goes on with what `restore` has, rather than begin anew.
 * @throws {WireError} when it can be neither, or is in another format
 */
export function goesOn(restore: Restore | null, begin: SnapshotBegin, own: RecordsFormat): boolean {
  const { format, firstChunk, snapshotId } = begin;
  if (!canRead(own, format))
    throw new WireError("ERR_WIRE_BODY", `a snapshot in ${format.name}/${format.version}`);
  const same = restore?.begin.snapshotId === snapshotId && restore.resumeChunk === firstChunk;
  if (firstChunk > 0 && !same)
    throw new WireError("ERR_WIRE_STATE", `a snapshot from chunk ${firstChunk}`);
  return firstChunk > 0;
}

const EMPTY = Buffer.alloc(0);
