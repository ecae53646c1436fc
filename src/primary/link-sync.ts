/**
 * What outlives the ships of one link: its hold on the log, when it swapped, whether it caught up.
 *
 * Owns: those for one connection. Does not own: its present ship (link-state.ts), the holds of all
 * (holds.ts), what outlives the connection (parking.ts), the moves (ship-life.ts).
 */
import type { Hold } from "./holds.ts";

/** What an earlier connection of the same replica came to. */
export interface PastSync {
  readonly shippedAtMs: number;
  readonly caughtUp: boolean;
}

export class LinkSync {
  #hold: Hold | null = null;
  #shippedAtMs = -1;
  #caughtUp = false;

  get hold(): Hold | null {
    return this.#hold;
  }

  /** When a ship was last confirmed, ms; -1 for never on this connection. */
  get shippedAtMs(): number {
    return this.#shippedAtMs;
  }

  /** Its lag was once below half the backlog since its newest ship on this connection. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** A ship from its beginning is asked for. */
  begun(): void {
    this.#caughtUp = false;
  }

  /** It streams on where a connection was cut: that neither ends its probation nor starts it over. */
  goOn(past: PastSync): void {
    this.#shippedAtMs = past.shippedAtMs;
    this.#caughtUp = past.caughtUp;
  }

  /** The replica streams from the state of a ship. */
  swapped(nowMs: number): void {
    this.#shippedAtMs = nowMs;
  }

  /** Its lag is below half the backlog. */
  gotNear(): void {
    this.#caughtUp = true;
  }

  /** Nothing at or after the hold's offset may be trimmed on its account. */
  keep(hold: Hold | null): void {
    this.#hold = hold;
  }

  /** Gives the hold up. Returns it, or null. */
  releaseHold(): Hold | null {
    const hold = this.#hold;
    this.#hold = null;
    return hold;
  }
}
