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
import { lengthAt } from "./records.ts";
import type { OrderLog, OrderState } from "./write-deps.ts";
import { bytesOf, type JobQueue, type WriteJob } from "./write-jobs.ts";

/** A group is not joined by more than so many writes, and so many bytes. */
export const GROUP_WRITES_MAX = 1024;
export const GROUP_BYTES_MAX: number = 1024 * 1024;

/** Those that may be one batch. A write whose record the state refuses is no part of it. */
export function takeGroup(queue: JobQueue, state: OrderState): WriteJob[] {
  const group: WriteJob[] = [];
  let bytes = 0;
  for (let job = queue.first; job !== null; job = queue.first) {
    if (job.kind !== "write" || group.length === GROUP_WRITES_MAX) break;
    bytes += job.to - job.from;
    if (group.length > 0 && bytes > GROUP_BYTES_MAX) break;
    queue.shift();
    if (passesCheck(job, state)) group.push(job);
  }
  return group;
}

/** False when the state refuses a record of it; then it is told. */
export function passesCheck({ bytes, from, to, ends }: WriteJob, state: OrderState): boolean {
  try {
    for (let at = from; at < to;) {
      const start = at + RECORD_LENGTH_BYTES;
      at = start + lengthAt(bytes, at);
      state.check(bytes, start, at);
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
    bytes += bytesOf(job);
  }
  try {
    return log.draft(count, bytes, (into, at) => copyGroup(group, into, at));
  } catch (error) {
    for (const { ends } of group) ends.reject(error);
    return null;
  }
}

/** Writes that lie one behind the other, as those of one turn do, in one copy. */
function copyGroup(group: readonly WriteJob[], into: Buffer, at: number): void {
  let next = at;
  for (let i = 0; i < group.length;) {
    const { bytes, from } = group[i]!;
    let { to } = group[i]!;
    for (i++; i < group.length && group[i]!.bytes === bytes && group[i]!.from === to; i++)
      to = group[i]!.to;
    next += bytes.copy(into, next, from, to);
  }
}
