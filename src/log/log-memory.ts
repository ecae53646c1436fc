/**
 * Memory of the log: where it comes from, and what is kept of it to be used again.
 *
 * Owns: allocation, the free list. Does not own: what is in it (log-segment.ts), its life
 * (segments.ts).
 * Tested in: test/unit/log/segments.test.ts.
 */
import { LogError } from "../errors.ts";

/** Blocks kept ready; more go to the garbage collector. */
const FREE_MAX = 32;

/**
 * Memory of the log, or of what is to go there.
 * @throws {LogError} ERR_LOG_FULL when there is none
 */
export function logMemory(bytes: number): Buffer {
  return orFull(bytes, () => Buffer.allocUnsafeSlow(bytes));
}

function sharedMemory(bytes: number): Buffer {
  return orFull(bytes, () => Buffer.from(new SharedArrayBuffer(bytes)));
}

function orFull(bytes: number, make: () => Buffer): Buffer {
  try {
    return make();
  } catch (cause) {
    throw new LogError("ERR_LOG_FULL", `no memory for ${bytes} more bytes`, { cause });
  }
}

/** Blocks of one usual size are used again, others are not. */
export class LogMemory {
  readonly usualBytes: number;
  readonly #isShared: boolean;
  readonly #free: Buffer[] = [];

  /** `isShared`: other threads can be given it. */
  constructor(usualBytes: number, isShared = false) {
    this.usualBytes = usualBytes;
    this.#isShared = isShared;
  }

  /** @throws {LogError} ERR_LOG_FULL */
  take(bytes: number): Buffer {
    const free = bytes === this.usualBytes ? this.#free.pop() : undefined;
    return free ?? this.make(bytes);
  }

  /** New memory. @throws {LogError} ERR_LOG_FULL */
  make(bytes: number): Buffer {
    return this.#isShared ? sharedMemory(bytes) : logMemory(bytes);
  }

  /** Nobody reads `block` any more. */
  giveBack(block: Buffer): void {
    if (block.length === this.usualBytes && this.#free.length < FREE_MAX) this.#free.push(block);
  }
}
