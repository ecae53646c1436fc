/**
 * The calls of a public state stand in line: one runs at a time, in the order in which they were asked for.
 *
 *   idle --call--> running --answered--> the next one, else idle
 *
 * One that finds nobody before it is made at once, and what it answers at once is returned as it is: no
 * promise, no microtask. Reads of a Frozen and sync() do not stand in line.
 * Owns: the line. Does not own: the calls.
 */
import type { Awaitable } from "./seam.ts";

export class StateLine {
  #isBusy = false;
  readonly #waiting: (() => void)[] = [];

  /** Nothing runs, and nothing waits. */
  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** What `ask` answers or throws, once it was its turn. */
  call<T>(ask: () => Awaitable<T>): Awaitable<T> {
    if (!this.#isBusy) return this.#begin(ask);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(this.#begin(ask));
        } catch (error) {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the state's own
          reject(error);
        }
      });
    });
  }

  #begin<T>(ask: () => Awaitable<T>): Awaitable<T> {
    this.#isBusy = true;
    let answer: Awaitable<T>;
    try {
      answer = ask();
    } catch (error) {
      this.#end();
      throw error;
    }
    if (!isLater(answer)) {
      this.#end();
      return answer;
    }
    // Why here: the next call begins when this one is answered, before anybody hears of it.
    return Promise.resolve(answer).finally(() => this.#end());
  }

  #end(): void {
    this.#isBusy = false;
    this.#waiting.shift()?.();
  }
}

/** It is answered later. A state may have promises of its own kind. */
export function isLater<T>(answer: Awaitable<T>): answer is Promise<T> {
  return answer instanceof Promise || isThenable(answer);
}

function isThenable(answer: unknown): boolean {
  return (
    typeof answer === "object" &&
    answer !== null &&
    typeof (answer as { then?: unknown }).then === "function"
  );
}

/** `then` of a promise, or at once. */
export function after<T, R>(answer: Awaitable<T>, then: (value: T) => Awaitable<R>): Awaitable<R> {
  return isLater(answer) ? answer.then(then) : then(answer);
}
