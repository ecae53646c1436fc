/** A public state as one that answers later: what it is asked, what its failures come to. */
import { describe, expect, test } from "vitest";
import { ChunkCutter } from "../../../src/bridge/chunk-records.ts";
import { decodeMark } from "../../../src/bridge/mark.ts";
import type { ReplicatedState } from "../../../src/bridge/seam.ts";
import type { StatePlace } from "../../../src/store/state.ts";
import {
  deleteRecord,
  newDisk,
  setRecord,
  type ToyOptions,
  ToyState,
} from "../../tools/toy-state.ts";
import { bridgeOver, id, logOf, NAME, outcome } from "./tools.ts";

const later: ToyOptions = { later: () => Promise.resolve() };

const log = logOf([
  { records: [setRecord("a", "1"), setRecord("b", "2")], clockMs: 4 },
  { records: [deleteRecord("a")], clockMs: 9 },
]);

function chunkOf(...records: readonly Buffer[]): Buffer {
  const chunk = Buffer.alloc(1000);
  const cutter = new ChunkCutter(1000);
  cutter.begin(chunk, 0);
  for (const record of records) cutter.put(record);
  return chunk.subarray(0, cutter.filled);
}

const PLACE: StatePlace = {
  position: { history: id(5), offset: 4000, chain: 44 },
  rank: { term: 8, run: 0 },
  lineage: [{ history: id(1), left: 4000, term: 3, run: 1 }],
};

describe("runs of batches", () => {
  test.each([
    ["at once", {}, "now"],
    ["later", later, "later"],
  ])(
    "a state that answers %s: applied, with the mark of the run's end",
    async (_, options, how) => {
      const toy = new ToyState(newDisk(), options);
      const { bridge } = bridgeOver(toy);
      await bridge.open();
      expect(bridge.isEmpty()).toBe(true);
      expect(await outcome(bridge, () => bridge.applyRange(log, 0, log.length))).toBe(how);
      expect([...toy.map]).toEqual([["b", "2"]]);
      expect(decodeMark(toy.disk.mark!)).toMatchObject({ ...NAME, offset: log.length, clockMs: 9 });
      expect([bridge.appliedTo, bridge.isEmpty()]).toEqual([log.length, false]);
    },
  );

  test("bytes that are no batches => ERR_STORE_RECORD, and the state is asked for nothing", async () => {
    const toy = new ToyState();
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    expect(() => bridge.applyRange(log, 0, log.length - 1)).toThrow("ERR_STORE_RECORD");
    expect([toy.asked, bridge.appliedTo]).toEqual([[], 0]);
  });

  interface Failing {
    readonly name: string;
    readonly options: ToyOptions;
    readonly isDone: boolean;
    readonly marksFail?: boolean;
    readonly comes: string;
    readonly at: string;
  }
  const failing: readonly Failing[] = [
    {
      name: "durable, at its start",
      options: {},
      isDone: false,
      comes: "ERR_STORE_REFUSED",
      at: "start",
    },
    { name: "durable, at its end", options: {}, isDone: true, comes: "now", at: "end" },
    {
      name: "durable, no mark",
      options: {},
      isDone: false,
      marksFail: true,
      comes: "ERR_STORE_FAILED",
      at: "nowhere",
    },
    {
      name: "later, at its start",
      options: later,
      isDone: false,
      comes: "ERR_STORE_REFUSED",
      at: "start",
    },
    { name: "later, at its end", options: later, isDone: true, comes: "later", at: "end" },
    {
      name: "later, no mark",
      options: later,
      isDone: false,
      marksFail: true,
      comes: "ERR_STORE_FAILED",
      at: "nowhere",
    },
    {
      name: "none, threw",
      options: { durability: "none" },
      isDone: false,
      comes: "ERR_STORE_REFUSED",
      at: "start",
    },
    {
      name: "none, rejected",
      options: { ...later, durability: "none" },
      isDone: false,
      comes: "ERR_STORE_FAILED",
      at: "nowhere",
    },
  ];
  test.each(failing)(
    "a failure: $name => $comes",
    async ({ options, isDone, marksFail, comes, at }) => {
      const toy = new ToyState(newDisk(), options);
      const { bridge, failures } = bridgeOver(toy);
      await bridge.open();
      toy.fails = { call: "apply", isDone };
      if (marksFail === true) toy.mark = () => Promise.reject(new Error("no mark"));
      const came = await outcome(bridge, () => bridge.applyRange(log, 0, log.length));
      if (comes.startsWith("ERR")) expect(came).toMatchObject({ code: comes });
      else expect(came).toBe(comes);
      expect(failures).toEqual([`apply failed at ${at}`]);
      expect(bridge.appliedTo).toBe(comes.startsWith("ERR") ? 0 : log.length);
    },
  );

  test("refused, then taken: the start is where it was when it refused", async () => {
    const toy = new ToyState();
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    const first = logOf([{ records: [setRecord("k", "v")] }]);
    await outcome(bridge, () => bridge.applyRange(first, 0, first.length));
    for (const comes of ["ERR_STORE_REFUSED", "ERR_STORE_REFUSED"]) {
      toy.fails = { call: "apply", isDone: false };
      const came = await outcome(bridge, () => bridge.applyRange(log, 0, log.length));
      expect(came).toMatchObject({ code: comes });
    }
    expect(await outcome(bridge, () => bridge.applyRange(log, 0, log.length))).toBe("now");
  });

  test("a mark that is neither start nor end: nobody knows what the state has", async () => {
    const toy = new ToyState();
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    toy.fails = { call: "apply", isDone: false };
    toy.disk.mark = Buffer.from("of another");
    const came = await outcome(bridge, () => bridge.applyRange(log, 0, log.length));
    expect(came).toMatchObject({ code: "ERR_STORE_FAILED" });
  });
});

