/** Record form, size classes and copies: the parts without state. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { copyBytes, copyOut, copyTail, forgetSource, transcribe } from "../../../src/store/copy.ts";
import * as layout from "../../../src/store/layout.ts";
import { classBytes, classOf } from "../../../src/store/size-classes.ts";

const MIB = 1024 * 1024;

test("size classes: the smallest that holds a size, never an eighth more than a record above 128", () => {
  for (let bytes = 8; bytes <= 70_000; bytes += 8) {
    const index = classOf(bytes);
    expect(classBytes(index)).toBeGreaterThanOrEqual(bytes);
    if (index > 0) expect(classBytes(index - 1)).toBeLessThan(bytes);
    expect(classBytes(index) % 8).toBe(0);
    if (bytes >= 128) expect(classBytes(index)).toBeLessThanOrEqual((bytes * 9) / 8);
  }
  for (const bytes of [512 * MIB, 512 * MIB + 8, 1024 * MIB, 1024 * MIB + 24]) {
    const index = classOf(bytes);
    expect(classBytes(index)).toBeGreaterThanOrEqual(bytes);
    expect(classBytes(index - 1)).toBeLessThan(bytes);
  }
});

test("16-byte key and 100-byte value => 128 bytes", () => {
  expect(layout.recordBytes(16, 100, 0)).toBe(128);
});

test("lengths, expiry and form come back as written", () => {
  const words = new Uint32Array(16);
  const cases = [0, 1, 16, 1023, 1024, 512 * MIB].flatMap((key) =>
    [0, 1, 100, MIB - 1, MIB, 512 * MIB].flatMap((value) =>
      [0, 1, 0xffff_ffff, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER].map(
        (expireAt) => [key, value, expireAt] as const,
      ),
    ),
  );
  for (const [key, value, expireAt] of cases) {
    const head = layout.writeLengths(words, 4, key, value, expireAt);
    const lengths = words[4 + layout.LENGTHS]!;
    expect(head).toBe(layout.headBytes(key, value, expireAt));
    expect(layout.headOf(lengths)).toBe(head);
    expect(layout.keyBytesOf(lengths)).toBe(key);
    expect(layout.valueBytesOf(lengths, words[7]!)).toBe(value);
    expect(layout.expireAtOf(words, 4)).toBe(expireAt);
    expect(layout.hasExpiry(lengths)).toBe(expireAt !== 0);
    expect(layout.isCanonical(key, value, layout.isWide(lengths))).toBe(true);
    expect(layout.isCanonical(key, value, !layout.isWide(lengths))).toBe(false);
    expect(layout.recordBytesAt(words, 4)).toBe(layout.recordBytes(key, value, expireAt));
  }
});

test("copyTail: any length and alignment, to the last byte of the source => the bytes, zero padding", () => {
  fc.assert(
    fc.property(fc.nat(900), fc.nat(9), fc.nat(5), fc.nat(3), (length, before, after, word) => {
      // Memory that need not end at a word.
      const source = Buffer.from(new ArrayBuffer(before + length + after), 1 % (before + 1));
      for (let i = 0; i < source.length; i++) source[i] = (i * 31 + 7) & 0xff;
      const from = source.length - after - length;
      const memory = new ArrayBuffer(2048);
      const words = new Uint32Array(memory);
      const bytes = Buffer.from(memory).fill(0xee);
      const at = 32 + word * 4;
      copyTail(words, bytes, at, source, from, from + length);
      const end = (at + length + 7) & -8;
      const expected = Buffer.alloc(2048, 0xee);
      expected.fill(0, at, Math.max(end, at));
      source.copy(expected, at, from, from + length);
      expect(bytes.toString("hex")).toBe(expected.toString("hex"));
    }),
    { numRuns: 500 },
  );
});

test("copyBytes: within the same memory, overlapping => as if the source was read first", () => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
  const expected = Buffer.from(bytes);
  expected.copyWithin(10, 0, 100);
  copyBytes(bytes, 10, bytes, 0, 100);
  expect(bytes.equals(expected)).toBe(true);
});

test("transcribe: any length and alignment, to the last byte of both => the bytes, and no others", () => {
  const size = fc.nat(9);
  fc.assert(
    fc.property(fc.nat(900), size, size, size, size, (length, before, after, ahead, behind) => {
      // Memory that need not begin or end at a word, as a view of some that does.
      const source = Buffer.from(new ArrayBuffer(before + length + after), before % 4);
      for (let i = 0; i < source.length; i++) source[i] = (i * 31 + 7) & 0xff;
      const from = Math.max(source.length - after - length, 0);
      const to = Math.min(from + length, source.length);
      const target = Buffer.from(new ArrayBuffer(ahead + length + behind), ahead % 4).fill(0xee);
      const at = Math.max(target.length - behind - length, 0);
      const expected = Buffer.from(target);
      source.copy(expected, at, from, to);
      expect(transcribe(target, at, source, from, to)).toBe(at + to - from);
      expect(target.toString("hex")).toBe(expected.toString("hex"));
    }),
    { numRuns: 1000 },
  );
  forgetSource();
});

test("copyOut: any length and alignment, to the last word of the source => the bytes, in memory that nobody shares", () => {
  const buffer = new SharedArrayBuffer(4096);
  const [bytes, words] = [Buffer.from(buffer), new Uint32Array(buffer)];
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + 7 + (i >>> 8)) & 0xff;
  const before = Buffer.from(bytes);
  const kept: { readonly copy: Buffer; readonly expected: string }[] = [];
  fc.assert(
    fc.property(fc.nat(900), fc.nat(4096), fc.boolean(), (length, start, isAtEnd) => {
      const from = isAtEnd ? bytes.length - length : Math.min(start, bytes.length - length);
      const expected = before.toString("hex", from, from + length);
      const copy = copyOut(words, bytes, from, from + length);
      expect(copy.toString("hex")).toBe(expected);
      kept.push({ copy, expected });
    }),
    { numRuns: 2000 },
  );
  // None of them was written over by a later one, and what is written into one is in no other, nor in the source.
  for (const { copy, expected } of kept) {
    expect(copy.toString("hex")).toBe(expected);
    copy.fill(0);
  }
  expect(bytes.equals(before)).toBe(true);
});

test("copyOut: where Buffer's memory is not at a word => the bytes all the same", () => {
  const buffer = new SharedArrayBuffer(1024);
  const [bytes, words] = [Buffer.from(buffer), new Uint32Array(buffer)];
  for (let i = 0; i < bytes.length; i++) bytes[i] = i & 0xff;
  const unaligned = vi.spyOn(Buffer, "allocUnsafe").mockImplementation((size) => {
    const memory = new ArrayBuffer(size + 1);
    return Buffer.from(memory, 1);
  });
  try {
    expect(copyOut(words, bytes, 5, 205).equals(bytes.subarray(5, 205))).toBe(true);
    expect(unaligned).toHaveBeenCalledTimes(1);
  } finally {
    unaligned.mockRestore();
  }
});
