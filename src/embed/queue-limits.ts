/**
 * How long a write may wait for its turn: until its signal aborts, or its time is over. From then on it is
 * under way, and neither can stop it: what becomes of it is what it becomes.
 *
 * Owns: the signal and the timer of one write. Does not own: the queue (bridge/write-order.ts).
 * Tested in: test/unit/embed/replicated-node.test.ts.
 */
import { NodeError } from "../errors.ts";
import type { Wait } from "../bridge/seam.ts";
import type { Job } from "../bridge/write-jobs.ts";
import { TIMER_MS_MAX } from "../node/await-turn.ts";
import { limitsOf } from "./waits.ts";

/** What a queue of jobs can do for one. */
export interface LeavableQueue {
  /** It waited, and is forgotten; false when its turn had come. */
  leave(job: Job): boolean;
}

/**
 * The same job, which leaves the queue by itself; null when it was over before it began: then it is told.
 * @throws {ArgumentError} for a signal or a time that is none
 */
export function limitQueueing<J extends Job>(queue: LeavableQueue, job: J, wait: Wait): J | null {
  const { signal, timeoutMs } = limitsOf(`${job.kind}()`, wait);
  if (signal?.aborted === true) {
    job.ends.reject(signal.reason);
    return null;
  }
  let timer: NodeJS.Timeout | null = null;
  const leaveAlone = (): void => {
    if (timer !== null) clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  const ends = {
    resolve: (value: never): void => {
      leaveAlone();
      job.ends.resolve(value);
    },
    reject: (why: unknown): void => {
      leaveAlone();
      job.ends.reject(why);
    },
  };
  const limited = { ...job, ends };
  const giveUp = (why: unknown): void => {
    if (queue.leave(limited)) ends.reject(why);
  };
  const onAbort = (): void => giveUp(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX)
    timer = setTimeout(() => {
      giveUp(
        new NodeError("ERR_TIMEOUT", `${job.kind}() had waited for its turn for ${timeoutMs} ms`),
      );
    }, timeoutMs);
  return limited;
}
