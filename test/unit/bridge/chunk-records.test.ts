/** Records cut into chunks and joined again: a function of the records alone, and no trust in lengths. */
import { describe, expect, test } from "vitest";
import { ChunkCutter, ChunkJoiner } from "../../../src/bridge/chunk-records.ts";
import { Random } from "../../../tools/random.ts";

const MAX = 40;

function cut(records: readonly Buffer[], done = 0): Buffer[] {
  const cutter = new ChunkCutter(MAX, done);
  const chunks: Buffer[] = [];
  let chunk = Buffer.alloc(MAX);
  cutter.begin(chunk, 0);
  for (const record of records)
    while (!cutter.put(record)) {
      chunks.push(chunk.subarray(0, cutter.filled));
      chunk = Buffer.alloc(MAX);
      cutter.begin(chunk, 0);
    }
  if (cutter.filled > 0) chunks.push(chunk.subarray(0, cutter.filled));
  return chunks;
}

function join(chunks: readonly Buffer[]): {
  readonly records: string[];
  readonly joiner: ChunkJoiner;
} {
  const joiner = new ChunkJoiner();
  const records: string[] = [];
  for (const chunk of chunks) {
    const before = records.length;
    const taken = joiner.take(chunk, 0, chunk.length);
    let bytes = 0;
    taken.each((from, at, to) => {
      bytes += to - at;
      records.push(from.toString("latin1", at, to));
    });
    expect([taken.count, taken.bytes]).toEqual([records.length - before, bytes]);
    expect([...taken].map((record) => record.toString("latin1"))).toEqual(records.slice(before));
  }
  return { records, joiner };
}

describe("records as chunks", () => {
  test("a record that fits into a chunk is never cut; one that does not begins a chunk", () => {
    const records = [10, 10, 10, 90, 3, 36, 0].map((bytes) => Buffer.alloc(bytes, bytes));
    const chunks = cut(records);
    expect(chunks.map(({ length }) => length)).toEqual([28, 14, 40, 40, 21, 40, 4]);
    expect(join(chunks).records).toEqual(records.map((record) => record.toString("latin1")));
  });

  test("seeded records: come out as they went in, whatever their sizes", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const records = Array.from({ length: random.between(0, 31) }, () =>
        Buffer.alloc(random.between(0, random.fraction() < 0.1 ? 200 : 30), random.between(0, 256)),
      );
      const { records: joined, joiner } = join(cut(records));
      expect(joined, `seed ${seed}`).toEqual(records.map((record) => record.toString("latin1")));
      const bytes = records.reduce((sum, { length }) => sum + length, 0);
      expect([joiner.records, joiner.recordBytes, joiner.isInside]).toEqual([
        records.length,
        bytes,
        false,
      ]);
    }
  });

  test("a chunk that ends inside a length, or a record larger than any => ERR_STORE_CHUNK", () => {
    expect(() => join([Buffer.alloc(3)])).toThrow("ERR_STORE_CHUNK");
    expect(() => join([Buffer.alloc(4, 0xff)])).toThrow("ERR_STORE_CHUNK");
  });

  test("a record of which a part came is inside, and costs what came of it", () => {
    const chunk = Buffer.alloc(10);
    chunk.writeUInt32LE(1_000_000_000);
    const { joiner, records } = join([chunk, chunk]);
    expect([joiner.isInside, records]).toEqual([true, []]);
  });
});
