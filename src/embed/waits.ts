/**
 * What whoever embeds a node waits for: each wait ends by itself, by its signal, by its time limit, by
 * close(), or at once when what it waits for can never come.
 *
 *              holds() at the end of a turn              resolves
 *   waiting -- holds() throws: it can never hold ------> rejects with that
 *              the signal                                rejects with the signal's reason
 *              timeoutMs                                 rejects with ERR_TIMEOUT
 *              close()                                   rejects with ERR_CLOSED, as every later wait
 *
 * Whatever ends it, nothing of it is left: no listener, timer or place in the turn. A wait with a time limit
 * keeps the process alive as long as a timer of Node does; one without does not by itself.
 * Owns: who waits, limits. Does not own: what is waited for, the turn that tells (node/turn.ts).
 */
import { ArgumentError, NodeError } from "../errors.ts";
import type { Wait } from "../bridge/seam.ts";
import { TIMER_MS_MAX } from "../node/await-turn.ts";
import type { Turn } from "../node/turn.ts";
import { countOf } from "./bytes.ts";

export type { Wait } from "../bridge/seam.ts";

/**
 * Resolves at the end of the first turn at which `holds()`, at once when it does already; rejects with what
 * `holds()` throws, and when the wait ends in another way. One at a time.
 */
export type Until = (holds: () => boolean) => Promise<void>;

/** The waits of one embedded node. */
export class Waits {
  readonly #turn: Pick<Turn, "until">;
  readonly #pending = new Set<Waiting>();
  readonly #who: string;
  #isClosed = false;

  /** @param who  whom messages say was closed: "this primary" */
  constructor(turn: Pick<Turn, "until">, who: string) {
    this.#turn = turn;
    this.#who = who;
  }

  /**
   * Runs `body`, which waits by the `until` that it is given and by nothing else.
   * @param what  for messages: "synced()"
   * @throws what `body` throws; the signal's reason; {HawserError} ERR_ARGUMENT for a signal or time that is
   *   none, ERR_TIMEOUT, ERR_CLOSED
   */
  async run<T>(
    what: string,
    wait: Wait | undefined,
    body: (until: Until) => T | Promise<T>,
  ): Promise<T> {
    const limits = limitsOf(what, wait);
    this.needOpen();
    limits.signal?.throwIfAborted();
    const waiting = new Waiting(this.#turn, what, limits);
    this.#pending.add(waiting);
    try {
      return await body((holds) => waiting.until(holds));
    } finally {
      this.#pending.delete(waiting);
      waiting.leave();
    }
  }

  /** Waits for one thing. @throws as run() */
  until(what: string, wait: Wait | undefined, holds: () => boolean): Promise<void> {
    return this.run(what, wait, (until) => until(holds));
  }

  /** @throws {NodeError} ERR_CLOSED after close() */
  needOpen(): void {
    if (this.#isClosed) throw this.#closedError();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** All that wait are told now, and whoever comes later at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const waiting of [...this.#pending]) waiting.end(this.#closedError());
  }

  #closedError(): NodeError {
    return new NodeError("ERR_CLOSED", `${this.#who} was closed`);
  }
}

/** One wait: of each of its until()s the end, whichever comes first. */
class Waiting {
  readonly #turn: Pick<Turn, "until">;
  readonly #what: string;
  readonly #limits: Wait;
  #timer: NodeJS.Timeout | null = null;
  #isArmed = false;
  /** Why it ended early: whatever it waits for from then on rejects. */
  #ended: { readonly why: unknown } | null = null;
  #reject: ((why: unknown) => void) | null = null;
  #cancel: () => void = () => undefined;

  constructor(turn: Pick<Turn, "until">, what: string, limits: Wait) {
    this.#turn = turn;
    this.#what = what;
    this.#limits = limits;
  }

  async until(holds: () => boolean): Promise<void> {
    if (this.#ended !== null) throw this.#ended.why;
    if (holds()) return;
    this.#arm();
    const failed: unknown[] = [];
    // Why caught: in the middle of a turn, whose other waits it must not stop.
    const isOver = (): boolean => {
      try {
        return holds();
      } catch (why) {
        return failed.push(why) > 0;
      }
    };
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      this.#cancel = this.#turn.until(isOver, resolve);
    });
    if (failed.length > 0) throw failed[0];
  }

  /** It is over before what it waits for came. */
  end(why: unknown): void {
    this.#ended ??= { why };
    this.#cancel();
    this.#reject?.(why);
  }

  leave(): void {
    this.#cancel();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#limits.signal?.removeEventListener("abort", this.#onAbort);
  }

  /** From the first time that it really has to wait. */
  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    const { signal, timeoutMs } = this.#limits;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs === undefined || timeoutMs > TIMER_MS_MAX) return;
    this.#timer = setTimeout(() => {
      this.end(new NodeError("ERR_TIMEOUT", `${this.#what} did not end within ${timeoutMs} ms`));
    }, timeoutMs);
  }

  readonly #onAbort = (): void => this.end(this.#limits.signal?.reason);
}

/** Signal and time limit of `what`, checked. @throws {ArgumentError} */
export function limitsOf(what: string, wait: unknown = {}): Wait {
  if (typeof wait !== "object" || wait === null)
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `${what}: a wait is given as { signal, timeoutMs }, not as ${typeof wait}`,
    );
  const { signal, timeoutMs } = wait as { readonly signal?: unknown; readonly timeoutMs?: unknown };
  if (signal !== undefined && !isSignal(signal))
    throw new ArgumentError("ERR_ARGUMENT", `${what}: signal is no AbortSignal`);
  if (timeoutMs !== undefined) countOf("timeoutMs", timeoutMs as number);
  return wait;
}

/** Why not instanceof: test runners and frames have an AbortSignal of their own. */
function isSignal(signal: unknown): boolean {
  const { aborted, addEventListener } = (signal ?? {}) as Partial<Record<string, unknown>>;
  return typeof aborted === "boolean" && typeof addEventListener === "function";
}
