/** mapState(): it is a Map, its records, its snapshots beside writes, what it refuses. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Frozen } from "../../../src/bridge/seam.ts";
import {
  clearRecord,
  deleteRecord as deleteKey,
  KEY_VALUE_FORMAT,
  putRecord,
} from "../../../src/adapters/key-value-records.ts";
import { mapCodecs } from "../../../src/adapters/map-codecs.ts";
import { keyValueCodec, MapState, mapState } from "../../../src/adapters/map.ts";
import type { MapCodec } from "../../../src/adapters/map-records.ts";
import { GONE, MapTable } from "../../../src/adapters/map-table.ts";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import { LentBatch, LentRecords } from "../../../src/conformance/lent.ts";
import { MemoryLog } from "../../../src/conformance/memory-log.ts";
import { HawserError } from "../../../src/errors.ts";
import { readText } from "../docs/documents.ts";
import { Random } from "../../../tools/random.ts";

type State = MapState<string, unknown>;

function setRecord(key: string | Buffer, value: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = 1;
  const keyBytes = Buffer.from(key as string);
  head.writeUInt32LE(keyBytes.length, 1);
  return Buffer.concat([head, keyBytes, value]);
}

const textOf = (value: string): Buffer => Buffer.concat([Buffer.from([0]), Buffer.from(value)]);
const deleteRecord = (key: string): Buffer => Buffer.from(`\x02${key}`);
const CLEAR = Buffer.from([3]);
const NO_UTF8 = Buffer.from("c328", "hex");

const subject: Subject<State> = {
  make: () => ({ state: mapState() }),
  content: (state) =>
    [...state].map(([key, value]) =>
      Buffer.concat([Buffer.from(`${key}=`), value as Buffer]).toString("latin1"),
    ),
  examples: {
    write: (key, value) => setRecord(`key${key}`, bytesOf(`value${value}`)),
    remove: (key) => deleteRecord(`key${key}`),
    clear: () => CLEAR,
    // A key is text here.
    writeBytes: (key, value) => {
      const isText = Buffer.from(Buffer.from(key).toString()).equals(key);
      return isText ? setRecord(Buffer.from(key), Buffer.concat([Buffer.from([1]), value])) : null;
    },
    refused: [
      Buffer.from([]),
      Buffer.from([4]),
      Buffer.from([3, 0]),
      Buffer.from([1, 1, 0]),
      Buffer.from([1, 200, 0, 0, 0, 1]),
      setRecord(NO_UTF8, textOf("")),
      setRecord("k", Buffer.from([])),
      setRecord("k", Buffer.from([9, 1])),
      setRecord("k", Buffer.concat([Buffer.from([0]), NO_UTF8])),
      setRecord("k", Buffer.from("\x02{")),
      Buffer.concat([Buffer.from([2]), NO_UTF8]),
    ],
    own: (state, key, value) => state.set(`key${key}`, Buffer.from(`value${value}`)),
  },
};

function bytesOf(text: string): Buffer {
  return Buffer.concat([Buffer.from([1]), Buffer.from(text)]);
}

describe("conformance", () => {
  const checks = conformance({ ...subject, log: () => undefined });
  test.each(checks)("$name", async ({ run }) => {
    const told: string[] = [];
    const outcome = await run({ skip: (why) => told.push(why) });
    expect(outcome).toBe(told.length === 0 ? "passed" : `not applicable: ${told[0]!}`);
  });
});

function bound(entries: readonly (readonly [string, unknown])[] = []): {
  state: State;
  log: MemoryLog;
} {
  const state = mapState(undefined, entries);
  const log = new MemoryLog();
  state.open();
  state.bind(log);
  return { state, log };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HawserError) return String(error.code);
    throw error;
  }
  return "nothing thrown";
}

function apply(state: State, ...records: Buffer[]): void {
  state.apply(new LentBatch(records, Buffer.alloc(1), 1));
}

function recordsOf(frozen: Frozen): string[] {
  const records: string[] = [];
  for (const part of frozen.read(null) as Iterable<{ records: Iterable<Buffer> }>)
    for (const record of part.records) records.push(record.toString("latin1"));
  return records;
}

test("it is a Map: its methods, its order, its iterators", () => {
  const { state } = bound([["b", 1]]);
  const map = new Map<string, unknown>([["b", 1]]);
  for (const each of [state, map]) {
    expect(each.set("a", "x")).toBe(each);
    each.set("b", 2);
    each.set("c", Buffer.from("y"));
    expect(each.delete("a")).toBe(true);
    expect(each.delete("a")).toBe(false);
    each.set("a", null);
  }
  expect([...state]).toEqual([...map]);
  expect([...state.keys()]).toEqual([...map.keys()]);
  expect([...state.values()]).toEqual([...map.values()]);
  expect([...state.entries()]).toEqual([...map.entries()]);
  expect([state.size, state.has("a"), state.has("z"), state.get("z")]).toEqual([
    3,
    true,
    false,
    undefined,
  ]);
  const seen: unknown[] = [];
  state.forEach(function (this: unknown, value, key, of) {
    seen.push([this, key, value, of === state]);
  }, "this");
  expect(seen).toEqual([...map].map(([key, value]) => ["this", key, value, true]));
  state.clear();
  expect([state.size, [...state]]).toEqual([0, []]);
});

test("records: the bytes of the worked example; what changes nothing is not logged", () => {
  const { state, log } = bound();
  state
    .set("a", "bc")
    .set("é", Buffer.from([0, 255]))
    .set("j", { n: [1, null] });
  state.delete("a");
  state.delete("nobody");
  state.clear();
  state.clear();
  expect(log.records.map((record) => record.toString("hex"))).toEqual([
    "01010000006100" + "6263",
    "0102000000c3a901" + "00ff",
    "01010000006a02" + Buffer.from('{"n":[1,null]}').toString("hex"),
    "0261",
    "03",
  ]);
  expect(log.left).toBe(null);
});

const VALUES: readonly (readonly [unknown, unknown])[] = [
  ["", ""],
  ["text", "text"],
  ["ünïcode \u{1f600}", "ünïcode \u{1f600}"],
  ["x".repeat(1000), "x".repeat(1000)],
  ["é".repeat(60), "é".repeat(60)],
  ["\ufffd is a character too", "\ufffd is a character too"],
  [Buffer.from([0, 1, 255]), Buffer.from([0, 1, 255])],
  [new Uint8Array([7, 8]), Buffer.from([7, 8])],
  [Buffer.alloc(0), Buffer.alloc(0)],
  [null, null],
  [Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  [0, 0],
  [-1.5e300, -1.5e300],
  [true, true],
  [{ a: ["\u{1f600}", { b: "\ud800" }] }, { a: ["\u{1f600}", { b: "\ud800" }] }],
];

test.each(VALUES)("a value on a primary, %j, is this on a replica: %j", (given, expected) => {
  const { state, log } = bound();
  state.set("key", given);
  const replica = mapState();
  apply(replica, ...log.records);
  expect([...replica]).toEqual([["key", expected]]);
  expect(replica.freeze().records).toBe(1);
  expect(recordsOf(replica.freeze())).toEqual(recordsOf(state.freeze()));
});

const REFUSED: readonly (readonly [string, unknown, unknown, RegExp])[] = [
  ["a key that is a number", 5, "v", /a key or value is 5; a string is allowed/],
  ["a key with half a pair", "a\ud800", "v", /half of a surrogate pair at 1;/],
  ["a long key with half a pair", `${"a".repeat(99)}\udc00b`, "v", /surrogate pair at 99;/],
  ["a value with half a pair", "k", "\udfff", /half of a surrogate pair at 0;/],
  ["no value", "k", undefined, /of type undefined; what JSON can say, or a codec for it,/],
  ["a function", "k", () => 1, /of type function; what JSON can say/],
  ["no number", "k", Number.NaN, /a key or value is NaN; what JSON can say/],
  ["a Date", "k", new Date(0), /of class Date; what JSON can say/],
  ["a Map", "k", new Map(), /of class Map; what JSON can say/],
  [
    "an object of a class",
    "k",
    new (class User {
      name = "ada";
    })(),
    /of class User; what JSON can say/,
  ],
  ["a bigint", "k", 1n, /a value cannot be written as JSON/],
];

test.each(REFUSED)(
  "%s => ERR_ARGUMENT, nothing logged, nothing changed",
  (_what, key, value, words) => {
    const { state, log } = bound([["k", 1]]);
    const set = (): unknown => state.set(key as string, value);
    expect(set).toThrow(words);
    expect(codeOf(set)).toBe("ERR_ARGUMENT");
    expect([log.length, [...state]]).toEqual([0, [["k", 1]]]);
    expect(() => mapState(undefined, [[key as string, value]])).toThrow(words);
  },
);

test("a value that fails while it is written => the log forgets it", () => {
  const broken: MapCodec<string, number> = {
    name: "broken",
    version: 1,
    key: mapCodecs.utf8,
    value: {
      bytes: () => 4,
      write: () => {
        throw new Error("of the codec");
      },
      read: () => 0,
    },
  };
  const state = mapState(broken);
  const log = new MemoryLog();
  state.bind(log);
  expect(() => state.set("k", 1)).toThrow("of the codec");
  expect([log.length, state.size]).toEqual([0, 0]);
});

test("free, then a primary, a replica, closed: who may change it when", () => {
  const state = mapState();
  state.set("before", 1);
  expect(state.open()).toEqual({ mark: null, empty: false });
  expect(codeOf(() => state.set("between", 1))).toBe("ERR_READONLY");
  const log = new MemoryLog();
  state.bind(log);
  state.set("primary", 2);
  state.bind(null);
  for (const change of [
    () => state.set("replica", 3),
    () => state.delete("before"),
    () => state.delete("nobody"),
    () => state.clear(),
  ])
    expect(codeOf(change)).toBe("ERR_READONLY");
  state.close();
  expect(codeOf(() => state.set("closed", 4))).toBe("ERR_CLOSED");
  expect([...state]).toEqual([
    ["before", 1],
    ["primary", 2],
  ]);
  expect(log.length).toBe(1);
});

test("a codec of one's own: numbers to objects, and its name in the format", () => {
  const codec: MapCodec<number, { n: number }> = {
    name: "numbers",
    version: 3,
    key: {
      bytes: () => 8,
      write: (key, into, at) => void into.writeDoubleLE(key, at),
      read: (bytes, from) => bytes.readDoubleLE(from),
    },
    value: mapCodecs.json as MapCodec<number, { n: number }>["value"],
  };
  const state = mapState(codec, [[1.5, { n: 1 }]]);
  expect(state.format).toEqual({ name: "numbers", version: 3 });
  const log = new MemoryLog();
  state.bind(log);
  state.set(-2, { n: 2 }).delete(1.5);
  const replica = mapState(codec, [[1.5, { n: 1 }]]);
  replica.apply(new LentBatch(log.records, Buffer.alloc(1), 1));
  expect([...replica]).toEqual([[-2, { n: 2 }]]);
});

test("keyValueCodec: the records of every key-value store here, bytes as they are", () => {
  const state = mapState(keyValueCodec);
  expect(state.format).toEqual({ ...KEY_VALUE_FORMAT });
  const log = new MemoryLog();
  state.bind(log);
  state.set("k", Buffer.from([0, 255]));
  state.delete("k");
  state.set("l", Buffer.alloc(0)).clear();
  expect(log.records).toEqual([
    putRecord(Buffer.from("k"), Buffer.from([0, 255])),
    deleteKey(Buffer.from("k")),
    putRecord(Buffer.from("l"), Buffer.alloc(0)),
    clearRecord(),
  ]);
});

test("JSON keys and JSON values do not take each other's text", () => {
  const state = mapState<unknown, unknown>({
    name: "json",
    version: 1,
    key: mapCodecs.json,
    value: mapCodecs.json,
  });
  const log = new MemoryLog();
  state.bind(log);
  state.set("key", "a longer value");
  expect(log.records[0]!.toString("latin1", 5)).toBe('"key""a longer value"');
});

describe("a full Map", () => {
  const fullOf = (...keys: string[]): State => {
    const state = new MapState<string, unknown>(
      { name: "m", version: 1, key: mapCodecs.utf8, value: mapCodecs.plain },
      keys.map((key) => [key, 1]),
      4,
    );
    return state;
  };

  test("one more is refused before anything is logged; a change and a delete are not", () => {
    const state = fullOf("a", "b", "c", "d");
    const log = new MemoryLog();
    state.bind(log);
    expect(codeOf(() => state.set("e", 1))).toBe("ERR_STORE_FULL");
    expect([log.length, state.size]).toEqual([0, 4]);
    state.set("a", 2).delete("b");
    state.set("e", 3);
    expect([...state.keys()]).toEqual(["a", "c", "d", "e"]);
    expect(log.length).toBe(3);
  });

  test("a batch with one too many leaves everything as it was", () => {
    const state = fullOf("a", "b", "c");
    const before = [...state];
    const records = [
      setRecord("a", textOf("2")),
      deleteRecord("b"),
      setRecord("x", textOf("1")),
      setRecord("y", textOf("1")),
      setRecord("z", textOf("1")),
    ];
    expect(codeOf(() => apply(state, ...records))).toBe("ERR_STORE_FULL");
    expect([...state]).toEqual(before);
    apply(state, ...records.slice(0, 4).toSpliced(2, 0, CLEAR));
    expect([...state.keys()]).toEqual(["x", "y"]);
  });

  test("the same after a record that clears", () => {
    const state = fullOf("a", "b", "c");
    const records = ["v", "w", "x", "y", "z"].map((key) => setRecord(key, textOf("1")));
    const all = [deleteRecord("a"), CLEAR, ...records];
    expect(codeOf(() => apply(state, ...all))).toBe("ERR_STORE_FULL");
    expect([...state.keys()].sort()).toEqual(["a", "b", "c"]);
  });

  test("a snapshot with one too many => the state stays", () => {
    const state = fullOf("a");
    const staging = state.stage();
    const records = ["v", "w", "x", "y", "z"].map((key) => setRecord(key, textOf("1")));
    expect(codeOf(() => staging.load(new LentRecords(records)))).toBe("ERR_STORE_FULL");
    void staging.abort();
    expect([...state.keys()]).toEqual(["a"]);
  });
});

test("drawn changes beside drawn snapshots => each shows its moment, the Map the last one", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`SEED=${seed} npx vitest run --project unit test/unit/adapters/map.test.ts`);
  const random = new Random(seed);
  const state = mapState<string, number>();
  const model = new Map<string, number>();
  const open: { frozen: Frozen; expected: string[] }[] = [];
  const expectOpen = (): void => {
    for (const { frozen, expected } of open) expect(recordsOf(frozen).sort()).toEqual(expected);
  };
  for (let step = 0; step < 4000; step++) {
    const drawn = random.between(0, 1000);
    const key = `k${random.between(0, 60)}`;
    if (drawn < 550) {
      state.set(key, step);
      model.set(key, step);
    } else if (drawn < 950) expect(state.delete(key)).toBe(model.delete(key));
    else if (drawn < 955) {
      state.clear();
      model.clear();
    } else if (drawn < 975 && open.length < 4) {
      const frozen = state.freeze();
      const order = recordsOf(frozen);
      expect(recordsOf(frozen)).toEqual(order);
      open.push({ frozen, expected: order.sort() });
    } else if (drawn < 990 && open.length > 0) {
      expectOpen();
      const [closed] = open.splice(random.between(0, open.length), 1);
      void closed!.frozen.close();
    } else await turn();
    expect(state.size).toBe(model.size);
    expect(state.get(key)).toBe(model.get(key));
    expect(state.has(key)).toBe(model.has(key));
  }
  expectOpen();
  expect(new Map(state)).toEqual(model);
});

test("a snapshot that is closed is read no more", () => {
  const { state } = bound([["a", 1]]);
  const frozen = state.freeze();
  const reading = (frozen.read(null) as Iterable<unknown>)[Symbol.iterator]();
  void frozen.close();
  void frozen.close();
  expect(codeOf(() => reading.next())).toBe("ERR_STORE_SNAPSHOT_CLOSED");
  expect(codeOf(() => recordsOf(frozen))).toBe("ERR_STORE_SNAPSHOT_CLOSED");
  expect(frozen.pinned!()).toBe(0);
});

test("a token that is none => ERR_ARGUMENT; one beyond the end => nothing", () => {
  const frozen = bound([["a", 1]]).state.freeze();
  const read = (token: Buffer): unknown[] => [...(frozen.read(token) as Iterable<unknown>)];
  expect(codeOf(() => read(Buffer.alloc(3)))).toBe("ERR_ARGUMENT");
  expect(read(Buffer.from([255, 255, 255, 255]))).toEqual([]);
});

test("a snapshot's estimates, and what it pins: nothing, then about what was changed since", () => {
  const { state } = bound();
  for (let i = 0; i < 100; i++) state.set(`key${100 + i}`, Buffer.alloc(94));
  const frozen = state.freeze();
  expect(frozen.records).toBe(100);
  expect(frozen.bytes).toBeGreaterThan(9_000);
  expect(frozen.bytes).toBeLessThan(11_000);
  expect(frozen.pinned!()).toBe(0);
  for (let i = 0; i < 50; i++) state.set(`key${100 + i}`, Buffer.alloc(94));
  for (let i = 0; i < 50; i++) state.set(`new${100 + i}`, Buffer.alloc(94));
  expect(frozen.pinned!()).toBeGreaterThan(4_500);
  expect(frozen.pinned!()).toBeLessThan(5_500);
});

test("iterating while it is replaced => goes on with what is there then", () => {
  const { state } = bound([
    ["a", 1],
    ["b", 2],
  ]);
  const seen: string[] = [];
  for (const [key] of state) {
    seen.push(key);
    if (key !== "a") continue;
    const staging = state.stage();
    void staging.load(new LentRecords([setRecord("x", textOf("")), setRecord("y", textOf(""))]));
    void staging.commit(Buffer.alloc(1));
  }
  expect(seen).toEqual(["a", "x", "y"]);
});

describe("shapes that embedders have", () => {
  const GUIDE = readText("docs/guides/map.md");

  test("an LRU: what is evicted is deleted on replicas too, what was used stays", () => {
    const [source = ""] = /^class Lru [^]*?^}$/m.exec(GUIDE.replaceAll(/^\/\*\*.*$/gm, "")) ?? [];
    interface Lru {
      get(key: string): unknown;
      set(key: string, value: unknown): void;
    }
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const make = new Function(`return ${source}`) as () => unknown;
    const Lru = make() as new (state: State, max: number) => Lru;
    const { state, log } = bound();
    const lru = new Lru(state, 3);
    for (const key of ["a", "b", "c"]) lru.set(key, key);
    expect(lru.get("a")).toBe("a");
    lru.set("d", "d");
    lru.set("c", "again");
    lru.set("e", "e");
    expect([...state.keys()].sort()).toEqual(["c", "d", "e"]);
    const replica = mapState();
    apply(replica, ...log.records);
    expect([...replica]).toEqual([...state]);
    const promoted = new Lru(replica, 2);
    replica.bind(new MemoryLog());
    promoted.set("f", "f");
    expect([...replica.keys()]).toEqual(["e", "f"]);
  });

  test("a class that extends it: its set() logs; on a replica changes come past it", () => {
    class Counted extends MapState<string, unknown> {
      sets = 0;
      override set(key: string, value: unknown): this {
        this.sets += 1;
        return super.set(key, value);
      }
    }
    const codec = { name: "m", version: 1, key: mapCodecs.utf8, value: mapCodecs.plain };
    const [primary, replica] = [new Counted(codec, [["first", 1]]), new Counted(codec, [])];
    const log = new MemoryLog();
    primary.bind(log);
    primary.set("second", 2);
    apply(replica, ...log.records);
    expect([primary.sets, primary.size, replica.sets, replica.size]).toEqual([1, 2, 0, 1]);
  });
});

describe("places of deleted entries", () => {
  test("kept while a snapshot is open, given back in slices then, all in the end", async () => {
    const table = new MapTable<number, number>(100_000);
    for (let key = 0; key < 9000; key++) table.set(key, key);
    const layer = table.freeze();
    for (let key = 0; key < 9000; key++) table.delete(key);
    expect([table.size, table.map.size, table.goneCount]).toEqual([0, 9000, 9000]);
    table.thaw(layer);
    const left: number[] = [];
    while (table.goneCount > 0) {
      left.push(table.goneCount);
      await turn();
    }
    expect(Math.max(...left.map((count, i) => (left[i - 1] ?? count) - count))).toBe(2000);
    expect(table.map.size).toBe(0);
  });

  test("a snapshot in between stops that; what is written meanwhile stays", async () => {
    const table = new MapTable<number, number>(100_000);
    for (let key = 0; key < 9000; key++) table.set(key, key);
    const first = table.freeze();
    for (let key = 0; key < 9000; key++) table.delete(key);
    table.thaw(first);
    await turn();
    const second = table.freeze();
    const gone = table.goneCount;
    expect(gone).toBeGreaterThan(0);
    for (let key = 8000; key < 9000; key++) table.set(key, -key);
    await turn();
    expect(table.goneCount).toBe(gone - 1000);
    // As it was when it was frozen: everything was deleted.
    for (const [key, now] of table.map) expect(table.slotOf(second, key, now)).toBe(GONE);
    table.thaw(second);
    while (table.goneCount > 0) await turn();
    expect([table.size, table.map.size]).toEqual([1000, 1000]);
    expect([...table.map.values()].every((value) => (value as number) <= -8000)).toBe(true);
  });

  test("while nothing is frozen nothing is kept", () => {
    const table = new MapTable<string, number>(100);
    table.set("a", 1);
    table.delete("a");
    expect([table.map.size, table.goneCount]).toEqual([0, 0]);
  });
});
