/**
 * Memory of the log: where it comes from, and what is kept of it to be used again.
 *
 * A disk that was slow for a moment leaves many free blocks. Few are kept: the rest goes to whoever else
 * uses blocks of this size (the state), and comes from there first.
 *
 * Owns: allocation, the free list. Does not own: what is in it (log-segment.ts), its life
 * (segments.ts).
 * Tested in: test/unit/log/segments.test.ts.
 */
import { LogError } from "../errors.ts";

/** Blocks kept ready; more go to the garbage collector. */
const FREE_MAX = 32;
/** As many, where others take what is more. */
const FREE_MAX_SPARED = 2;

/** Somebody who has use for free blocks, and may have some. */
export interface SpareMemory {
  /** All blocks have this length. */
  readonly segmentBytes: number;
  /** Null when none is free. */
  lend(): SharedArrayBuffer | null;
  adopt(block: SharedArrayBuffer): void;
}

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
  readonly #spare: SpareMemory | null;
  readonly #free: Buffer[] = [];

  /** `isShared`: other threads can be given it, and `spare` has its free blocks, if it has use for them. */
  constructor(usualBytes: number, isShared = false, spare: SpareMemory | null = null) {
    this.usualBytes = usualBytes;
    this.#isShared = isShared;
    this.#spare = isShared && spare?.segmentBytes === usualBytes ? spare : null;
  }

  /** @throws {LogError} ERR_LOG_FULL */
  take(bytes: number): Buffer {
    if (bytes !== this.usualBytes) return this.make(bytes);
    return this.#free.pop() ?? this.#lent() ?? this.make(bytes);
  }

  #lent(): Buffer | null {
    const block = this.#spare?.lend() ?? null;
    return block === null ? null : Buffer.from(block);
  }

  /** New memory. @throws {LogError} ERR_LOG_FULL */
  make(bytes: number): Buffer {
    return this.#isShared ? sharedMemory(bytes) : logMemory(bytes);
  }

  /** Nobody reads `block` any more. */
  giveBack(block: Buffer): void {
    if (block.length !== this.usualBytes) return;
    const spare = this.#spare;
    if (this.#free.length < (spare === null ? FREE_MAX : FREE_MAX_SPARED)) this.#free.push(block);
    else spare?.adopt(block.buffer as SharedArrayBuffer);
  }
}
