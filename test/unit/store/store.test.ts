/**
 * The store against a Map, with tiny arena segments and pages: any sequence of records, freezes, reads
 * of snapshots one chunk at a time, closes, housekeeping, expiry and swaps.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ChunkReader } from "../../../src/store/state.ts";
import { InlineSource } from "../../../src/store/inline-source.ts";
import { DEATH } from "../../../src/store/layout.ts";
import type { Snapshot } from "../../../src/store/snapshot.ts";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants, checkSettled } from "./invariants.ts";
import * as m from "./model.ts";
import { payloadOf } from "./reading.ts";

const KEYS = [
  ...Array.from({ length: 24 }, (_, n) => Buffer.from(`k${n}`)),
  Buffer.alloc(0),
  Buffer.from([0, 255, 13, 10]),
  Buffer.from("twelve bytes"),
  Buffer.alloc(63, 7),
  Buffer.alloc(65, 8),
  Buffer.alloc(66, 8),
  Buffer.alloc(1024, 9), // Too long for narrow lengths.
];

const key = fc.constantFrom(...KEYS);
const valueBytes = fc.oneof(
  { weight: 8, arbitrary: fc.nat(60) },
  { weight: 2, arbitrary: fc.nat(400) },
);
const expireAt = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 }));

const keyedRecord = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(key, valueBytes, fc.nat(255), expireAt)
      .map(([k, n, fill, at]) => m.setRecord(k, Buffer.alloc(n, fill), at)),
  },
  { weight: 4, arbitrary: key.map((k) => m.delRecord(k)) },
  { weight: 2, arbitrary: fc.tuple(key, expireAt).map(([k, at]) => m.expireRecord(k, at)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(key, fc.nat(80), fc.nat(30), fc.nat(255))
      .map(([k, at, n, fill]) => m.patchRecord(k, at, Buffer.alloc(n, fill))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("rename" as const, "copy" as const), key, key)
      .map(([op, from, to]) => m.moveRecord(op, from, to)),
  },
);
const anyRecord = fc.oneof(
  { weight: 30, arbitrary: keyedRecord },
  { weight: 1, arbitrary: fc.constant(m.flushRecord()) },
  { weight: 2, arbitrary: fc.array(keyedRecord, { maxLength: 6 }).map((r) => m.groupRecord(r)) },
);

type Action =
  | { readonly kind: "apply"; readonly bytes: Buffer }
  | { readonly kind: "applyRange"; readonly records: readonly Buffer[] }
  | { readonly kind: "freeze"; readonly slotBytes: number }
  | { readonly kind: "step" | "close" | "swap" | "restart"; readonly which: number }
  | { readonly kind: "maintain" }
  | { readonly kind: "expire"; readonly nowMs: number };

const which = fc.nat(7);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 30, arbitrary: anyRecord.map((bytes) => ({ kind: "apply" as const, bytes })) },
  {
    weight: 4,
    arbitrary: fc
      .array(anyRecord, { maxLength: 80, size: "max" })
      .map((records) => ({ kind: "applyRange" as const, records })),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(60, 100, 300, 2000)
      .map((slotBytes) => ({ kind: "freeze" as const, slotBytes })),
  },
  { weight: 12, arbitrary: which.map((n) => ({ kind: "step" as const, which: n })) },
  { weight: 3, arbitrary: which.map((n) => ({ kind: "close" as const, which: n })) },
  { weight: 1, arbitrary: which.map((n) => ({ kind: "swap" as const, which: n })) },
  { weight: 2, arbitrary: which.map((n) => ({ kind: "restart" as const, which: n })) },
  { weight: 8, arbitrary: fc.constant({ kind: "maintain" as const }) },
  { weight: 2, arbitrary: fc.nat(40).map((nowMs) => ({ kind: "expire" as const, nowMs })) },
);

/** One open snapshot with what it must contain and how far it was read. */
class Opened {
  readonly model: m.Model;
  readonly payloads: Buffer[] = [];
  readonly slotBytes: number;
  readonly snapshot: Snapshot;
  /** The frozen part of each segment's memory, as it was at the freeze. */
  readonly memory: Uint32Array[];
  #read: { source: InlineSource; reader: ChunkReader } | null = null;

  constructor(store: Store, model: m.Model, slotBytes: number) {
    this.snapshot = store.freeze();
    expect(this.snapshot.records).toBe(model.size);
    this.model = new Map(model);
    this.slotBytes = slotBytes;
    const { segments } = store.parts.space.arena;
    this.memory = segments.map((segment) =>
      segment.words.slice(0, (segment.used * segment.slotBytes) >>> 2),
    );
  }

  /** Begins reading at the first use: what the snapshot sees must not depend on when. */
  get source(): InlineSource {
    return this.#open().source;
  }

  get reader(): ChunkReader {
    return this.#open().reader;
  }

