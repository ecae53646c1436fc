/**
 * The restore that a session has, if any, over connections and, with a keeper, over processes:
 *
 *   none --SNAPSHOT 0--> loading --END verified--> (swap by the session) --> none
 *             kept by an earlier process --> loading from the file --> loading
 *   loading --cut--> parked --SNAPSHOT n--> loading;  parked too long, damaged, replaced --> none
 *
 * Owns: the one Restore, what the keeper is told. Does not own: the swap, the connection (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import { crc32 } from "../wire/crc.ts";
import type { Format, SnapshotBegin, SnapshotEnd } from "../wire/messages.ts";
import type { ChunkKeeper } from "./keeper.ts";
import type { SessionOptions } from "./options.ts";
import { goesOn, Restore } from "./restore.ts";
import type { StateTarget } from "../store/state.ts";

/** Chunk bytes that may wait to be written to the keeper's file. */
const KEEPER_BACKLOG_BYTES = 16 * 1024 * 1024;

/** What arrives may be this many times what was announced, and some bytes more: it is an estimate. */
const ANNOUNCED_TIMES_MAX = 2;
const ANNOUNCED_SLACK_BYTES = 64 * 1024 * 1024;

export class Restorer {
  current: Restore | null = null;
  private readonly target: StateTarget;
  private readonly options: SessionOptions;
  private readonly keeper: ChunkKeeper | null;

  constructor(target: StateTarget, options: SessionOptions, keeper: ChunkKeeper | null) {
    this.target = target;
    this.options = options;
    this.keeper = keeper;
  }

  /**
   * Takes up what an earlier process kept, and begins to read it.
   * @param done called when all of it is loaded, or with why it cannot be used
   */
  takeUpKept(nowMs: number, done: (error: Error | null) => void): void {
    const kept = this.keeper?.kept ?? null;
    if (kept === null || this.keeper === null || this.current !== null) return;
    const restore = new Restore(kept.begin, this.target, nowMs, kept.chunks);
    restore.parkedAtMs = nowMs;
    this.current = restore;
    this.keeper.replay(
      (bytes, at, payloadBytes, digest) => {
        if (this.current !== restore) return false;
        this.checkSize(restore, payloadBytes);
        loadKept(restore, bytes, at, payloadBytes, digest);
        return true;
      },
      (failure) => {
        if (this.current !== restore) return;
        // Why: with fewer chunks than were promised upstream, room would stay 0 for ever.
        const short = restore.isLoadingKept
          ? new Error("chunks are missing in the part file")
          : null;
        const error = failure ?? short;
        if (error !== null) this.drop();
        done(error);
      },
    );
  }

  /** SNAPSHOT: goes on with the present restore, or begins anew. Throws WireError when it is neither. */
  begin(begin: SnapshotBegin, own: Format, nowMs: number): Restore {
    const { stagedBytesMax } = this.options;
    if (begin.bytes > stagedBytesMax)
      throw new WireError(
        "ERR_WIRE_BODY",
        `a snapshot of ${begin.bytes} bytes is announced; this machine has memory for ${stagedBytesMax}`,
      );
    if (this.current !== null && goesOn(this.current, begin, own)) {
      this.current.resume(begin);
      return this.current;
    }
    if (this.current === null) goesOn(null, begin, own);
    this.drop();
    this.keeper?.begin(begin);
    this.current = new Restore(begin, this.target, nowMs);
    return this.current;
  }

  /** A chunk begins. Throws WireError when it is not the next, or one too many. */
  chunkHead(restore: Restore, number: number, payloadBytes: number): void {
    this.checkSize(restore, payloadBytes);
    restore.chunkHead(number, payloadBytes);
  }

  /** More than was announced by far is no snapshot: nobody knows when it would end. */
  private checkSize({ begin, bytes }: Restore, payloadBytes: number): void {
    const announced = ANNOUNCED_TIMES_MAX * begin.bytes + ANNOUNCED_SLACK_BYTES;
    const most = Math.min(announced, this.options.stagedBytesMax);
    if (bytes + payloadBytes <= most) return;
    this.drop();
    throw new WireError(
      "ERR_WIRE_BODY",
      `the snapshot has more than ${most} bytes, and ${begin.bytes} were announced`,
    );
  }

  chunkEnd(digest: number): void {
    const restore = this.current!;
    restore.chunkEnd(digest);
    this.keeper?.keep(restore.nextChunk - 1, digest, restore.payload, restore.begin);
  }

  /** Chunk payload that may be sent beyond what is acknowledged; 0 while the disk is behind. */
  get room(): number {
    if (this.current?.isLoadingKept === true) return 0;
    const waiting = this.keeper?.pendingBytes ?? 0;
    return waiting > KEEPER_BACKLOG_BYTES ? 0 : this.options.windowBytes;
  }

  /** Compares END with what was loaded. Throws WireError or StoreError when they differ. */
  verify(end: SnapshotEnd): Restore {
    const restore = this.current;
    if (restore === null) throw new WireError("ERR_WIRE_STATE", "END without a snapshot");
    try {
      restore.verify(end);
    } catch (error) {
      // Why: its sum is closed, and what was loaded is not what was sent.
      this.drop();
      throw error;
    }
    return restore;
  }

  /** The restore was swapped in: nothing is left to keep. */
  swapped(): void {
    this.current = null;
    this.keeper?.clear();
  }

  drop(): void {
    if (this.current === null) return;
    this.current.discard();
    this.current = null;
    this.keeper?.clear();
  }

  /** The connection is over. */
  park(nowMs: number): void {
    // Why not every time: a dial that fails does not begin the grace anew.
    if (this.current !== null && this.current.parkedAtMs < 0) this.current.parkedAtMs = nowMs;
  }

  /** Lets a restore go that no feeder can still have parked. */
  expire(nowMs: number): void {
    const sinceMs = this.current?.parkedAtMs ?? -1;
    if (sinceMs >= 0 && nowMs - sinceMs >= this.options.parkMs) this.drop();
  }
}

/** A chunk from the file: u32 number and payload at `at`, summed again before it is believed. */
function loadKept(
  restore: Restore,
  bytes: Buffer,
  at: number,
  payloadBytes: number,
  digest: number,
): void {
  const end = at + 4 + payloadBytes;
  if (bytes.readUInt32LE(at) !== restore.nextChunk)
    throw new WireError("ERR_WIRE_STATE", `chunk ${bytes.readUInt32LE(at)} in the part file`);
  if (crc32(bytes, at, end, 0) !== digest)
    throw new WireError("ERR_WIRE_BODY_CRC", `chunk ${restore.nextChunk} of the part file`);
  restore.load(bytes, at + 4, end, digest);
}
