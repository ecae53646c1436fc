/**
 * The words that the loop and the log thread share (log/disk/disk-log-messages.ts), and how they sleep.
 *
 *   loop -> thread   sealed, wanted, awaited   wake is counted up when the thread should look
 *   thread -> loop   written, durable, life    moved is counted up when the loop should look
 *                    asleep                    1: nothing but wake makes the thread look
 *
 * An offset needs more than 32 bits: it is a float64 between two counts of a version word. The version
 * is odd while it is written, so a reader that sees it odd, or changed, reads again.
 * Owns: the layout. Does not own: who sleeps when (log-thread.ts, log-worker.ts).
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import type { DiskWord, DiskWords } from "../../log/disk/disk-log-messages.ts";

const WORD = { wake: 0, moved: 1, asleep: 2, version: 3 } as const;
const OFFSET: Readonly<Record<DiskWord, number>> = {
  sealed: 0,
  wanted: 1,
  awaited: 2,
  written: 3,
  durable: 4,
  life: 5,
};
const OFFSETS = 6;
/** Int32 words before the offsets: those above, a version for each offset, and one to align them. */
const WORDS = 10;

export class LogControl implements DiskWords {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #offsets: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS + 8 * OFFSETS)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#offsets = new Float64Array(memory, 4 * WORDS, OFFSETS);
  }

  read(name: DiskWord): number {
    const version = WORD.version + OFFSET[name];
    for (;;) {
      const before = Atomics.load(this.#words, version);
      const value = this.#offsets[OFFSET[name]]!;
      if (before % 2 === 0 && Atomics.load(this.#words, version) === before) return value;
    }
  }

  /** By the one who owns it. */
  write(name: DiskWord, value: number): void {
    const version = WORD.version + OFFSET[name];
    Atomics.add(this.#words, version, 1);
    this.#offsets[OFFSET[name]] = value;
    Atomics.add(this.#words, version, 1);
  }

  // --- the thread sleeps --------------------------------------------------------------------------

  get wakes(): number {
    return Atomics.load(this.#words, WORD.wake);
  }

  /** Sleeps until woken since `wakes` was read, at most `ms`. */
  nap(wakes: number, ms: number): void {
    Atomics.wait(this.#words, WORD.wake, wakes, ms);
  }

  /** As nap(), and says so: who would not wake a thread that looks by itself does now. */
  sleep(wakes: number, ms: number, sealed: number): void {
    Atomics.store(this.#words, WORD.asleep, 1);
    // Why again: who sealed more since `sealed` was read, and saw nobody asleep, woke nobody.
    if (this.read("sealed") === sealed) this.nap(wakes, ms);
    Atomics.store(this.#words, WORD.asleep, 0);
  }

  get isAsleep(): boolean {
    return Atomics.load(this.#words, WORD.asleep) === 1;
  }

  wake(): void {
    Atomics.add(this.#words, WORD.wake, 1);
    Atomics.notify(this.#words, WORD.wake);
  }

  // --- the loop waits -----------------------------------------------------------------------------

  get moves(): number {
    return Atomics.load(this.#words, WORD.moved);
  }

  tellMoved(): void {
    Atomics.add(this.#words, WORD.moved, 1);
    Atomics.notify(this.#words, WORD.moved);
  }

  /** Resolves when something moved since `moves` was read; at once when it has. */
  async untilMoved(moves: number): Promise<void> {
    await Atomics.waitAsync(this.#words, WORD.moved, moves).value;
  }
}