  #open(): { source: InlineSource; reader: ChunkReader } {
    if (this.#read === null) {
      const source = new InlineSource(this.snapshot, { slots: 2, slotBytes: this.slotBytes });
      const reader = source.read(0, {
        ready: () => undefined,
        failed: (reason) => expect.fail(reason),
      });
      this.#read = { source, reader };
    }
    return this.#read;
  }

  /**
   * What makes reading in another thread safe: nothing in the frozen part changes but the death of
   * records that were live, from 0 to an epoch that leaves them visible.
   */
  checkMemory(): void {
    const { segments, epoch } = this.snapshot;
    assert.equal(segments.length, this.memory.length);
    this.memory.forEach((before, index) => {
      const { words, slots, slotBytes } = segments[index]!;
      assert.equal(before.length, (slots * slotBytes) >>> 2);
      for (let word = 0; word < before.length; word++) {
        if (words[word] === before[word]) continue;
        assert.equal(word % (slotBytes >>> 2), DEATH);
        assert.equal(before[word], 0);
        assert(words[word]! >= epoch);
      }
    });
  }

  step(): void {
    this.source.step();
    for (let chunk = this.reader.take(); chunk !== null; chunk = this.reader.take()) {
      this.payloads.push(payloadOf(chunk));
      this.reader.release(chunk);
    }
  }

  /** Reads to the end and compares. */
  finish(): Store {
    this.checkMemory();
    while (this.reader.totals === null) this.step();
    const { records } = this.reader.totals;
    expect(records).toBe(this.model.size);
    const loaded = m.loadStore(this.payloads, records, { ...m.TINY, hashSeed: [3, 4] });
    m.expectSame(m.contentOf(loaded), this.model);
    checkInvariants(loaded);
    return loaded;
  }

  /** A second read from the middle brings the same bytes. */
  restart(): void {
    const from = this.payloads.length >>> 1;
    const again = m.readChunks(this.snapshot, this.slotBytes, from);
    const known = this.payloads.slice(from);
    expect(again.payloads.slice(0, known.length).map((p) => p.toString("hex"))).toEqual(
      known.map((p) => p.toString("hex")),
    );
  }
}

class Run {
  readonly store = new Store(m.TINY);
  readonly model: m.Model = new Map();
  readonly open: Opened[] = [];

  take(n: number): Opened | undefined {
    return this.open[n % Math.max(1, this.open.length)];
  }

  do(action: Action): void {
    switch (action.kind) {
      case "apply":
        this.store.apply(action.bytes, 0, action.bytes.length);
        {
          m.applyToModel(this.model, action.bytes);
          return;
        }
      case "applyRange": {
        const bytes = m.withLengths(action.records);
        this.store.applyRange(bytes, 0, bytes.length);
        for (const each of action.records) m.applyToModel(this.model, each);
        return;
      }
      case "freeze":
        if (this.open.length < 4) {
          this.open.push(new Opened(this.store, this.model, action.slotBytes));
        }
        return;
      case "maintain":
        this.store.maintain();
        return;
      case "expire": {
        this.expire(action.nowMs);
        return;
      }
      case "step":
        return this.take(action.which)?.step();
      case "restart":
        return this.take(action.which)?.restart();
      case "close": {
        this.close(this.take(action.which));
        return;
      }
      case "swap": {
        this.swap(this.take(action.which));
        return;
      }
    }
  }

  close(opened: Opened | undefined): void {
    if (opened === undefined) return;
    opened.finish();
    opened.source.close();
    this.open.splice(this.open.indexOf(opened), 1);
  }

  /** Loads the snapshot into the same store: its state becomes the frozen one. */
  swap(opened: Opened | undefined): void {
    if (opened === undefined) return;
    while (opened.reader.totals === null) opened.step();
    const staged = this.store.stage({ records: 5, bytes: 5 });
    for (const payload of opened.payloads) staged.load(payload, 0, payload.length);
    staged.finish({ records: opened.model.size });
    this.store.swap(staged);
    this.model.clear();
    for (const [k, entry] of opened.model) this.model.set(k, entry);
  }

  /** Deletes what the search brings, from inside the visit. */
  expire(nowMs: number): void {
    this.store.expired(nowMs, 5, (bytes, from, to) => {
      const found = Buffer.from(bytes.subarray(from, to));
      const entry = this.model.get(found.toString("latin1"));
      expect(entry !== undefined && entry.expireAt > 0 && entry.expireAt <= nowMs).toBe(true);
      const del = m.delRecord(found);
      this.store.apply(del, 0, del.length);
      m.applyToModel(this.model, del);
    });
  }

  /** Nothing may be left of what expired, after enough calls. */
  expireAll(): void {
    for (let n = 0; n < this.store.parts.space.arena.segments.length * 3 + 50; n++) this.expire(40);
    expect(this.store.stats().expires).toBe(0);
  }

  check(): void {
    m.expectSame(m.contentOf(this.store), this.model);
    const arena = this.store.parts.space.arena;
    const retired =
      this.store.stats().snapshotPinnedBytes - (arena.pin === 0 ? 0 : arena.deadBytes);
    checkInvariants(this.store, retired);
  }
}

test("any sequence of actions => the store and each snapshot equal the model", () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 10, maxLength: 250, size: "max" }), (actions) => {
      const run = new Run();
      for (const each of actions) run.do(each);
      run.check();
      while (run.open.length > 0) run.close(run.open[0]);
      run.expireAll();
      let slices = 0;
      while (run.store.maintain()) expect(slices++).toBeLessThan(10_000);
      run.check();
      expect(run.store.stats().snapshotPinnedBytes).toBe(0);
      checkSettled(run.store);
    }),
    { numRuns: Number(process.env["STORE_RUNS"] ?? 200) },
  );
}, 120_000);
