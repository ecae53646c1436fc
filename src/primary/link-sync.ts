/**
 * What one link has to do with full syncs: its ship, its hold on the log, whether it caught up.
 *
 *   begin(ship) --> ship --ended()--> finishing --swapped()--> neither
 *
 * Owns: those for one connection. Does not own: the chunks (ship.ts, reading.ts), the holds of all
 * (holds.ts), what outlives the connection (parking.ts), the moves (ship-life.ts).
 */
import assert from "node:assert/strict";
import type { Hold } from "./holds.ts";
import type { Ship } from "./ship.ts";

/** What an earlier connection of the same replica came to. */
export interface PastSync {
  readonly shippedAtMs: number;
  readonly caughtUp: boolean;
}

export class LinkSync {
  #ship: Ship | null = null;
  #finishing: Ship | null = null;
  #hold: Hold | null = null;
  #shippedAtMs = -1;
  #caughtUp = false;

  /** The ship that is queued or on its way. */
  get ship(): Ship | null {
    return this.#ship;
  }

  /** The ship whose END is out and whose swap is not confirmed. */
  get finishing(): Ship | null {
    return this.#finishing;
  }

  /** The ship that is not over: one of the two, or null. */
  get current(): Ship | null {
    return this.#ship ?? this.#finishing;
  }

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
  begin(ship: Ship): void {
    this.#ship = ship;
    this.#caughtUp = false;
  }

  /** A ship goes on that was cut. */
  resume(ship: Ship): void {
    this.#ship = ship;
  }

  /** It streams on where a connection was cut: that neither ends its probation nor starts it over. */
  goOn(past: PastSync): void {
    this.#shippedAtMs = past.shippedAtMs;
    this.#caughtUp = past.caughtUp;
  }

  /** END is out. */
  ended(): void {
    assert(this.#ship !== null, "END of no ship");
    this.#finishing = this.#ship;
    this.#ship = null;
  }

  /** The replica streams from its new state. Returns the ship that has ended, or null. */
  swapped(nowMs: number): Ship | null {
    const over = this.#finishing;
    this.#finishing = null;
    if (over !== null) this.#shippedAtMs = nowMs;
    return over;
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

  /** The link has ended: it owns no ship any more. */
  leaveShips(): void {
    this.#ship = null;
    this.#finishing = null;
  }
}
