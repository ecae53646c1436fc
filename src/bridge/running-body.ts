/**
 * The body of an update or a transaction while it runs: what it logged, what it gave, why it failed.
 *
 * Owns: that it runs once, and logs nothing after its end. Does not own: when it runs (write-order.ts).
 * Tested in: test/unit/bridge/write-order.test.ts.
 */
import assert from "node:assert/strict";
import type { Draft } from "../log/draft.ts";
import type { Awaitable } from "./seam.ts";
import type { OrderLog } from "./write-deps.ts";
import type { BodyJob, LoggedRecords } from "./write-jobs.ts";

export class RunningBody {
  readonly job: BodyJob;
  value: unknown = undefined;
  /** What the body threw. */
  failure: { readonly error: unknown } | null = null;
  readonly #logged: LoggedRecords;
  readonly #onEnd: () => void;
  #hasRun = false;

  constructor(job: BodyJob, logged: LoggedRecords, onEnd: () => void) {
    this.job = job;
    this.#logged = logged;
    this.#onEnd = onEnd;
  }

  run(tx: unknown): Awaitable<unknown> {
    assert(!this.#hasRun, "a body runs once");
    this.#hasRun = true;
    try {
      const ran = this.job.body(tx, this.#logged.log);
      // Why resolved first: what a body returns may be no Promise of ours.
      return isPromise(ran)
        ? Promise.resolve(ran).catch((error: unknown) => this.#fail(error))
        : ran;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.failure = { error };
    this.#logged.end();
    this.#onEnd();
    throw error;
  }

  ended(value: unknown): void {
    this.value = value;
    this.#logged.end();
    this.#onEnd();
  }

  /** Null when nothing was logged. @throws {LogError} */
  draft(log: OrderLog): Draft | null {
    const payload = this.#logged.end();
    if (this.#logged.count === 0) return null;
    return log.draft(
      this.#logged.count,
      payload.length,
      (bytes, at) => void payload.copy(bytes, at),
    );
  }
}

/** It is answered later. What a body returns may be a promise of another kind. */
export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return typeof (value as Promise<T> | null | undefined)?.then === "function";
}
