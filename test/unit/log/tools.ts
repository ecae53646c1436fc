/** Logs for tests: a primary's backlog with batches of known sizes, and a replica's fed from it. */
import { Backlog, type BacklogOptions } from "../../../src/log/backlog.ts";
import type { Cursor } from "../../../src/log/cursor.ts";
import { BATCH_HEAD_BYTES, batchLength, chainStart } from "../../../src/wire/frame.ts";

export const HISTORY = "0123456789abcdef0123456789abcdef";
export const CHAIN_0: number = chainStart(HISTORY);
/** Bytes of a batch beyond its one record. */
export const BATCH_EXTRA: number = BATCH_HEAD_BYTES + 4;

export class Clock {
  ms = 1_000_000;
  readonly now = (): number => this.ms;
}

export function makeBacklog(options: Partial<BacklogOptions> = {}, chain = CHAIN_0): Backlog {
  return new Backlog(0, chain, {
    sizeBytes: 1024,
    segmentBytes: 256,
    clock: () => 1_000_000,
    ...options,
  });
}

/** Appends one record of `length` bytes, all `fill`. */
export function append(log: Backlog, length: number, fill = 0x61): void {
  const at = log.append(length);
  log.bytes.fill(fill, at, at + length);
}

/** Appends and seals: one batch of exactly `bytes` bytes. */
export function batch(log: Backlog, bytes: number, fill = 0x61): void {
  append(log, bytes - BATCH_EXTRA, fill);
  log.seal();
}

/** Copies of all batches in the visible log from `offset` on, a boundary. */
export function batchesFrom(log: Backlog, offset: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = offset; at < log.next;) {
    const segment = log.segmentAt(at);
    const index = at - segment.start;
    const length = batchLength(segment.bytes, index);
    found.push(Buffer.from(segment.bytes.subarray(index, index + length)));
    at += length;
  }
  return found;
}

/** Bytes that a cursor finds at its place. */
export function available(cursor: Cursor): number {
  return cursor.look() === "bytes" ? cursor.bytesHere : 0;
}

export function tooOld(cursor: Cursor): boolean {
  return cursor.look() === "too_old";
}

/** Receives a batch as a session does, in pieces of at most `piece` bytes, without its last `cut` bytes. */
export function receive(log: Backlog, whole: Buffer, piece = whole.length, cut = 0): void {
  const length = batchLength(whole, 0);
  log.receiveHead(whole, 0, length);
  const end = length - cut;
  for (let at = BATCH_HEAD_BYTES; at < end; at += piece)
    log.receiveBytes(whole, at, Math.min(end, at + piece));
  if (cut === 0) log.receiveEnd();
}

export function commitAll(log: Backlog): number {
  let count = 0;
  for (; log.pending() !== null; count++) log.commit();
  return count;
}
