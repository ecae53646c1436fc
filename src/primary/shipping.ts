/**
 * Which snapshots are open and who reads them: the queue of ships, the gathering of handshakes into
 * one freeze, sharing, splitting, and resuming after a cut.
 *
 *   request --> queue --(oldest waited shipGatherMs, a place is free, the state may freeze)--> freeze
 *      |                                                            one reading for all that queue
 *      +--> joins a reading whose chunk 0 is still held
 *   resume(snapshot, chunk) --> a reading of its own from that chunk
 *
 * Copies have a queue and one place of their own: however slowly one is read, no replica waits for it, and
 * none shares a reading with it.
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

/**
 * Readings beyond shipsAtOnce for those that have queued too long: with them, one of copies and a checkpoint
 * as many as the pool has threads.
 */
const READINGS_EXTRA = 2;

/** Ships that wait for each other and share readings. */
interface Lane {
  readonly queue: Ship[];
  readonly readings: Set<Reading<Ship>>;
}

export class Shipping {
  readonly #owner: ShippingOwner;
  readonly #replicas: Lane = newLane();
  readonly #copies: Lane = newLane();
  readonly #lanes: readonly Lane[] = [this.#replicas, this.#copies];
  readonly #rate: ByteRate;

  constructor(owner: ShippingOwner) {
    this.#owner = owner;
    this.#rate = new ByteRate(() => owner.options.shipRate);
  }

  get queued(): number {
    return this.#replicas.queue.length;
  }

  get activeReadings(): number {
    return this.#replicas.readings.size + this.#copies.readings.size;
  }

  /** A replica waits for a place, or for its state to be read: what is less urgent rests meanwhile. */
  get isWaiting(): boolean {
    const { queue, readings } = this.#replicas;
    if (queue.length > 0) return true;
    for (const reading of readings) if (reading.isStarved) return true;
    return false;
  }

  /** A ship from chunk 0: joins what is still at its beginning, else queues. */
  request(ship: Ship, nowMs: number): void {
    const { queue, readings } = this.#laneOf(ship);
    for (const reading of readings) {
      const { offset } = reading.snapshot;
      if (!reading.joinable || !this.#owner.mayStreamFrom(offset) || offset <= ship.after) continue;
      this.#enlist(ship, reading, 0);
      return;
    }
    queue.push(ship);
    this.poll(nowMs);
  }

  /** Goes on with an open snapshot at `chunk`. */
  resume(ship: Ship, snapshot: OpenSnapshot, chunk: number): void {
    this.#enlist(ship, this.#openReading(this.#replicas, snapshot, chunk), chunk);
  }

  /** The ship is over, or its link is: it reads no more. The snapshot's use stays with the caller. */
  leave(ship: Ship): void {
    const { queue, readings } = this.#laneOf(ship);
    const at = queue.indexOf(ship);
    if (at >= 0) queue.splice(at, 1);
    const reading = ship.leaveReading();
    if (reading === null) return;
    reading.leave(ship);
    if (reading.isClosed) readings.delete(reading);
  }

  /** Starts what may start, splits what is held back. Cheap when there is nothing to do. */
  poll(nowMs: number): void {
    for (const lane of this.#lanes) if (lane.queue.length > 0) this.#startQueued(lane, nowMs);
    for (const reading of this.#replicas.readings) this.#maybeSplit(reading, nowMs);
  }

  /** When poll() or tokens could change something by themselves, ms; Infinity for never. */
  nextWakeMs(nowMs: number): number {
    let wake = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes) {
      const oldest = lane.queue[0];
      if (oldest === undefined) continue;
      const gatheredMs = oldest.queuedAtMs + this.#owner.options.shipGatherMs;
      wake = Math.min(wake, Math.max(gatheredMs, this.#placeFreeMs(lane, oldest)));
    }
    const { waitMs } = this.#rate;
    if (waitMs > 0 && this.activeReadings > 0) wake = Math.min(wake, nowMs + waitMs);
    return wake;
  }

  // --- starting ------------------------------------------------------------------------------

  #laneOf(ship: Ship): Lane {
    return ship.isCopy ? this.#copies : this.#replicas;
  }

  #startQueued(lane: Lane, nowMs: number): void {
    const { options } = this.#owner;
    const oldest = lane.queue[0]!;
    if (nowMs - oldest.queuedAtMs < options.shipGatherMs) return;
    if (nowMs < this.#placeFreeMs(lane, oldest) || !this.#owner.mayFreeze()) return;
    const ships = lane.queue.splice(0);
    const snapshot = this.#freeze(ships.length);
    const reading = this.#openReading(lane, snapshot, 0);
    for (const ship of ships) this.#enlist(ship, reading, 0);
  }

  /**
   * When there is a place for `oldest`, ms; Infinity when one must end first. Why not only then: two
   * slow lines would block all others for as long as they take. Memory stays bounded by the number.
   */
  #placeFreeMs(lane: Lane, oldest: Ship): number {
    const { shipsAtOnce, shipWaitMs } = this.#owner.options;
    const { size } = lane.readings;
    if (size < (lane === this.#copies ? 1 : shipsAtOnce)) return oldest.queuedAtMs;
    const isFull = lane === this.#copies || size >= shipsAtOnce + READINGS_EXTRA;
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

  #openReading(lane: Lane, snapshot: OpenSnapshot, chunk: number): Reading<Ship> {
    const reading = new Reading<Ship>(snapshot, chunk, {
      ready: () => this.#owner.wantPump(),
      failed: (failing, reason) => this.#failed(lane, failing, reason),
    });
    lane.readings.add(reading);
    return reading;
  }

  #enlist(ship: Ship, reading: Reading<Ship>, chunk: number): void {
    ship.begin(reading, chunk);
    reading.join(ship);
    this.#owner.onShipStarted(ship);
  }

  #failed(lane: Lane, reading: Reading<Ship>, reason: string): void {
    if (!lane.readings.delete(reading)) return;
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
    const fresh = this.#openReading(this.#replicas, reading.snapshot, reading.end);
    for (const ship of ahead) {
      reading.leave(ship);
      ship.readFrom(fresh);
      fresh.join(ship);
    }
    if (reading.isClosed) this.#replicas.readings.delete(reading);
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

function newLane(): Lane {
  return { queue: [], readings: new Set() };
}
