/**
 * A log for a state that binds: what is reserved and not undone counts at once.
 *
 * Owns: the records, as whoever replays them sees them. Does not own: which there must be (checks/own.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import { HawserError } from "../errors.ts";
import type { StateLog } from "../bridge/seam.ts";

/** Before what is reserved, as a log has it. */
const BEFORE_BYTES = 24;

export class MemoryLog implements StateLog {
  memory: Buffer = Buffer.alloc(0);
  /** It takes nothing. */
  isFull = false;
  readonly #taken: { memory: Buffer; at: number; bytes: number }[] = [];

  reserve(bytes: number): number {
    if (this.isFull) throw new HawserError("ERR_LOG_FULL", "no memory, as the check has it");
    // Other memory each time, so that who keeps the old one writes into nothing.
    this.memory = Buffer.alloc(BEFORE_BYTES + bytes + 8, 0xee);
    this.#taken.push({ memory: this.memory, at: BEFORE_BYTES, bytes });
    return BEFORE_BYTES;
  }

  undo(): void {
    this.#taken.pop();
  }

  append(record: Uint8Array): void {
    const at = this.reserve(record.length);
    this.memory.set(record, at);
  }

  get records(): Buffer[] {
    return this.#taken.map(({ memory, at, bytes }) => memory.subarray(at, at + bytes));
  }

  get length(): number {
    return this.#taken.length;
  }

  /** What was written beyond a record's end; null when nothing was. */
  get left(): string | null {
    const beyond = this.#taken.some(({ memory, at, bytes }) =>
      memory.subarray(at + bytes).some((byte) => byte !== 0xee),
    );
    return beyond ? "bytes were written behind what was reserved" : null;
  }
}
