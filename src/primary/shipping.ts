/**
 * Which snapshots are open and who reads them: the queue of ships, the gathering of handshakes into
 * one freeze, sharing, splitting, and resuming after a cut.
 *
 *   request --> queue --(oldest waited shipGatherMs, a place is free, the state may freeze)--> freeze
 *      |                                                            one reading for all that queue
 *      +--> joins a reading whose chunk 0 is still held
 *   resume(snapshot, chunk) --> a reading of its own from that chunk
 *
 * Pure core: the serializer is behind FrozenState (store/state.ts).
 * Owns: snapshots, readings, the queue, the egress limit. Does not own: bytes on links (link-feed.ts).
 */
import type { Id } from "../wire/messages.ts";
import { ByteRate } from "./byte-rate.ts";
import { OpenSnapshot } from "./open-snapshot.ts";
import type { FeederOptions } from "./options.ts";
import { Reading } from "./reading.ts";
import type { Ship } from "./ship.ts";
import type { StateSource } from "../store/state.ts";

export interface ShippingOwner {
  readonly options: FeederOptions;
  readonly source: StateSource;
  /** Seals the open batch; the answer is the log's newest position. */
  sealedPosition(): { readonly offset: number; readonly chain: number };
  /** The backlog still holds the log from `offset` on. */
  mayStreamFrom(offset: number): boolean;
  /** The state is at a batch boundary (always on a primary). */
  mayFreeze(): boolean;
  randomId(): Id;
  /** The ship has a snapshot: its hold starts, its link can be fed. */
  onShipStarted(ship: Ship): void;
  onShipFailed(ship: Ship, reason: string): void;
  wantPump(): void;
  onFreeze(snapshot: OpenSnapshot, ships: number): void;
}

/** Readings beyond shipsAtOnce for those that have queued too long: with them as many as the pool has threads. */
const READINGS_EXTRA = 2;

export class Shipping {
  readonly #owner: ShippingOwner;
  readonly #queue: Ship[] = [];
  readonly #readings = new Set<Reading<Ship>>();
  readonly #rate: ByteRate;

  constructor(owner: ShippingOwner) {
    this.#owner = owner;
    this.#rate = new ByteRate(() => owner.options.shipRate);
  }

  get queued(): number {
    return this.#queue.length;
  }

  get activeReadings(): number {
    return this.#readings.size;
  }

