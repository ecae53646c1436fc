/**
 * Finds out that a stored batch of the upstream is damaged, and not the way here: what arrives at one
 * place of the log is wrong again.
 *
 *   batch at 4096 fails -> fetched again -> fails again -> the state is asked for instead, as a snapshot
 *
 * A wrong chain counts whatever it is. Other errors may come from any frame between two batches, so
 * they count when they are the very same ones: a damaged head is, a flipped bit in a PING is not.
 *
 * Owns: the count. Does not own: what is done about it (session.ts).
 * Tested in: test/unit/replica/no-position.test.ts.
 */
import type { WireError } from "../errors.ts";
import type { ShipWanted } from "../wire/messages.ts";

/** Failures at one place after which fetching it again is no use. */
const FAILURES_MAX = 2;

export class Damage {
  /** Where the batch starts that fails, -1 for none. */
  offset = -1;
  private failures = 0;
  private evidence = "";

  /** Fetching the batch at `offset` again is no use. */
  get isStored(): boolean {
    return this.failures >= FAILURES_MAX;
  }

  get shipWanted(): ShipWanted {
    return this.isStored ? "damaged" : "no";
  }

  /** What arrived of the batch at `offset`, or instead of it, is wrong. @returns isStored */
  failed(offset: number, error: WireError): boolean {
    // Where in the stream of bytes it was is another place each time.
    const evidence = error.message.replace(/ \(frame at byte .*$/, "");
    const counts = error.code === "ERR_WIRE_CHAIN" || evidence === this.evidence;
    this.evidence = evidence;
    if (offset !== this.offset) this.failures = 0;
    else if (!counts && this.failures > 0) return this.isStored;
    this.offset = offset;
    this.failures += 1;
    return this.isStored;
  }

  /** The log up to `offset` is here, received or as a snapshot. */
  passed(offset: number): void {
    if (offset > this.offset) this.forget();
  }

  /** Nothing is known of what the upstream has stored. */
  forget(): void {
    this.offset = -1;
    this.failures = 0;
    this.evidence = "";
  }
}
