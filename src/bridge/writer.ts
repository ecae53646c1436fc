/**
 * A public state as the order of a primary's writes calls it (write-deps.ts): one draft at a time, in line
 * with all other calls.
 *
 * Owns: those calls, which failure leaves it as it was. Does not own: the order (write-order.ts), where it is
 * after a failure (kept.ts), the line (line.ts).
 * Tested in: test/unit/bridge/writer.test.ts.
 */
import { StoreError } from "../errors.ts";
import type { Draft } from "../log/draft.ts";
import type { KeptState } from "./kept.ts";
import { after, isLater, type StateLine } from "./line.ts";
import { LogBatch, type MarkWriter } from "./records.ts";
import type { Awaitable, Mark, ReplicatedState, StateLog } from "./seam.ts";
import type { OrderState, StateAnswer, StateFailure } from "./write-deps.ts";

export class BridgeWriter implements OrderState {
  readonly #state: ReplicatedState;
  readonly #kept: KeptState;
  readonly #line: StateLine;
  readonly #marks: MarkWriter;

  constructor(state: ReplicatedState, kept: KeptState, line: StateLine, marks: MarkWriter) {
    this.#state = state;
    this.#kept = kept;
    this.#line = line;
    this.#marks = marks;
  }

  /** It is changed through methods of its own, and applies within the call. */
  get binds(): boolean {
    return this.#state.bind !== undefined;
  }

  get transacts(): boolean {
    return this.#state.transact !== undefined;
  }

  /** Changes of its own go into `log`; null: it refuses them. */
  bind(log: StateLog | null): void {
    this.#state.bind?.(log);
  }

  /** A method of its own has changed the state: something is in it, as far as is known. */
  readonly onOwnChange = (): void => {
    this.#kept.isEmpty = false;
  };

  check(bytes: Buffer, from: number, to: number): void {
    this.#state.check?.(bytes, from, to);
  }

  apply({ bytes, from, to }: Draft, answer: StateAnswer): void {
    this.#tell(
      () => this.#line.call(() => this.#kept.apply(new LogBatch(bytes, from, to, this.#marks))),
      answer,
    );
  }

  transact(run: (tx: unknown) => Awaitable<Draft | null>, answer: StateAnswer): void {
    const marked = (draft: Draft | null): Mark | null =>
      draft === null ? null : this.#marks.markAt(draft.end, draft.chain, draft.clockMs);
    this.#tell(
      () => this.#line.call(() => this.#kept.transact((tx) => after(run(tx), marked))),
      answer,
    );
  }

  #tell(call: () => Awaitable<void>, answer: StateAnswer): void {
    let answered: Awaitable<void>;
    try {
      answered = call();
    } catch (error) {
      answer(failureOf(error));
      return;
    }
    if (!isLater(answered)) answer(null);
    else
      answered.then(
        () => answer(null),
        (error: unknown) => answer(failureOf(error)),
      );
  }
}

function failureOf(error: unknown): StateFailure {
  const isSuspect = error instanceof StoreError && error.code === "ERR_STORE_FAILED";
  return { kind: isSuspect ? "suspect" : "unchanged", error };
}
