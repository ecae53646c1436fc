/**
 * The log for a state that binds: what its own methods change is appended to the open batch in the same turn.
 *
 * A record that was reserved is in the log unless it is taken back before the turn is over. What a long turn
 * appended is published at the next append, never between a reserve() and the bytes that are put there.
 *
 * Owns: that. Does not own: the open batch (log/open-batch.ts), when changes are welcome.
 * Tested in: test/unit/bridge/bound-log.test.ts.
 */
import assert from "node:assert/strict";
import type { StateLog } from "./seam.ts";

/** The log of a node that leads; log/backlog.ts. */
export interface BoundBacklog {
  readonly bytes: Buffer;
  append(length: number): number;
  unappend(length: number): void;
}

export class BoundLog implements StateLog {
  readonly #log: BoundBacklog;
  readonly #turn: { appended(): void; readonly want: () => void };
  readonly #refusal: () => Error | null;
  readonly #onChange: () => void;
  /** Bytes of what was reserved last; -1 when that cannot be taken back. */
  #newest = -1;

  /**
   * @param refusal  why nothing may be changed now; null when it may
   * @param onChange a change is in the log
   */
  constructor(
    log: BoundBacklog,
    turn: { appended(): void; readonly want: () => void },
    refusal: () => Error | null,
    onChange: () => void,
  ) {
    this.#onChange = onChange;
    this.#log = log;
    this.#turn = turn;
    this.#refusal = refusal;
  }

  get memory(): Buffer {
    return this.#log.bytes;
  }

  reserve(bytes: number): number {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    this.#turn.appended();
    const at = this.#log.append(bytes);
    this.#newest = bytes;
    this.#turn.want();
    this.#onChange();
    return at;
  }

  undo(): void {
    assert(this.#newest >= 0, "there is no reserve() to undo");
    this.#log.unappend(this.#newest);
    this.#newest = -1;
  }

  append(record: Uint8Array): void {
    const at = this.reserve(record.length);
    this.#newest = -1;
    this.#log.bytes.set(record, at);
  }
}
