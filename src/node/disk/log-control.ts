/**
 * The words that the loop and the log thread share. Each word has one writer.
 *
 *   loop -> thread   sealed, wanted       offsets; wake is counted up when the thread should look
 *   thread -> loop   written, durable     offsets; moved is counted up when the loop should look
 *                    asleep               1: nothing but wake makes the thread look
 *                    trouble              0 none, else an index into TROUBLES
 *
 * An offset needs more than 32 bits: it is a float64 between two counts of a version word. The version
 * is odd while it is written, so a reader that sees it odd, or changed, reads again.
 * Owns: the layout. Does not own: who sleeps when (log-thread.ts, log-worker.ts).
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import type { DiskErrorCode } from "../../errors.ts";

const WORD = { wake: 0, moved: 1, asleep: 2, trouble: 3, version: 4 } as const;
const OFFSET = { sealed: 0, wanted: 1, written: 2, durable: 3 } as const;
const OFFSETS = 4;
/** Int32 words before the offsets: those above, and a version for each offset. */
const WORDS = WORD.version + OFFSETS;

export type OffsetName = keyof typeof OFFSET;

/** By number. */
const TROUBLES: readonly (DiskErrorCode | null)[] = [
  null,
  "ERR_DISK_FULL",
  "ERR_DISK_WRITE",
  "ERR_DISK_SYNC",
  "ERR_DISK_READ",
];

export class LogControl {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #offsets: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS + 8 * OFFSETS)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#offsets = new Float64Array(memory, 4 * WORDS, OFFSETS);
  }

  read(name: OffsetName): number {
    const version = WORD.version + OFFSET[name];
    for (;;) {
      const before = Atomics.load(this.#words, version);
      const value = this.#offsets[OFFSET[name]]!;
      if (before % 2 === 0 && Atomics.load(this.#words, version) === before) return value;
    }
  }

  /** By the one who owns it. */
  write(name: OffsetName, value: number): void {
    const version = WORD.version + OFFSET[name];
    Atomics.add(this.#words, version, 1);
    this.#offsets[OFFSET[name]] = value;
    Atomics.add(this.#words, version, 1);
  }

  get trouble(): DiskErrorCode | null {
    return TROUBLES[Atomics.load(this.#words, WORD.trouble)] ?? null;
  }

  set trouble(code: DiskErrorCode | null) {
    Atomics.store(this.#words, WORD.trouble, Math.max(0, TROUBLES.indexOf(code)));
  }

  // --- the thread sleeps --------------------------------------------------------------------------

  get wakes(): number {
    return Atomics.load(this.#words, WORD.wake);
  }

  /** Sleeps until woken since `wakes` was read, at most `ms`. With `soundly`, sleepers are woken alone. */
  sleep(wakes: number, ms: number, soundly: boolean): void {
    if (soundly) Atomics.store(this.#words, WORD.asleep, 1);
    // What was sealed before `asleep` was seen counted a wake up, or is seen at the next look.
    Atomics.wait(this.#words, WORD.wake, wakes, ms);
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
