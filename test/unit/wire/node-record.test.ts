/** Node batches: what is written is read back, and what a peer made of one is refused. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { WireError } from "../../../src/errors.ts";
import { encodeNodeRecord, readNodeBatch } from "../../../src/wire/node-record.ts";
import { NODE_BATCH } from "./examples.ts";
import { makeBatch, START } from "./tools.ts";
import { NO_SYNC } from "../../../src/wire/messages.ts";

const { record } = NODE_BATCH;

function read(bytes: Buffer): unknown {
  return readNodeBatch(makeBatch([bytes], 0, START).bytes, 0);
}

test.each([
  ["all of it", record],
  ["the first history of a cluster", { ...record, parent: null }],
  ["nothing is confirmed", { ...record, sync: NO_SYNC }],
])("%s => read back", (_name, value) => {
  expect(read(encodeNodeRecord(value))).toEqual(value);
});

test("a byte too many, one too few, two records => refused", () => {
  const bytes = encodeNodeRecord(record);
  expect(() => read(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(
    "1 bytes after the last field",
  );
  expect(() => read(bytes.subarray(0, -1))).toThrow("the body ends");
  const two = makeBatch([bytes, bytes], 0, START).bytes;
  expect(() => readNodeBatch(two, 0)).toThrow("its record is not all of it");
});

test("any bytes => a record that is written as these bytes, or a WireError", () => {
  const damaged = fc
    .tuple(fc.nat(encodeNodeRecord(record).length - 1), fc.nat(255))
    .map(([at, value]) => {
      const bytes = Buffer.from(encodeNodeRecord(record));
      bytes[at] = value;
      return bytes;
    });
  const any = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, any), (bytes) => {
      try {
        const value = readNodeBatch(makeBatch([bytes], 0, START).bytes, 0);
        expect(encodeNodeRecord(value).equals(bytes)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
  );
});
