/** A public state as one that is fed from: frozen at the call, read as chunks, summed. */
import { describe, expect, test } from "vitest";
import { ChunkJoiner } from "../../../src/bridge/chunk-records.ts";
import type { Frozen, Part } from "../../../src/bridge/seam.ts";
import type { ChunkReader, FrozenState, ReadyChunk } from "../../../src/store/state.ts";
import { chunkSum } from "../../../src/wire/frame.ts";
import { newDisk, setRecord, type ToyOptions, ToyState } from "../../tools/toy-state.ts";
import { bridgeOver, logOf } from "./tools.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Read {
  /** Payloads by number. */
  readonly chunks: Map<number, string>;
  readonly records: readonly string[];
  readonly totals: { readonly chunks: number; readonly records: number };
  /** Most chunks held at a time. */
  readonly held: number;
}

/** Reads to the end; every chunk is held until `keep` more were taken. */
async function readAll(frozen: FrozenState, from = 0, keep = 0): Promise<Read> {
  const chunks = new Map<number, string>();
  const joiner = new ChunkJoiner();
  const records: string[] = [];
  const held: ReadyChunk[] = [];
  let most = 0;
  let failure = "";
  const reader = frozen.read(from, {
    ready: () => undefined,
    failed: (reason) => {
      failure = reason;
    },
  });
  for (let turns = 0; reader.totals === null && failure === "" && turns < 10_000; turns++) {
    const chunk = reader.take();
    if (chunk === null) {
      if (held.length > 0) reader.release(held.shift()!);
      await turn();
      continue;
    }
    held.push(chunk);
    most = Math.max(most, held.length);
    expect(chunk.sum).toBe(chunkSum(chunk.bytes, chunk.from, chunk.to, chunk.number));
    chunks.set(chunk.number, chunk.bytes.toString("latin1", chunk.from, chunk.to));
    if (from === 0)
      records.push(...[...joiner.take(chunk.bytes, chunk.from, chunk.to)].map(String));
    if (held.length > keep) reader.release(held.shift()!);
  }
  if (failure !== "") throw new Error(failure);
  const { totals } = reader;
  reader.close();
  return { chunks, records, totals: totals!, held: most };
}

const entries = Array.from(
  { length: 40 },
  (_, n) => [`key${String(n).padStart(2, "0")}`, "v".repeat(n % 13 === 5 ? 150 : n % 7)] as const,
);
const wanted = entries.map(([key, value]) => setRecord(key, value).toString());

async function openToy(
  options: ToyOptions = {},
  content = entries,
): Promise<{ toy: ToyState; bridge: ReturnType<typeof bridgeOver>["bridge"] }> {
  const toy = new ToyState(newDisk(content), options);
  const { bridge } = bridgeOver(toy);
  await bridge.open();
  return { toy, bridge };
}

describe("chunks", () => {
  const ways: readonly [string, ToyOptions][] = [
    ["at once", {}],
    ["later", { later: () => turn() }],
    ["one part", { partRecords: 1000 }],
    ["tokens", { withTokens: true }],
  ];
  test.each(ways)(
    "frozen %s: every record once, the totals, chunks of the content alone",
    async (_, options) => {
      const { bridge } = await openToy(options);
      const read = await readAll(bridge.freeze());
      expect(read.records).toEqual(wanted);
      expect(read.totals).toEqual({ chunks: read.chunks.size, records: wanted.length });
      const plain = await readAll((await openToy()).bridge.freeze());
      expect(read.chunks).toEqual(plain.chunks);
    },
  );

  test.each(ways)("frozen %s: read on from any chunk, the same chunks", async (_, options) => {
    const { bridge } = await openToy(options);
    const frozen = bridge.freeze();
    const { chunks, totals } = await readAll(frozen);
    for (const from of [1, 5, totals.chunks - 1, totals.chunks]) {
      const rest = await readAll(frozen, from);
      expect(rest.chunks).toEqual(new Map([...chunks].filter(([number]) => number >= from)));
      expect(rest.totals).toEqual(totals);
    }
    await expect(readAll(frozen, totals.chunks + 1)).rejects.toThrow("there is no chunk");
  });

  test("with tokens a reading that goes on does not read what is before them", async () => {
    const { toy, bridge } = await openToy({ withTokens: true });
    const frozen = bridge.freeze();
    const { totals } = await readAll(frozen);
    toy.asked.length = 0;
    await readAll(frozen, totals.chunks - 1);
    const parts = toy.asked.filter((what) => what.startsWith("part"));
    expect(parts.length).toBeLessThan(5);
    expect(parts).toContain("part 39");
  });

  test("the ring is bounded: what is not released is not read on", async () => {
    const { bridge } = await openToy();
    expect((await readAll(bridge.freeze(), 0, 100)).held).toBe(4);
  });

  test("nothing is in it: no chunk, and totals at once", async () => {
    const { bridge } = await openToy({}, []);
    expect((await readAll(bridge.freeze())).totals).toEqual({ chunks: 0, records: 0 });
  });

  test("reading fails, in a part or in its first call => failed, later", async () => {
    const { toy, bridge } = await openToy();
    toy.freeze = () => ({
      *read(): Iterable<Part> {
        yield { records: [Buffer.from("a")] };
        throw new Error("no more");
      },
      close: () => undefined,
    });
    await expect(readAll(bridge.freeze())).rejects.toThrow("no more");
    toy.freeze = () => ({
      read: () => {
        throw new Error("none at all");
      },
      close: () => undefined,
    });
    await expect(readAll(bridge.freeze())).rejects.toThrow("none at all");
  });

  test("freeze() fails, at once or later => readings and sums fail, later", async () => {
    for (const later of [undefined, () => turn()]) {
      const { toy, bridge } = await openToy(later === undefined ? {} : { later });
      toy.fails = { call: "freeze", isDone: false };
      const frozen = bridge.freeze();
      await expect(readAll(frozen)).rejects.toThrow("freeze failed");
      await expect(frozen.digest({})).rejects.toThrow("freeze failed");
      frozen.close();
    }
  });
});

