/** Batches of the log as records: counted and visited right, whatever is between them. */
import { describe, expect, test } from "vitest";
import { LogBatch, type MarkWriter } from "../../../src/bridge/records.ts";
import { AT, batchChain, batchLength } from "../../../src/wire/frame.ts";
import { logOf } from "./tools.ts";

const marks: MarkWriter = {
  markAt: (offset, chain, clockMs) => Buffer.from(`${offset} ${chain} ${clockMs}`),
};
const text = (...records: readonly string[]): Buffer[] => records.map((each) => Buffer.from(each));

function visited(batch: LogBatch): string[] {
  const seen: string[] = [];
  batch.each((bytes, from, to) => seen.push(bytes.toString("latin1", from, to)));
  expect([...batch].map(String), "the iterator visits the same").toEqual(seen);
  return seen;
}

describe("batches of the log", () => {
  const log = logOf(
    [
      { records: text("a", "", "ccc"), clockMs: 5 },
      { records: text("the log's own"), isNode: true, clockMs: 6 },
      { records: text("d"), clockMs: 7 },
    ],
    1000,
  );
  const second = batchLength(log, 0);
  const third = second + batchLength(log, second);

  test("a run: records of all batches in order, the node batch's is no record", () => {
    const batch = new LogBatch(log, 0, log.length, marks);
    expect(visited(batch)).toEqual(["a", "", "ccc", "d"]);
    expect([batch.count, batch.bytes, batch.clockMs]).toEqual([4, 5, 7]);
  });

  test("its end is that of the last head, written when it is asked for, once", () => {
    const batch = new LogBatch(log, 0, log.length, marks);
    const chain = batchChain(log, third);
    expect(String(batch.end)).toBe(`${1000 + log.length} ${chain} 7`);
    expect(batch.end).toBe(batch.end);
  });

  test("part of the bytes: only the batches in it; a node batch alone has no records", () => {
    expect(visited(new LogBatch(log, 0, second, marks))).toEqual(["a", "", "ccc"]);
    const node = new LogBatch(log, second, third, marks);
    expect([visited(node), node.count, node.bytes, node.clockMs]).toEqual([[], 0, 0, 6]);
    expect(node.endOffset).toBe(1000 + third);
  });

  test.each([
    ["a record beyond its batch", (bytes: Buffer) => bytes.writeUInt32LE(9, 36)],
    ["a record of 4 GiB", (bytes: Buffer) => bytes.writeUInt32LE(0xffff_ffff, 36)],
    ["fewer records than the head says", (bytes: Buffer) => bytes.writeUInt32LE(4, AT.count)],
    ["a batch longer than what is there", (bytes: Buffer) => bytes.writeUInt32LE(999, AT.length)],
    ["a batch shorter than its head", (bytes: Buffer) => bytes.writeUInt32LE(0, AT.length)],
    ["a record that ends inside the next length", (bytes: Buffer) => bytes.writeUInt32LE(3, 36)],
  ])("%s => ERR_STORE_RECORD, nothing is visited", (_, damage) => {
    const bytes = Buffer.from(log);
    damage(bytes);
    expect(() => new LogBatch(bytes, 0, bytes.length, marks)).toThrow("ERR_STORE_RECORD");
  });
});
