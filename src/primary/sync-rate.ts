/**
 * How fast a replica takes its sync: bytes per second of chunks and then of the log, measured over
 * all the connections of one sync. What took chunks at a rate takes the log at it; and a cut changes
 * neither end, so the time between two connections does not count.
 *
 * Owns: the measurement. Does not own: what follows from it (pace.ts).
 */
import type { Ship } from "./ship.ts";

/** A rate is believed after this. */
const MEASURED_MS = 1_000;
/** What is so old counts half. */
const HALF_LIFE_MS = 2_000;

export class SyncRate {
  private bytes = 0;
  private ms = 0;
  private measuredMs = 0;
  /** What is being counted: a ship, or a link's stream. Another one starts a new count. */
  private counted: object | null = null;
  private count = 0;
  private atMs = 0;
  #chunkBytes: number;

  /** @param chunkBytes what a chunk is taken to have before one was loaded */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** Mean payload of a chunk, bytes. */
  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  /** Bytes per second; -1 before enough was measured. */
  get perSecond(): number {
    return this.measuredMs < MEASURED_MS ? -1 : (this.bytes * 1000) / this.ms;
  }

  /** Chunks of `ship` as loaded now. Before the first nothing is measured: it may have to read what it kept. */
  observeShip(ship: Ship, nowMs: number): void {
    const chunks = ship.ackedChunk - ship.firstChunk;
    if (chunks > 0) this.#chunkBytes = ship.bytesAcked / chunks;
    const isBusy = chunks > 0 && (ship.state === "sending" || ship.inFlightBytes > 0);
    this.observe(ship, ship.bytesAcked, nowMs, isBusy);
  }

  /** The log as applied on a connection now. One that has nothing to do shows nothing: not `isBusy`. */
  observeStream(link: object, applied: number, nowMs: number, isBusy: boolean): void {
    this.observe(link, applied, nowMs, isBusy);
  }

  private observe(counted: object, count: number, nowMs: number, isBusy: boolean): void {
    const elapsedMs = nowMs - this.atMs;
    if (counted === this.counted && isBusy && elapsedMs > 0) {
      const keep = 0.5 ** (elapsedMs / HALF_LIFE_MS);
      this.bytes = this.bytes * keep + Math.max(0, count - this.count);
      this.ms = this.ms * keep + elapsedMs;
      this.measuredMs += elapsedMs;
    }
    // An idle count is begun anew when it moves.
    this.counted = isBusy ? counted : null;
    this.count = count;
    this.atMs = nowMs;
  }
}
