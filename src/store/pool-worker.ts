/**
 * One serializer thread as the pool sees it: starts with its first job, does one at a time, and is
 * replaced by a new thread after a crash.
 *
 *   idle --job--> busy --done | digested | stopped | failed--> idle
 *                   +---- crash (error, exit), no thread -----> no thread; idle at the next job
 *
 * An idle thread does not keep the process alive, a busy one unless setRef() said otherwise.
 * Owns: the thread, sending segments in slices. Does not own: which job comes next (pool.ts).
 * Tested in: test/unit/store/pool.test.ts.
 */
import assert from "node:assert/strict";
import type { Worker } from "node:worker_threads";
import type { Threads } from "../threads.ts";
import type { Snapshot } from "./snapshot.ts";
import type { FromWorker, Job, ToWorker } from "./worker-protocol.ts";

/** Buffers in one message and turn of the loop: sending one costs about a microsecond. */
const SEGMENTS_PER_TURN = 64;

/** A job with the ways to hear of it. */
export interface PoolJob {
  /** Called when it starts. */
  message(): Job;
  readonly snapshot: Snapshot;
  /** Wakes the worker when segments were sent to it. */
  signal(): void;
  /** A ring slot was filled. */
  ready(): void;
  /** The worker has finished the job. */
  ended(result: Exclude<FromWorker, { kind: "ready" }>): void;
}

export interface PoolWorkerDeps {
  readonly threads: Threads;
  /** It can take another job. */
  readonly idle: () => void;
  /** The thread did not start, or fell. */
  readonly onFailed: (why: string) => void;
}

export class PoolWorker {
  readonly #deps: PoolWorkerDeps;
  #thread: Worker | null = null;
  #job: PoolJob | null = null;
  #isRef = true;

  constructor(deps: PoolWorkerDeps) {
    this.#deps = deps;
  }

  get busy(): boolean {
    return this.#job !== null;
  }

  start(job: PoolJob): void {
    assert(this.#job === null, "one job at a time");
    this.#job = job;
    let thread: Worker;
    try {
      thread = this.#thread ?? this.#spawn();
      if (this.#isRef) thread.ref();
      else thread.unref();
      const message = job.message();
      thread.postMessage(message satisfies ToWorker);
    } catch (error) {
      // The system gave no thread (EAGAIN) or no memory. Why later: who asked hears of nothing from
      // inside its own call.
      setImmediate(() => this.#fail(job, `the worker did not start: ${String(error)}`));
      return;
    }
    this.#sendSegments(thread, job, 0);
  }

  /** Whether a job keeps the process alive. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (this.#job === null) return;
    if (isRef) this.#thread?.ref();
    else this.#thread?.unref();
  }

  #fail(job: PoolJob, reason: string): void {
    if (this.#job !== job) return;
    this.#deps.onFailed(reason);
    this.#end({ kind: "failed", reason });
  }

  /** Ends the thread; a job that it has ends with "failed". */
  async close(reason: string): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (thread !== null) await thread.terminate();
    this.#end({ kind: "failed", reason });
  }

  #spawn(): Worker {
    const thread = this.#deps.threads.start("serializer");
    this.#thread = thread;
    thread.on("message", (message: FromWorker) => this.#onMessage(thread, message));
    thread.on("error", (error) => this.#onCrash(thread, `worker crashed: ${String(error)}`));
    thread.on("messageerror", (error) => this.#abandon(thread, `a message was lost: ${error}`));
    thread.on("exit", (code) => this.#onCrash(thread, `worker exited with code ${code}`));
    return thread;
  }

  #sendSegments(thread: Worker, job: PoolJob, from: number): void {
    if (this.#thread !== thread || this.#job !== job) return;
    const segments = job.snapshot.segments.slice(from, from + SEGMENTS_PER_TURN);
    if (segments.length === 0) return;
    try {
      thread.postMessage({
        kind: "segments",
        buffers: segments.map((segment) => segment.words.buffer as unknown as SharedArrayBuffer),
        slotBytes: segments.map((segment) => segment.slotBytes),
        slots: segments.map((segment) => segment.slots),
      } satisfies ToWorker);
    } catch (error) {
      // It waits for what will not come.
      this.#abandon(thread, `the worker was not sent its segments: ${String(error)}`);
      return;
    }
    job.signal();
    setImmediate(() => this.#sendSegments(thread, job, from + SEGMENTS_PER_TURN));
  }

  #onMessage(thread: Worker, message: FromWorker): void {
    if (this.#thread !== thread) return;
    if (message.kind === "ready") this.#job?.ready();
    else this.#end(message);
  }

  /** Ends a thread that is of no more use; its job fails in a later turn. */
  #abandon(thread: Worker, reason: string): void {
    void thread.terminate();
    setImmediate(() => this.#onCrash(thread, reason));
  }

  #onCrash(thread: Worker, reason: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#deps.onFailed(reason);
    this.#end({ kind: "failed", reason });
  }

  #end(result: Exclude<FromWorker, { kind: "ready" }>): void {
    const job = this.#job;
    this.#job = null;
    this.#thread?.unref();
    job?.ended(result);
    this.#deps.idle();
  }
}