  /** A ship waits for a place, or for its state to be read: what is less urgent rests meanwhile. */
  get isWaiting(): boolean {
    if (this.#queue.length > 0) return true;
    for (const reading of this.#readings) if (reading.isStarved) return true;
    return false;
  }

  /** A ship from chunk 0: joins what is still at its beginning, else queues. */
  request(ship: Ship, nowMs: number): void {
    for (const reading of this.#readings) {
      const { offset } = reading.snapshot;
      if (!reading.joinable || !this.#owner.mayStreamFrom(offset) || offset <= ship.after) continue;
      this.#enlist(ship, reading, 0);
      return;
    }
    this.#queue.push(ship);
    this.poll(nowMs);
  }

  /** Goes on with an open snapshot at `chunk`. */
  resume(ship: Ship, snapshot: OpenSnapshot, chunk: number): void {
    this.#enlist(ship, this.#openReading(snapshot, chunk), chunk);
  }

  /** The ship is over, or its link is: it reads no more. The snapshot's use stays with the caller. */
  leave(ship: Ship): void {
    const at = this.#queue.indexOf(ship);
    if (at >= 0) this.#queue.splice(at, 1);
    const reading = ship.leaveReading();
    if (reading === null) return;
    reading.leave(ship);
    if (reading.isClosed) this.#readings.delete(reading);
  }

  /** Starts what may start, splits what is held back. Cheap when there is nothing to do. */
  poll(nowMs: number): void {
    if (this.#queue.length > 0) this.#startQueued(nowMs);
    for (const reading of this.#readings) this.#maybeSplit(reading, nowMs);
  }

  /** When poll() or tokens could change something by themselves, ms; Infinity for never. */
  nextWakeMs(nowMs: number): number {
    let wake = Number.POSITIVE_INFINITY;
    const oldest = this.#queue[0];
    if (oldest !== undefined)
      wake = Math.max(
        oldest.queuedAtMs + this.#owner.options.shipGatherMs,
        this.#placeFreeMs(oldest),
      );
    const { waitMs } = this.#rate;
    if (waitMs > 0 && this.#readings.size > 0) wake = Math.min(wake, nowMs + waitMs);
    return wake;
  }

  // --- starting ------------------------------------------------------------------------------

  #startQueued(nowMs: number): void {
    const { options } = this.#owner;
    const oldest = this.#queue[0]!;
    if (nowMs - oldest.queuedAtMs < options.shipGatherMs) return;
    if (nowMs < this.#placeFreeMs(oldest) || !this.#owner.mayFreeze()) return;
    const ships = this.#queue.splice(0);
    const snapshot = this.#freeze(ships.length);
    const reading = this.#openReading(snapshot, 0);
    for (const ship of ships) this.#enlist(ship, reading, 0);
  }

  /**
   * When there is a place for `oldest`, ms; Infinity when one must end first. Why not only then: two
   * slow lines would block all others for as long as they take. Memory stays bounded by the number.
   */
  #placeFreeMs(oldest: Ship): number {
    const { shipsAtOnce, shipWaitMs } = this.#owner.options;
    if (this.#readings.size < shipsAtOnce) return oldest.queuedAtMs;
    const isFull = this.#readings.size >= shipsAtOnce + READINGS_EXTRA;
    return isFull ? Number.POSITIVE_INFINITY : oldest.queuedAtMs + shipWaitMs;
  }

  #freeze(ships: number): OpenSnapshot {
    // Why this order: the snapshot is the state at a batch boundary, so the batch is closed first.
    const { offset, chain } = this.#owner.sealedPosition();
    const frozen = this.#owner.source.freeze();
    const snapshot = new OpenSnapshot(this.#owner.randomId(), offset, chain, frozen);
    this.#owner.onFreeze(snapshot, ships);
    return snapshot;
  }

  #openReading(snapshot: OpenSnapshot, chunk: number): Reading<Ship> {
    const reading = new Reading<Ship>(snapshot, chunk, {
      ready: () => this.#owner.wantPump(),
      failed: (failing, reason) => this.#failed(failing, reason),
    });
    this.#readings.add(reading);
    return reading;
  }

  #enlist(ship: Ship, reading: Reading<Ship>, chunk: number): void {
    ship.begin(reading, chunk);
    reading.join(ship);
    this.#owner.onShipStarted(ship);
  }

  #failed(reading: Reading<Ship>, reason: string): void {
    if (!this.#readings.delete(reading)) return;
    for (const ship of [...reading.sharers]) this.#owner.onShipFailed(ship, reason);
    reading.close();
  }

  // --- splitting -----------------------------------------------------------------------------

  /**
   * The ring is full because the front chunk was not taken for a while by some, while others want
   * to go on: those get a reading of their own, and the slow keep the old one. Those who hold it
   * back may have left it: what their sockets still have is not free before they are closed.
   */
  #maybeSplit(reading: Reading<Ship>, nowMs: number): void {
    const heldBackMs = reading.heldBackMs(nowMs);
    if (heldBackMs < 0 || heldBackMs < this.#owner.options.shipSplitMs) return;
    const { ahead } = reading;
    if (ahead.length === 0) return;
    const fresh = this.#openReading(reading.snapshot, reading.end);
    for (const ship of ahead) {
      reading.leave(ship);
      ship.readFrom(fresh);
      fresh.join(ship);
    }
    if (reading.isClosed) this.#readings.delete(reading);
  }

  // --- egress limit --------------------------------------------------------------------------

  /** Bytes that may go now; a chunk may overdraw. Infinity without a limit. */
  tokensNow(nowMs: number): number {
    return this.#rate.now(nowMs);
  }

  takeTokens(bytes: number): void {
    this.#rate.take(bytes);
  }
}
