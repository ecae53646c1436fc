/** Records with an arena segment of their own, and the bounds of addresses. What is large is lowered. */
import { expect, test } from "vitest";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants, checkSettled } from "./invariants.ts";
import * as m from "./model.ts";

const LARGE = { largeRecordBytes: 64, hashSeed: [1, 2] } as const;

/** Writes records in place of one another: no garbage for that many of them. */
class Writer {
  readonly #store: Store;
  readonly #set = m.setRecord(Buffer.from("k0000000"), Buffer.alloc(60, "v"));
  readonly #keyAt = this.#set.indexOf("k0000000");

  constructor(store: Store) {
    this.#store = store;
  }

  set(n: number): void {
    this.#set.write(String(n).padStart(7, "0"), this.#keyAt + 1, "latin1");
    this.#set.writeUInt32LE(n, this.#set.length - 4);
    this.#store.apply(this.#set, 0, this.#set.length);
  }

  /** The number in the value of key `n`, or null. */
  get(n: number): number | null {
    const key = Buffer.from(`k${String(n).padStart(7, "0")}`);
    if (!this.#store.find(key, 0, key.length)) return null;
    return this.#store.hitBytes.readUInt32LE(this.#store.hitTo - 4);
  }

  delete(n: number): void {
    const bytes = m.delRecord(Buffer.from(`k${String(n).padStart(7, "0")}`));
    this.#store.apply(bytes, 0, bytes.length);
  }
}

test("two hundred thousand large records beside small ones => each has its value; what is deleted makes room", () => {
  const many = 200_001;
  const store = new Store(LARGE);
  const writer = new Writer(store);
  const small = m.setRecord(Buffer.from("small"), Buffer.from("s"));
  for (let n = 0; n < many; n++) writer.set(n);
  store.apply(small, 0, small.length);
  expect(store.size).toBe(many + 1);
  expect(store.stats().arenaSegments).toBe(many + 1);
  let wrong = 0;
  for (let n = 0; n < many; n++) if (writer.get(n) !== n) wrong++;
  expect(wrong).toBe(0);
  for (let n = 0; n < many; n += 2) writer.delete(n);
  for (let n = 1; n < many; n += 2) if (writer.get(n) !== n) wrong++;
  for (let n = 0; n < many; n += 2) if (writer.get(n) !== null) wrong++;
  expect(wrong).toBe(0);
  expect(store.stats().arenaSegments).toBe((many - 1) / 2 + 1);
  while (store.maintain());
  checkSettled(store);
}, 60_000);

test("more large records than a segment id has values => frozen, shipped, expired and swept as small ones", () => {
  const many = 40_000;
  const store = new Store(LARGE);
  const writer = new Writer(store);
  for (let n = 0; n < many; n++) writer.set(n);
  const snapshot = store.freeze();
  // Beside the snapshot: other versions, deletes, and expiries.
  for (let n = 0; n < many; n += 3) writer.set(n);
  for (let n = 1; n < many; n += 3) writer.delete(n);
  for (let n = 2; n < 3000; n += 3) {
    const bytes = m.expireRecord(Buffer.from(`k${String(n).padStart(7, "0")}`), 1000 + n);
    store.apply(bytes, 0, bytes.length);
  }
  checkInvariants(store);
  const { payloads, records } = m.readChunks(snapshot, 4096);
  expect(records).toBe(many);
  const loaded = m.loadStore(payloads, records, LARGE);
  checkInvariants(loaded);
  const copy = new Writer(loaded);
  for (let n = 0; n < many; n++) if (copy.get(n) !== n) expect.fail(`key ${n}`);
  snapshot.close();
  const gone = new Set<string>();
  for (let calls = 0; calls < 100; calls++) {
    store.expired(2000, 100, (bytes, from, to) => gone.add(bytes.toString("latin1", from, to)));
  }
  expect(gone.size).toBe(333); // 2, 5, ... 998
  while (store.maintain());
  checkInvariants(store);
  checkSettled(store);
}, 60_000);

const value = Buffer.alloc(60, "v");
const shapes = [
  { what: "large records", options: { ...LARGE, largeRecordsMax: 3 }, bytes: value, fit: 3 },
  {
    what: "arena segments",
    options: { arenaSegmentBytes: 512, segmentsMax: 2 },
    bytes: value,
    fit: 12,
  },
];

test.each(shapes)(
  "no addresses left for $what => ERR_STORE_FULL with nothing changed; a delete makes room",
  ({ options, bytes, fit }) => {
    const store = new Store(options);
    const model: m.Model = new Map();
    const apply = (record: Buffer): void => {
      store.apply(record, 0, record.length);
      m.applyToModel(model, record);
    };
    const key = (n: number): Buffer => Buffer.from(`key ${n}`);
    for (let n = 0; n < fit; n++) apply(m.setRecord(key(n), bytes));
    const refused = [
      m.setRecord(key(fit), bytes),
      m.patchRecord(key(fit), 0, bytes),
      m.moveRecord("copy", key(0), key(fit)),
    ];
    for (const record of refused) {
      expect(() => {
        store.apply(record, 0, record.length);
      }).toThrow(/ERR_STORE_FULL: all \d+/);
      checkInvariants(store);
      m.expectSame(m.contentOf(store), model);
    }
    apply(m.setRecord(key(1), Buffer.alloc(60, "w"))); // In its place.
    apply(m.delRecord(key(0)));
    apply(m.setRecord(key(fit), bytes));
    checkInvariants(store);
    m.expectSame(m.contentOf(store), model);
  },
);
