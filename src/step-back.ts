/**
 * A thread that works for later gives way to the loop that serves clients now.
 * Tested in: test/unit/threads.test.ts.
 */
import { readlinkSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";

/**
 * Nice values. Beside others a thread has a tenth of the weight of the one that serves clients: with a
 * third the scheduler let that one wait up to a fifth of its time, beside two serializers on two
 * processors; with less a ship starves where other programs keep all processors busy. On a single
 * processor it must still make progress beside a loop that is never idle: a third.
 */
export const NICE = 10;
export const NICE_ALONE = 5;

/** Lets the loop that serves clients go first. On Linux a nice value belongs to one thread. */
export function stepBack(): void {
  try {
    const thread = readlinkSync("/proc/thread-self").split("/").at(-1);
    setPriority(Number(thread), availableParallelism() > 1 ? NICE : NICE_ALONE);
  } catch {
    // Another system: all threads are equal.
  }
}
