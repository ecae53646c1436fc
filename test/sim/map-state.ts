/**
 * A state that is no arena: a plain Map, copied when it is written after a freeze, which answers at once
 * or later, as its seed says, and does what it was asked in two halves meanwhile. On a primary clients
 * write to it as to the store.
 *
 * It holds the node to the contract of src/store/state.ts: one call at a time, nothing frozen or written
 * meanwhile, nothing applied beside a staging. Its records and chunks are those of the store, so that the
 * two can follow each other.
 */
import { StoreError } from "../../src/errors.ts";
import * as layout from "../../src/store/layout.ts";
import { FORMAT } from "../../src/store/record.ts";
import type {
  FrozenState,
  LateStaging,
  LateTarget,
  StateFormat,
  StateMemory,
  StateSource,
} from "../../src/store/state.ts";
import { BATCH_HEAD_BYTES, batchLength } from "../../src/wire/frame.ts";
import type { Random } from "../../tools/random.ts";
import type { Model } from "../../tools/map-model.ts";
import { MapSnapshot } from "./map-snapshot.ts";
import { bytesOf, ModelStore, sizeOf } from "./model-store.ts";

/** What the state needs of its node. */
export interface MapHost {
  readonly random: Random;
  after(delayMs: number, what: () => void): void;
  /** A fault refuses the next record; `isInside`: others of its batch were applied. */
  refuses(isInside: boolean): boolean;
  /** A snapshot as the node's feeder reads it. */
  readable(snapshot: MapSnapshot): FrozenState;
  /** The node does not keep to the contract: throws, and is not forgotten where that is caught. */
  breach(what: string): never;
  /** Counts a path that was taken. */
  mark(what: string): void;
  /** The next call fails at something that is no refusal. */
  fails(): boolean;
}

/** A call takes up to one of these, ms; now and then it stalls, and takes so many times as long. */
const CALL_MS = [0.2, 20, 200] as const;
const STALLS = 0.1;
const STALL_TIMES = 10;
/** So many calls are answered at once. */
const AT_ONCE = 0.15;

const NO_BYTES = Buffer.alloc(0);

export class MapState extends ModelStore implements StateSource, StateFormat, LateTarget {
  readonly format: typeof FORMAT = FORMAT;
  readonly answers = "later";
  onAnswer: (error: Error | null) => void = () => undefined;
  appliedTo = 0;
  private readonly host: MapHost;
  private readonly callMs: number;
  private readonly open = new Set<MapSnapshot>();
  private busy = "";
  private staged: MapStaging | null = null;
  // The run under way: the next record, and the batch that it is in.
  private at = 0;
  private batchFrom = 0;
  private batchEnd = 0;

  constructor(host: MapHost) {
    super();
    this.host = host;
    this.callMs = host.random.pick(CALL_MS);
  }

  // --- as any state ------------------------------------------------------------------------------

  isEmpty(): boolean {
    return this.map.size === 0;
  }

  freeze(): FrozenState {
    this.demandIdle("frozen");
    this.isShared = true;
    const snapshot = new MapSnapshot(this.map, this.open);
    return this.host.readable(snapshot);
  }

  memory(): StateMemory {
    return { dataBytes: bytesOf(this.map), pinnedBytes: this.onlyIn(this.open, new Set()) };
  }

  reclaimableBytes(frozen: readonly FrozenState[]): number {
    const closing = new Set(
      frozen.map((each) => (each as unknown as { inline: MapSnapshot }).inline),
    );
    const others = [...this.open].filter((each) => !closing.has(each));
    return this.onlyIn(closing, new Set(others));
  }

  /** Bytes of records that `some` have, and neither the live state nor `others`. */
  private onlyIn(some: ReadonlySet<MapSnapshot>, others: ReadonlySet<MapSnapshot>): number {
    if (some.size === 0) return 0;
    const live = new Set(this.map.values());
    for (const { map } of others) for (const entry of map.values()) live.add(entry);
    let bytes = 0;
    for (const { map } of some)
      for (const [key, entry] of map)
        if (!live.has(entry)) {
          live.add(entry);
          bytes += sizeOf(key, entry);
        }
    return bytes;
  }

  get snapshotsOpen(): number {
    return this.open.size;
  }

  // --- as a state that answers later ---------------------------------------------------------------

  applyRange(bytes: Buffer, from: number, to: number): boolean {
    if (this.staged !== null) this.host.breach("a run is applied beside a staged state");
    if (batchLength(bytes, from) < to - from) this.host.mark("run of several batches");
    this.appliedTo = from;
    this.at = this.batchEnd = from;
    const middle = this.host.random.between(from, to);
    return this.call(
      "a run",
      () => this.applyTo(bytes, middle),
      () => this.applyTo(bytes, to),
    );
  }

