/** One open snapshot of the store: what it sees, and what it pins. */
export class Snapshot {
  /** A record is visible when birth < epoch and (death = 0 or death >= epoch). */
  readonly epoch: number;
  /** Keys at the freeze. */
  readonly records: number;
  /** Estimated chunk payload, bytes. */
  readonly bytes: number;
  #closed = false;

  constructor(epoch: number, records: number, bytes: number) {
    this.epoch = epoch;
    this.records = records;
    this.bytes = bytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Releases what it pinned; idempotent. */
  close(): void {
    this.#closed = true;
  }
}