describe("the moment", () => {
  test("a freeze that answers later: nothing is applied before it has", async () => {
    const { toy, bridge } = await openToy({ later: () => turn() });
    const frozen = bridge.freeze();
    const log = logOf([{ records: [setRecord("key00", "new")] }]);
    const answered = new Promise((resolve) => {
      bridge.onAnswer = resolve;
    });
    expect(bridge.applyRange(log, 0, log.length)).toBe(false);
    const second = bridge.freeze();
    expect(await answered).toBeNull();
    expect(toy.map.get("key00")).toBe("new");
    expect((await readAll(frozen)).records).toEqual(wanted);
    expect((await readAll(second)).records[0]).toBe(setRecord("key00", "new").toString());
    expect(toy.asked.filter((what) => !what.startsWith("part"))).toEqual([
      "freeze",
      "apply",
      "freeze",
    ]);
  });

  test("what it pins and how large it is; closed, it pins nothing", async () => {
    const { bridge } = await openToy();
    const [first, second] = [bridge.freeze(), bridge.freeze()];
    const bytes = wanted.reduce((sum, { length }) => sum + length, 0);
    expect([first.records, first.bytes]).toEqual([40, bytes]);
    expect(bridge.memory()).toEqual({ dataBytes: bytes, pinnedBytes: 80 });
    expect(bridge.reclaimableBytes([first, second])).toBe(80);
    first.close();
    expect(bridge.memory().pinnedBytes).toBe(40);
    expect(bridge.reclaimableBytes([first])).toBe(0);
    second.close();
  });

  test("closed while it is read: readers fail, then the state's own is closed, once", async () => {
    const { toy, bridge } = await openToy();
    const frozen = bridge.freeze();
    const told: string[] = [];
    const reader: ChunkReader = frozen.read(0, {
      ready: () => undefined,
      failed: (why) => told.push(why),
    });
    await turn();
    await turn();
    frozen.close();
    frozen.close();
    expect([told, reader.take(), reader.totals]).toEqual([[], null, null]);
    await turn();
    await turn();
    expect(told).toEqual(["closed"]);
    expect(toy.asked.filter((what) => what === "close frozen")).toHaveLength(1);
    expect(() => frozen.read(0, { ready: () => undefined, failed: () => undefined })).toThrow(
      "ERR_STORE_SNAPSHOT_CLOSED",
    );
  });

  test("closed before the freeze has answered: closed once it has", async () => {
    const { toy, bridge } = await openToy({ later: () => turn() });
    bridge.freeze().close();
    await turn();
    await turn();
    expect(toy.asked).toEqual(["freeze", "close frozen"]);
  });
});

describe("sums", () => {
  const SEED = "00112233445566778899aabbccddeeff";

  test("equal content, another order and other parts: equal; one byte more: not", async () => {
    const first = (await openToy()).bridge.freeze();
    const digest = await first.digest({ seed: SEED, buckets: 8 });
    expect(digest.records).toBe(40);
    const { toy, bridge } = await openToy({ partRecords: 7 });
    const reversed = toy.freeze() as Frozen;
    toy.freeze = () => ({
      ...reversed,
      read: (after) =>
        [...(reversed.read(after) as Iterable<Part>)]
          .reverse()
          .map(({ records }) => ({ records: [...records].reverse() })),
    });
    const same = bridge.freeze();
    expect(await same.digest({ seed: SEED, buckets: 8 })).toEqual(digest);
    toy.map.set("key00", "x");
    const { bridge: other } = await openToy({}, [...entries.slice(1), ["key00", "x"] as const]);
    const differs = await other.freeze().digest({ seed: SEED, buckets: 8 });
    expect(differs.sum).not.toBe(digest.sum);
    const buckets = [...differs.buckets].filter((sum, at) => sum !== digest.buckets[at]);
    expect(buckets.length).toBeGreaterThan(0);
    expect(buckets.length).toBeLessThanOrEqual(2);
  });

  test("another seed, another sum; equal records do not cancel out", async () => {
    const { toy, bridge } = await openToy();
    const frozen = bridge.freeze();
    const { sum } = await frozen.digest({ seed: SEED });
    expect((await frozen.digest({})).sum).not.toBe(sum);
    const twice = (times: number): Frozen => ({
      read: () => [{ records: Array.from({ length: times }, () => Buffer.from("r")) }],
      close: () => undefined,
    });
    toy.freeze = () => twice(2);
    const pair = await bridge.freeze().digest({ seed: SEED });
    toy.freeze = () => twice(0);
    expect(pair.sum).not.toBe((await bridge.freeze().digest({ seed: SEED })).sum);
  });

  test("a sum goes on when its snapshot is closed, and the state's own is closed after it", async () => {
    const { toy, bridge } = await openToy();
    const frozen = bridge.freeze();
    const digest = frozen.digest({});
    frozen.close();
    expect(toy.asked).not.toContain("close frozen");
    expect((await digest).records).toBe(40);
    expect(toy.asked).toContain("close frozen");
  });
});