describe("a snapshot", () => {
  const records = [setRecord("x", "1"), setRecord("y", "2")];
  const chunk = chunkOf(...records);

  test.each([
    ["at once", {}, "now"],
    ["later", later, "later"],
  ])(
    "a state that answers %s: staged with the first chunk, committed at its place",
    async (_, options, how) => {
      const toy = new ToyState(newDisk([["old", "1"]]), options);
      const { bridge } = bridgeOver(toy);
      await bridge.open();
      const staging = bridge.stage({ records: 2, bytes: 10 });
      expect(toy.asked).toEqual([]);
      expect(await outcome(bridge, () => staging.load(chunk, 0, chunk.length))).toBe(how);
      expect([...toy.map]).toEqual([["old", "1"]]);
      expect(await outcome(bridge, () => staging.commit({ records: 2 }, PLACE))).toBe(how);
      expect([...toy.map]).toEqual([
        ["x", "1"],
        ["y", "2"],
      ]);
      const { position, rank, lineage } = PLACE;
      expect(decodeMark(toy.disk.mark!)).toMatchObject({ ...position, rank, lineage });
      expect(toy.asked).toEqual(["stage", "load", "commit"]);
    },
  );

  test("an empty one: staged with the commit, and empty afterwards", async () => {
    const toy = new ToyState(newDisk([["old", "1"]]));
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    const staging = bridge.stage({ records: 0, bytes: 0 });
    expect(await outcome(bridge, () => staging.commit({ records: 0 }, PLACE))).toBe("now");
    expect([toy.map.size, bridge.isEmpty()]).toEqual([0, true]);
  });

  test("a chunk with the beginning of a record alone: nothing is asked of the state", async () => {
    const toy = new ToyState();
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    const staging = bridge.stage({ records: 1, bytes: 10 });
    expect(await outcome(bridge, () => staging.load(chunk, 0, 5))).toBe("now");
    expect(toy.asked).toEqual([]);
    expect(await outcome(bridge, () => staging.load(chunk, 5, chunk.length))).toBe("now");
    expect(await outcome(bridge, () => staging.commit({ records: 2 }, PLACE))).toBe("now");
    expect(toy.map.size).toBe(2);
  });

  test.each([
    ["other totals", 3, chunk.length],
    ["a record without its end", 1, chunk.length - 1],
  ])("%s => ERR_STORE_CHUNK, given up, and the state is the old one", async (_, total, bytes) => {
    const toy = new ToyState(newDisk([["old", "1"]]));
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    const staging = bridge.stage({ records: 2, bytes: 10 });
    await outcome(bridge, () => staging.load(chunk, 0, bytes));
    const came = await outcome(bridge, () => staging.commit({ records: total }, PLACE));
    expect(came).toMatchObject({ code: "ERR_STORE_CHUNK" });
    expect(toy.asked).toEqual(["stage", "load", "abort"]);
    expect([...toy.map]).toEqual([["old", "1"]]);
  });

  test.each(["stage", "load"])(
    "%s fails => ERR_STORE_CHUNK: the state is what it was",
    async (call) => {
      const toy = new ToyState();
      const { bridge, failures } = bridgeOver(toy);
      await bridge.open();
      const staging = bridge.stage({ records: 2, bytes: 10 });
      toy.fails = { call, isDone: false };
      const came = await outcome(bridge, () => staging.load(chunk, 0, chunk.length));
      expect(came).toMatchObject({ code: "ERR_STORE_CHUNK" });
      expect(failures).toEqual([]);
      expect(staging.abort()).toBe(true);
      expect(toy.asked.includes("abort")).toBe(call === "load");
    },
  );

  test.each([
    [false, "ERR_STORE_REFUSED", "old"],
    [true, "now", "x"],
  ])("its commit fails, done: %s => %s", async (isDone, comes, first) => {
    const toy = new ToyState(newDisk([["old", "1"]]));
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    const staging = bridge.stage({ records: 2, bytes: 10 });
    await outcome(bridge, () => staging.load(chunk, 0, chunk.length));
    toy.fails = { call: "commit", isDone };
    const came = await outcome(bridge, () => staging.commit({ records: 2 }, PLACE));
    if (isDone) expect(came).toBe(comes);
    else expect(came).toMatchObject({ code: comes });
    expect([...toy.map][0]![0]).toBe(first);
  });
});

