/** The format that the adapters share: bytes, indexes, what is refused. */
import { expect, test } from "vitest";
import {
  checkKeyValue,
  clearRecord,
  deleteRecord,
  keyFrom,
  keyTo,
  OP,
  putRecord,
} from "../../../src/adapters/key-value-records.ts";

const KEYS = ["", "k", "key", "é", "x".repeat(70_000)];

test("put => the key and the value are where the indexes say, among other bytes", () => {
  for (const key of KEYS)
    for (const value of KEYS) {
      const record = putRecord(Buffer.from(key), Buffer.from(value));
      const bytes = Buffer.concat([Buffer.from("before"), record, Buffer.from("after")]);
      const [from, to] = [6, 6 + record.length];
      checkKeyValue(bytes, from, to);
      expect(bytes[from]).toBe(OP.put);
      expect(bytes.toString("utf8", keyFrom(bytes, from), keyTo(bytes, from, to))).toBe(key);
      expect(bytes.toString("utf8", keyTo(bytes, from, to), to)).toBe(value);
    }
});

test("delete => its key is the rest; clear => one byte", () => {
  for (const key of KEYS) {
    const record = deleteRecord(Buffer.from(key));
    checkKeyValue(record, 0, record.length);
    expect(record.toString("utf8", keyFrom(record, 0), keyTo(record, 0, record.length))).toBe(key);
  }
  checkKeyValue(clearRecord(), 0, 1);
  expect([...putRecord(Buffer.from("ab"), Buffer.from("c"))]).toEqual([1, 2, 0, 0, 0, 97, 98, 99]);
  expect([...deleteRecord(Buffer.from("ab"))]).toEqual([2, 97, 98]);
  expect([...clearRecord()]).toEqual([3]);
});

test.each([
  ["nothing", [], "is empty"],
  ["an unknown first byte", [4], "begins with 4"],
  ["a put without its head", [1, 0, 0, 0], "is a put of 4 bytes"],
  ["a put whose key is longer than it", [1, 2, 0, 0, 0, 97], "has a key of 2 bytes in 6"],
  ["a put whose key is 4 GiB", [1, 255, 255, 255, 255, 97], "has a key of 4294967295 bytes in 6"],
  ["a clear with more", [3, 0], "is a clear of 2 bytes"],
])("%s => ERR_STORE_RECORD", (_, record, why) => {
  const bytes = Buffer.from(record);
  expect(() => checkKeyValue(bytes, 0, bytes.length)).toThrow(
    `ERR_STORE_RECORD: a key-value record ${why}`,
  );
});
