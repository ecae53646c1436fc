/**
 * A Map as it was at a freeze, as chunks: records in the Map's order, as many as fit, one that no chunk
 * holds in parts. Stepped by the caller, as the store's InlineSource is.
 */
import { digestArena } from "../../src/store/digest.ts";
import { payloadMaxOf } from "../../src/store/ring.ts";
import {
  CHUNK_ROOM_BYTES,
  type ChunkEvents,
  type ChunkReader,
  type ChunkTotals,
  type Digest,
  type DigestOptions,
  type ReadyChunk,
} from "../../src/store/state.ts";
import { chunkSum } from "../../src/wire/frame.ts";
import type { Model } from "../../tools/map-model.ts";
import { asArena, bytesOf, recordOf } from "./model-store.ts";
import type { Stepped } from "./sim-source.ts";

export class MapSnapshot implements Stepped {
  readonly map: Model;
  readonly records: number;
  readonly bytes: number;
  /** Sizes of its ring, set by whoever makes it readable. */
  slots = 16;
  slotBytes = 4096;
  private readonly open: Set<MapSnapshot>;
  private chunks: readonly Buffer[] | null = null;
  private readers: MapReader[] = [];
  private failed: MapReader[] = [];

  /** @param open all open ones of a state; this is in it until it is closed */
  constructor(map: Model, open: Set<MapSnapshot>) {
    this.map = map;
    this.open = open;
    this.records = map.size;
    this.bytes = bytesOf(map);
    open.add(this);
  }

  digest(options: DigestOptions): Promise<Digest> {
    return Promise.resolve(digestArena(asArena(this.map), options)!);
  }

  read(fromChunk: number, events: ChunkEvents): ChunkReader {
    this.chunks ??= cut(this.map, payloadMaxOf(this.slotBytes));
    const { chunks, records, slots } = this;
    const reader: MapReader = new MapReader(chunks, records, fromChunk, slots, events, () => {
      this.readers = this.readers.filter((other) => other !== reader);
    });
    this.readers.push(reader);
    return reader;
  }

  step(): boolean {
    const failed = this.failed.shift();
    if (failed !== undefined) {
      failed.events.failed("closed");
      return true;
    }
    for (let n = this.readers.length; n > 0; n--) {
      const reader = this.readers.shift()!;
      this.readers.push(reader);
      if (reader.produce()) return true;
    }
    return false;
  }

  close(): void {
    this.open.delete(this);
    for (const reader of [...this.readers]) {
      reader.close();
      this.failed.push(reader);
    }
  }
}

/** Payloads of at most `payloadMax` bytes. */
function cut(map: Model, payloadMax: number): Buffer[] {
  const chunks: Buffer[] = [];
  let open: Buffer[] = [];
  let room = payloadMax;
  const close = (): void => {
    if (open.length > 0) chunks.push(Buffer.concat(open));
    open = [];
    room = payloadMax;
  };
  for (const [key, entry] of map) {
    let rest = Buffer.from(recordOf(key, entry).segment.bytes);
    rest.fill(0, 0, 8);
    if (rest.length > room) close();
    while (rest.length > payloadMax) {
      open.push(rest.subarray(0, payloadMax));
      rest = rest.subarray(payloadMax);
      close();
    }
    open.push(rest);
    room -= rest.length;
  }
  close();
  return chunks;
}

class MapReader implements ChunkReader {
  readonly events: ChunkEvents;
  private readonly chunks: readonly Buffer[];
  private readonly records: number;
  private readonly slots: number;
  private readonly closed: () => void;
  private readonly ready: ReadyChunk[] = [];
  private inRing = 0;
  private number: number;
  private isDone = false;
  private isClosed = false;

  constructor(
    chunks: readonly Buffer[],
    records: number,
    from: number,
    slots: number,
    events: ChunkEvents,
    closed: () => void,
  ) {
    this.chunks = chunks;
    this.records = records;
    this.number = from;
    this.slots = slots;
    this.events = events;
    this.closed = closed;
  }

  get totals(): ChunkTotals | null {
    if (!this.isDone || this.isClosed || this.ready.length > 0) return null;
    return { chunks: this.chunks.length, records: this.records };
  }

  take(): ReadyChunk | null {
    return this.isClosed ? null : (this.ready.shift() ?? null);
  }

  release(): void {
    this.inRing -= 1;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.closed();
  }

  /** Makes the next chunk; false when it cannot. */
  produce(): boolean {
    if (this.isClosed || this.isDone || this.inRing >= this.slots) return false;
    const { number, chunks } = this;
    const payload = chunks[number];
    if (payload === undefined) {
      this.isDone = true;
      if (number > chunks.length) this.events.failed(`there is no chunk ${number}`);
      else this.events.ready();
      return true;
    }
    this.number += 1;
    this.inRing += 1;
    const bytes = Buffer.concat([Buffer.alloc(CHUNK_ROOM_BYTES), payload]);
    const [from, to] = [CHUNK_ROOM_BYTES, bytes.length];
    this.ready.push({ number, bytes, from, to, sum: chunkSum(bytes, from, to, number) });
    this.events.ready();
    return true;
  }
}