describe("opening", () => {
  test("its mark is read; one that cannot be is told of, and is none", async () => {
    const toy = new ToyState();
    const { bridge } = bridgeOver(toy);
    await bridge.open();
    await outcome(bridge, () => bridge.applyRange(log, 0, log.length));
    const again = await bridgeOver(new ToyState(toy.disk)).bridge.open();
    expect(again).toMatchObject({ damage: "", empty: false });
    expect(again.place).toMatchObject({ ...NAME, offset: log.length });
    toy.disk.mark = Buffer.from("nonsense");
    const damaged = await bridgeOver(new ToyState(toy.disk)).bridge.open();
    expect(damaged.place).toBeNull();
    expect(damaged.damage).toMatch(/ERR_STORE_MARK.*8 bytes/);
  });

  test("a state that keeps no marks has none", async () => {
    const disk = newDisk([["a", "1"]]);
    disk.mark = Buffer.from("of before");
    const { bridge } = bridgeOver(new ToyState(disk, { durability: "none" }));
    expect(await bridge.open()).toEqual({ place: null, damage: "", empty: false });
  });

  const wrong: readonly [string, object, RegExp][] = [
    [
      "no calls",
      { format: { name: "a", version: 1 }, durability: "none" },
      /open is of type undefined/,
    ],
    ["a durability", { durability: "disk" }, /durability is "disk"; expected "none"/],
    ["no mark()", { mark: undefined }, /mark is of type undefined; expected a function/],
    ["a version", { format: { name: "a", version: -1 } }, /format.version is -1; expected a whole/],
    ["no name", { format: { name: "", version: 1 } }, /format.name is ""/],
    ["versions", { format: { name: "a", version: 1, reads: [0.5] } }, /format.reads/],
  ];
  test.each(wrong)("%s that is not allowed => ERR_ARGUMENT that names it", (_, change, message) => {
    const state = Object.assign(new ToyState(), change) as unknown as ReplicatedState;
    if ("format" in change && "durability" in change)
      expect(() => bridgeOver(change as unknown as ReplicatedState)).toThrow(message);
    else expect(() => bridgeOver(state)).toThrow(message);
  });
});
