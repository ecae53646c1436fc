/** Heads and sums. */
import { crc32 as crc32Native } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../src/wire/crc.ts";
import {
  batchChain,
  batchClockMs,
  batchCount,
  batchHeadCrc,
  batchLength,
  batchOffset,
  chainOf,
  chainStart,
  readU64,
  sealBatchHead,
  chunkSum,
  sealChunkHead,
  writeU64,
} from "../../../src/wire/frame.ts";
import { HISTORY, OLDER_HISTORY } from "./examples.ts";
import { START, makeBatch, makeChunk } from "./tools.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

describe("crc32", () => {
  test("check value", () => {
    expect(crc32(Buffer.from("123456789"), 0, 9, 0)).toBe(0xcbf4_3926);
  });

  test("equals zlib's over every length up to 1 KiB, at every alignment, with any seed", () => {
    const bytes = Buffer.from(Array.from({ length: 1100 }, (_, index) => (index * 131) & 255));
    for (let length = 0; length <= 1024; length++) {
      const from = length % 9;
      const seed = (length * 0x9e37_79b1) >>> 0;
      const expected = crc32Native(bytes.subarray(from, from + length), seed);
      expect(crc32(bytes, from, from + length, seed)).toBe(expected);
    }
  });

  test("continues over every split", () => {
    const bytes = fc.uint8Array({ maxLength: 600 });
    fc.assert(
      fc.property(bytes, fc.nat(600), u32, (whole, place, seed) => {
        const at = Math.min(place, whole.length);
        const first = crc32(whole, 0, at, seed);
        expect(crc32(whole, at, whole.length, first)).toBe(crc32(whole, 0, whole.length, seed));
      }),
    );
  });

  test("takes shared memory, short and long", () => {
    for (const length of [20, 2000]) {
      const shared = Buffer.from(new SharedArrayBuffer(length)).fill(5);
      expect(crc32(shared, 0, length, 0)).toBe(crc32Native(Buffer.alloc(length, 5)));
    }
  });
});

describe("u64", () => {
  test("write, then read", () => {
    const bytes = Buffer.alloc(10);
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        writeU64(bytes, value, 1);
        expect(readU64(bytes, 1)).toBe(value);
        expect(bytes.readBigUInt64LE(1)).toBe(BigInt(value));
      }),
    );
  });
});

describe("batch head", () => {
  test("sealed inside a larger buffer => every reader gives what was written", () => {
    const bytes = Buffer.alloc(200, 0xcc);
    bytes.writeUInt32LE(60, 7 + 36);
    const offset = 2 ** 52 + 5;
    const clockMs = 2 ** 41 + 3;
    const chain = sealBatchHead(bytes, 7, 100, 1, offset, clockMs, 0x1234_5678);
    expect(batchLength(bytes, 7)).toBe(100);
    expect(batchCount(bytes, 7)).toBe(1);
    expect(batchOffset(bytes, 7)).toBe(offset);
    expect(batchClockMs(bytes, 7)).toBe(clockMs);
    expect(batchChain(bytes, 7)).toBe(chain);
    expect(batchHeadCrc(bytes, 7)).toBe(crc32Native(bytes.subarray(11, 43)));
    expect(chain).toBe(crc32Native(bytes.subarray(15, 107), 0x1234_5678));
    expect(chainOf(bytes, 7, 100, 0x1234_5678)).toBe(chain);
    expect([bytes[6], bytes[107]]).toEqual([0xcc, 0xcc]);
  });

  test.each([
    ["no records", 40, 0, 0],
    ["fewer bytes than its records' lengths", 43, 2, 0],
    ["beyond 2^53", 40, 1, Number.MAX_SAFE_INTEGER - 10],
  ])("%s => AssertionError", (_what, length, count, offset) => {
    expect(() => sealBatchHead(Buffer.alloc(50), 0, length, count, offset, 0, 0)).toThrow(
      expect.objectContaining({ name: "AssertionError" }),
    );
  });
});

describe("chain", () => {
  test("at 0 it is the crc32 of the history's bytes", () => {
    expect(chainStart(HISTORY)).toBe(crc32Native(Buffer.from(HISTORY, "hex")));
    expect(() => chainStart("not an id")).toThrow(/32 lower-case hex digits/);
  });

  test("two histories + an equal last batch => different chains", () => {
    const last = [Buffer.from("the same record")];
    const chains = [HISTORY, OLDER_HISTORY].map(
      (history) => makeBatch(last, 500, chainStart(history)).chain,
    );
    expect(chains[0]).not.toBe(chains[1]);
  });

  test("the chain before is a seed only: as bytes under its own seed it would erase itself", () => {
    const payload = Buffer.from("payload");
    fc.assert(
      fc.property(u32, u32, (one, other) => {
        const asBytes = (chain: number): Buffer => {
          const bytes = Buffer.alloc(4);
          bytes.writeUInt32LE(chain);
          return bytes;
        };
        const hashed = (chain: number): number =>
          crc32Native(Buffer.concat([asBytes(chain), payload]), chain);
        expect(crc32Native(asBytes(one), one)).toBe(0x2144_df1c);
        expect(hashed(one)).toBe(hashed(other));
        const seeded = [one, other].map((chain) => crc32Native(payload, chain));
        expect(seeded[0] === seeded[1]).toBe(one === other);
      }),
    );
  });

  test("every byte from the type to the last of the payload is in it", () => {
    const { bytes, chain } = makeBatch([Buffer.from("record")], 0, START);
    for (let at = 8; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(chainOf(changed, 0, changed.length, START)).not.toBe(chain);
    }
  });
});

describe("chunk head", () => {
  test("digest = crc32 of number and payload; the same payload elsewhere has another", () => {
    const payload = Buffer.from("payload");
    const { bytes, digest } = makeChunk(3, payload);
    expect(digest).toBe(crc32Native(Buffer.concat([Buffer.from([3, 0, 0, 0]), payload])));
    expect(bytes.readUInt32LE(4)).toBe(digest);
    expect(makeChunk(4, payload).digest).not.toBe(digest);
  });

  test("in shared memory, as a serializer's ring is", () => {
    const shared = Buffer.from(new SharedArrayBuffer(27));
    shared.write("payload", 20);
    const { bytes, digest } = makeChunk(3, Buffer.from("payload"));
    expect(chunkSum(shared, 20, 27, 3)).toBe(digest);
    sealChunkHead(shared, 0, 3, 7, digest);
    expect(Buffer.compare(shared, bytes)).toBe(0);
  });
});
