/**
 * One snapshot being received: chunks are gathered, checked and loaded into a staged state, which
 * outlives the connection so that the ship can be resumed at the next chunk.
 *
 *   SNAPSHOT -> CHUNK 0 .. n-1, in order -> END: counts and digest compared -> ready to swap
 *
 * Owns: one staging, its chunk count and digest. Does not own: the swap (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { createHash, type Hash } from "node:crypto";
import { WireError } from "../errors.ts";
import type { Format, SnapshotBegin, SnapshotEnd } from "../wire/messages.ts";
import type { Staging, StateTarget } from "../store/state.ts";

export class Restore {
  /** The newest SNAPSHOT of this snapshot: a resumed ship may name a newer history. */
  begin: SnapshotBegin;
  readonly staging: Staging;
  readonly startedAtMs: number;
  /** First chunk that is not loaded. */
  nextChunk = 0;
  /** Chunks that an earlier process left in a file; loaded from there first. */
  readonly keptChunks: number;
  /** Chunk payload bytes loaded. */
  bytes = 0;
  /** When the connection was lost, ms; -1 while it stands. */
  parkedAtMs = -1;
  private readonly digest: Hash = createHash("sha256");
  private readonly digestBytes = Buffer.alloc(4);
  private chunk: Buffer = EMPTY;
  private filled = 0;
  private expected = 0;

  constructor(begin: SnapshotBegin, target: StateTarget, nowMs: number, keptChunks = 0) {
    this.begin = begin;
    this.staging = target.stage({ records: begin.records, bytes: begin.bytes });
    this.startedAtMs = nowMs;
    this.keptChunks = keptChunks;
  }

  /** The chunk at which a feeder should go on. */
  get resumeChunk(): number {
    return Math.max(this.nextChunk, this.keptChunks);
  }

  /** Chunks of an earlier process are still being read. */
  get isLoadingKept(): boolean {
    return this.nextChunk < this.keptChunks;
  }

  /** The ship goes on, on a new connection. */
  resume(begin: SnapshotBegin): void {
    this.begin = begin;
    this.parkedAtMs = -1;
  }

  /** A chunk begins; its length was checked against LIMITS.chunkBytesMax. */
  chunkHead(number: number, payloadBytes: number): void {
    if (number !== this.nextChunk)
      throw new WireError("ERR_WIRE_STATE", `chunk ${number}, expected ${this.nextChunk}`);
    if (this.chunk.length < payloadBytes) this.chunk = Buffer.allocUnsafeSlow(payloadBytes);
    this.filled = 0;
    this.expected = payloadBytes;
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    bytes.copy(this.chunk, this.filled, from, to);
    this.filled += to - from;
  }

  /** All bytes are in and match their crc: loads them. Throws StoreError when they do not parse. */
  chunkEnd(digest: number): void {
    this.load(this.chunk, 0, this.expected, digest);
  }

  /** Payload of the newest chunk: what a keeper copies, valid until the next chunkHead(). */
  get payload(): Buffer {
    return this.chunk.subarray(0, this.expected);
  }

  /** The next chunk's payload, verified by the caller. Throws StoreError when it does not parse. */
  load(bytes: Buffer, from: number, to: number, digest: number): void {
    this.staging.load(bytes, from, to);
    this.digestBytes.writeUInt32LE(digest);
    this.digest.update(this.digestBytes);
    this.nextChunk += 1;
    this.bytes += to - from;
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
    const digest = this.digest.digest("hex");
    if (digest !== end.digest)
      throw new WireError("ERR_WIRE_BODY_CRC", `snapshot digest ${digest}, END says ${end.digest}`);
    this.staging.finish({ records: end.records });
  }

  discard(): void {
    this.staging.discard();
    this.chunk = EMPTY;
  }
}

/**
 * Whether SNAPSHOT goes on with what `restore` has, rather than begin anew.
 * @throws {WireError} when it can be neither, or is in another format
 */
export function goesOn(restore: Restore | null, begin: SnapshotBegin, own: Format): boolean {
  const { format, firstChunk, snapshotId } = begin;
  if (format.name !== own.name || format.version !== own.version)
    throw new WireError("ERR_WIRE_BODY", `a snapshot in ${format.name}/${format.version}`);
  const same = restore?.begin.snapshotId === snapshotId && restore.resumeChunk === firstChunk;
  if (firstChunk > 0 && !same)
    throw new WireError("ERR_WIRE_STATE", `a snapshot from chunk ${firstChunk}`);
  return firstChunk > 0;
}

const EMPTY = Buffer.alloc(0);
