/**
 * Whether a call comes from within the body of an update or a transaction. What it would wait for, waits for
 * that body: it has to be refused, or both wait for ever.
 *
 * A body goes on after its awaits, among other code, and only the runtime knows what belongs to it
 * (AsyncLocalStorage). That makes promises of the whole process slower on Node 20 and 22 for as long as it
 * is switched on, so it is switched on while a body runs, and asked only then: who never calls update() or
 * transact() pays nothing.
 *
 * Owns: the mark of the body that runs, of which there is one at a time. Does not own: when bodies run
 * (bridge/write-order.ts).
 * Tested in: test/unit/embed/inside-body.test.ts.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export class InsideBody {
  #storage: AsyncLocalStorage<object> | null = null;
  /** Of the body that runs now; null while none does. */
  #mark: object | null = null;

  /** Runs a body, or its beginning; it is over when over() is called. */
  run<T>(body: () => T): T {
    const storage = (this.#storage ??= new AsyncLocalStorage<object>());
    const mark = {};
    this.#mark = mark;
    return storage.run(mark, body);
  }

  /** The body has ended. */
  over(): void {
    if (this.#mark === null) return;
    this.#mark = null;
    this.#storage?.disable();
  }

  /** The caller belongs to the body that runs now. */
  get isHere(): boolean {
    return this.#mark !== null && this.#storage!.getStore() === this.#mark;
  }
}
