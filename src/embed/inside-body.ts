/**
 * Whether a call comes from within the body of an update or a transaction. What it would wait for, waits for
 * that body: it has to be refused, or both wait for ever.
 *
 * A body goes on after its awaits, among other code, and only the runtime knows what belongs to it
 * (AsyncLocalStorage). That makes an await anywhere in the process take twice as long on Node 20 while it is
 * switched on (178 ns instead of 83), so it is switched off when no body has run for a turn of the loop, and
 * asked only while one runs: who never calls update() or transact() pays nothing. Who did once goes on with
 * awaits of about 100 ns, and to switch it on and off again takes 5 us.
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
  #isOffDue = false;

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
    if (this.#isOffDue) return;
    this.#isOffDue = true;
    setImmediate(() => {
      this.#isOffDue = false;
      if (this.#mark === null) this.#storage?.disable();
    });
  }

  /** The caller belongs to the body that runs now. */
  get isHere(): boolean {
    return this.#mark !== null && this.#storage!.getStore() === this.#mark;
  }
}
