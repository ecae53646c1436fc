/**
 * The restore that a session has, if any, over connections and, with a keeper, over processes:
 *
 *   none --SNAPSHOT 0--> loading --END verified--> (swap by the session) --> none
 *             kept by an earlier process --> loading from the file --> loading
 *   loading --cut--> parked --SNAPSHOT n--> loading;  parked too long, damaged, replaced --> none
 *
 * Owns: the one Restore, what the keeper is told. Does not own: the swap, the connection (session.ts).
 * Tested in: test/unit/replica/session.test.ts, test/unit/replica/staged-abort.test.ts.
 */
import { WireError } from "../errors.ts";
import { crc32 } from "../wire/crc.ts";
import type { SnapshotBegin, SnapshotEnd } from "../wire/messages.ts";
import type { ChunkKeeper } from "./keeper.ts";
import type { SessionOptions } from "./options.ts";
import type { Loading } from "./loading.ts";
import { goesOn, Restore } from "./restore.ts";
import type { RecordsFormat, StageEstimate } from "../store/state.ts";

/** Chunk bytes that may wait to be written to the keeper's file. */
const KEEPER_BACKLOG_BYTES = 16 * 1024 * 1024;

/** What arrives may be this many times what was announced, and some bytes more: it is an estimate. */
const ANNOUNCED_TIMES_MAX = 2;
const ANNOUNCED_SLACK_BYTES = 64 * 1024 * 1024;

export class Restorer {
  current: Restore | null = null;
  /** It is being swapped in, and will be: it cannot be dropped. */
  isCommitting = false;
  /** What was given up, and is not out of the state yet. */
  private leaving: Loading[] = [];
  private readonly stage: (estimate: StageEstimate) => Loading;
  private readonly options: SessionOptions;
  private readonly keeper: ChunkKeeper | null;

  /** @param stage begins a staged state */
  constructor(
    stage: (estimate: StageEstimate) => Loading,
    options: SessionOptions,
    keeper: ChunkKeeper | null,
  ) {
    this.stage = stage;
    this.options = options;
    this.keeper = keeper;
  }

  /**
   * Takes up what an earlier process kept, and begins to read it.
   * @param done called when all of it is loaded, or with why it cannot be used: it is to be dropped then
   */
  takeUpKept(nowMs: number, done: (error: Error | null) => void): void {
    const kept = this.keeper?.kept ?? null;
    if (kept === null || this.keeper === null || this.current !== null) return;
    const restore = this.open(kept.begin, nowMs, kept.chunks);
    restore.parkedAtMs = nowMs;
    this.current = restore;
    this.keeper.replay(
      (bytes, at, payloadBytes, digest, next) => {
        if (this.current !== restore) {
          next(false);
          return;
        }
        this.checkSize(restore, payloadBytes);
        if (loadKept(restore, bytes, at, payloadBytes, digest, next)) next(true);
        else this.advance();
      },
      (failure) => {
        if (this.current !== restore) return;
        // Why: with fewer chunks than were promised upstream, room would stay 0 for ever.
        const short = restore.isLoadingKept
          ? new Error("chunks are missing in the part file")
          : null;
        done(failure ?? short);
      },
    );
  }

  /** SNAPSHOT: goes on with the present restore, or begins anew. Throws WireError when it is neither. */
  begin(begin: SnapshotBegin, own: RecordsFormat, nowMs: number): Restore {
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
    this.current = this.open(begin, nowMs);
    return this.current;
  }

  private open(begin: SnapshotBegin, nowMs: number, keptChunks = 0): Restore {
    const { records, bytes } = begin;
    return new Restore(begin, this.stage({ records, bytes }), nowMs, keptChunks);
  }

  /** A chunk begins. Throws WireError when it is not the next, or one too many. */
  chunkHead(restore: Restore, number: number, payloadBytes: number): void {
    this.checkSize(restore, payloadBytes);
    restore.chunkHead(number, payloadBytes);
  }

  /** More than was announced by far is no snapshot: nobody knows when it would end. */
  private checkSize({ begin, arrivedBytes: bytes }: Restore, payloadBytes: number): void {
    const announced = ANNOUNCED_TIMES_MAX * begin.bytes + ANNOUNCED_SLACK_BYTES;
    const most = Math.min(announced, this.options.stagedBytesMax);
    if (bytes + payloadBytes <= most) return;
    this.drop();
    throw new WireError(
      "ERR_WIRE_BODY",
      `the snapshot has more than ${most} bytes, and ${begin.bytes} were announced`,
    );
  }

  /** `loaded` is called when it is loaded later. */
  chunkEnd(digest: number, loaded: () => void): void {
    const restore = this.current!;
    const number = restore.arrived;
    let isLater = false;
    restore.chunkEnd(digest, (payload) => {
      this.keeper?.keep(number, digest, payload, restore.begin);
      if (isLater) loaded();
    });
    isLater = true;
    this.advance();
  }

  /** The state may be called: goes on with what waits for it. Throws HawserError what fails at once. */
  advance(): void {
    try {
      for (const loading of this.leaving) loading.advance();
    } finally {
      this.leaving = this.leaving.filter(({ holdsState }) => holdsState);
    }
    if (this.leaving.length === 0) this.current?.loading.advance();
  }

  /** Something is staged, or being given up: nothing may be applied. */
  get holdsState(): boolean {
    return this.isLeaving || this.current?.loading.holdsState === true;
  }

  /** Something that was given up is not out of the state yet. */
  get isLeaving(): boolean {
    return this.leaving.length > 0;
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
      // Why: what was loaded is not what was sent.
      this.drop();
      throw error;
    }
    return restore;
  }

  /** The restore was swapped in, or cannot be any more: nothing is left to keep. */
  over(): void {
    this.current = null;
    this.isCommitting = false;
    this.keeper?.clear();
  }

  /** It is given up, if there is one. Throws HawserError when the state cannot do that, and says so at once. */
  drop(): void {
    const { current } = this;
    if (current === null || this.isCommitting) return;
    current.discard();
    if (current.loading.holdsState) this.leaving.push(current.loading);
    this.current = null;
    this.keeper?.clear();
    this.advance();
  }

  /** What an earlier process kept, and nobody took up, is of no use any more. */
  forgetKept(): void {
    if (this.current === null && this.keeper?.kept != null) this.keeper.clear();
  }

  /** The connection is over. */
  park(nowMs: number): void {
    this.current?.park(nowMs);
  }

  /** Drops a restore that no feeder can still have parked. Throws as drop(). */
  expire(nowMs: number): void {
    const sinceMs = this.current?.parkedAtMs ?? -1;
    if (sinceMs >= 0 && nowMs - sinceMs >= this.options.parkMs) this.drop();
  }
}

/**
 * A chunk from the file: u32 number and payload at `at`, summed again before it is believed.
 * @returns whether it is loaded already; else `next` is told
 */
function loadKept(
  restore: Restore,
  bytes: Buffer,
  at: number,
  payloadBytes: number,
  digest: number,
  next: (isLoaded: boolean) => void,
): boolean {
  const end = at + 4 + payloadBytes;
  if (bytes.readUInt32LE(at) !== restore.arrived)
    throw new WireError("ERR_WIRE_STATE", `chunk ${bytes.readUInt32LE(at)} in the part file`);
  if (crc32(bytes, at, end, 0) !== digest)
    throw new WireError("ERR_WIRE_BODY_CRC", `chunk ${restore.arrived} of the part file`);
  return restore.load(bytes, at + 4, end, digest, next);
}