  private applyTo(bytes: Buffer, to: number): void {
    while (this.at < to) {
      if (this.at === this.batchEnd) {
        this.batchFrom = this.at;
        this.batchEnd = this.at + batchLength(bytes, this.at);
        this.at += BATCH_HEAD_BYTES;
        continue;
      }
      const end = this.at + 4 + bytes.readUInt32LE(this.at);
      if (this.host.refuses(this.at > this.batchFrom + BATCH_HEAD_BYTES))
        throw new StoreError("ERR_STORE_FULL", "no memory, says a fault");
      this.change(bytes, this.at + 4, end);
      this.at = this.appliedTo = end;
    }
  }

  stage(): LateStaging {
    this.demandIdle("staged");
    if (this.staged !== null) this.host.breach("two states are staged");
    this.staged = new MapStaging(
      (what, first, second) => this.call(what, first, second),
      (map) => {
        this.staged = null;
        if (map === null) return;
        this.map = map;
        this.isShared = false;
      },
    );
    return this.staged;
  }

  /** Does both halves, at once or one after the other. */
  private call(what: string, first: () => void, second: () => void): boolean {
    const { host } = this;
    this.demandIdle(what);
    if (host.random.fraction() < AT_ONCE) {
      first();
      second();
      return true;
    }
    this.busy = what;
    const times = host.random.fraction() < STALLS ? STALL_TIMES : 1;
    const halfMs = (host.random.fraction() * this.callMs * times) / 2;
    const isToFail = host.fails();
    let failure: Error | null = null;
    const half = (step: () => void): void => {
      if (failure !== null) return;
      try {
        step();
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failure = error;
      }
    };
    host.after(halfMs, () => half(first));
    host.after(2 * halfMs, () => {
      if (isToFail) failure = new Error("the state failed, says a fault");
      half(second);
      // A staging is over with its commit or abort, whether or not that came to anything.
      if (failure !== null && what !== "a chunk") this.staged = null;
      this.busy = "";
      this.onAnswer(failure);
    });
    return false;
  }

  protected demandIdle(what: string): void {
    if (this.busy !== "") this.host.breach(`${what} while ${this.busy} is not answered`);
  }
}

/** A snapshot's chunks, read into another Map. */
class MapStaging implements LateStaging {
  private readonly call: (what: string, first: () => void, second: () => void) => boolean;
  private readonly over: (map: Model | null) => void;
  private readonly map: Model = new Map();
  private records = 0;
  /** The beginning of a record whose rest is in the next chunk. */
  private part: Buffer = NO_BYTES;

  constructor(
    call: (what: string, first: () => void, second: () => void) => boolean,
    over: (map: Model | null) => void,
  ) {
    this.call = call;
    this.over = over;
  }

  load(bytes: Buffer, from: number, to: number): boolean {
    const read = (): void => this.read(Buffer.concat([this.part, bytes.subarray(from, to)]));
    return this.call("a chunk", () => undefined, read);
  }

  private read(bytes: Buffer): void {
    let at = 0;
    for (let end = recordEnd(bytes, at); end >= 0; end = recordEnd(bytes, at)) {
      const lengths = bytes.readUInt32LE(at + 8);
      const isWide = layout.isWide(lengths);
      const keyAt = at + layout.headOf(lengths);
      const valueAt = keyAt + layout.keyBytesOf(lengths);
      const valueEnd = valueAt + layout.valueBytesOf(lengths, bytes.readUInt32LE(at + 12));
      const timeAt = at + (isWide ? 16 : 12);
      const expireAt = layout.hasExpiry(lengths)
        ? bytes.readUInt32LE(timeAt) + bytes.readUInt32LE(timeAt + 4) * 0x1_0000_0000
        : 0;
      const value = Buffer.from(bytes.subarray(valueAt, valueEnd));
      this.map.set(bytes.toString("latin1", keyAt, valueAt), { value, expireAt });
      this.records += 1;
      at = end;
    }
    this.part = Buffer.from(bytes.subarray(at));
  }

  commit(totals: { readonly records: number }): boolean {
    const replace = (): void => {
      if (this.part.length > 0 || this.records !== totals.records) {
        this.over(null);
        throw new StoreError("ERR_STORE_CHUNK", `${this.records} records of ${totals.records}`);
      }
      this.over(this.map);
    };
    return this.call("a commit", () => undefined, replace);
  }

  abort(): boolean {
    return this.call(
      "an abort",
      () => undefined,
      () => this.over(null),
    );
  }
}

/** Where the record at `at` ends; -1 when it is not whole. */
function recordEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at < 16) return -1;
  const lengths = bytes.readUInt32LE(at + 8);
  const valueBytes = layout.valueBytesOf(lengths, bytes.readUInt32LE(at + 12));
  const size = layout.align8(layout.headOf(lengths) + layout.keyBytesOf(lengths) + valueBytes);
  return at + size <= bytes.length ? at + size : -1;
}
