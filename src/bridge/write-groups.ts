/**
 * Which of the writes that wait become one batch, and the draft of it.
 *
 * A write whose record the state refuses is no part of a group: it rejects, alone. When the log has no room
 * for a group, all of it rejects.
 *
 * Owns: that. Does not own: the queue (write-jobs.ts), when a group begins and what becomes of it
 * (write-order.ts), batches (log/draft.ts).
 * Tested in: test/unit/bridge/write-order.test.ts.
 */
import type { Draft } from "../log/draft.ts";
import { RECORD_LENGTH_BYTES } from "../wire/frame.ts";
import type { OrderLog, OrderState } from "./write-deps.ts";
import type { JobQueue, WriteJob } from "./write-jobs.ts";

/** A group is not joined by more than so many writes, and so many bytes. */
export const GROUP_WRITES_MAX = 1024;
export const GROUP_BYTES_MAX: number = 1024 * 1024;

/** Those that may be one batch. A write whose record the state refuses is no part of it. */
export function takeGroup(queue: JobQueue, state: OrderState): WriteJob[] {
  const group: WriteJob[] = [];
  let bytes = 0;
  for (let job = queue.first; job !== null; job = queue.first) {
    if (job.kind !== "write" || group.length === GROUP_WRITES_MAX) break;
    bytes += job.payload.length;
    if (group.length > 0 && bytes > GROUP_BYTES_MAX) break;
    queue.shift();
    if (passesCheck(job, state)) group.push(job);
  }
  return group;
}

/** False when the state refuses a record of it; then it is told. */
export function passesCheck({ count, payload, ends }: WriteJob, state: OrderState): boolean {
  try {
    for (let at = 0, n = 0; n < count; n++) {
      const from = at + RECORD_LENGTH_BYTES;
      at = from + payload.readUInt32LE(at);
      state.check(payload, from, at);
    }
    return true;
  } catch (error) {
    ends.reject(error);
    return false;
  }
}

/** Null when the log has no room; then they are told. */
export function draftGroup(log: OrderLog, group: readonly WriteJob[]): Draft | null {
  let count = 0;
  let bytes = 0;
  for (const job of group) {
    count += job.count;
    bytes += job.payload.length;
  }
  try {
    return log.draft(count, bytes, (into, at) => {
      let to = at;
      for (const { payload } of group) to += payload.copy(into, to);
    });
  } catch (error) {
    for (const { ends } of group) ends.reject(error);
    return null;
  }
}
