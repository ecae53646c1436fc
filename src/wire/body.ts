/**
 * Reads and writes the bytes of one body, one value after another.
 *
 * Reading is of a peer's bytes: whatever is wrong with them is a WireError ERR_WIRE_BODY that says
 * what and where. Writing is of our own values: whatever is wrong with them is an AssertionError.
 *
 * Owns: integers, bounds. Does not own: which fields there are (fields.ts, codec.ts).
 * Tested in: test/unit/wire/codec.test.ts, test/unit/wire/fuzz.test.ts.
 */
import assert from "node:assert/strict";
import { WireError } from "../errors.ts";
import { readU64, writeU64 } from "./frame.ts";

/** Refuses what is not utf-8 and keeps a leading U+FEFF: a text must come out as it went in. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;

/** Reads `bytes[from, to)`; `streamAt` is the position of `from` in the stream, for messages. */
export class BodyReader {
  readonly #bytes: Buffer;
  readonly #to: number;
  readonly #name: string;
  readonly #streamFrom: number;
  #at: number;

  constructor(bytes: Buffer, from: number, to: number, name: string, streamAt: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#to = to;
    this.#name = name;
    this.#streamFrom = streamAt - from;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u53(): number {
    const value = readU64(this.#bytes, this.#take(8));
    if (!Number.isSafeInteger(value)) this.fail("a number of 2^53 or more");
    return value;
  }

  hex(bytes: number): string {
    const at = this.#take(bytes);
    return this.#bytes.toString("hex", at, at + bytes);
  }

  text(bytes: number): string {
    const at = this.#take(bytes);
    try {
      return UTF8.decode(this.#bytes.subarray(at, at + bytes));
    } catch (cause) {
      return this.fail("a text that is not utf-8", { cause });
    }
  }

  /** The body must be used up. */
  end(): void {
    if (this.#at < this.#to) this.fail(`${this.#to - this.#at} bytes after the last field`);
  }

  fail(seen: string, options?: ErrorOptions): never {
    const where = `before byte ${this.#streamFrom + this.#at} of the stream`;
    throw new WireError("ERR_WIRE_BODY", `${this.#name}: ${seen}, ${where}`, options);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#to - at) {
      this.fail(`the body ends after ${this.#to - at} of a field's ${bytes} bytes`);
    }
    this.#at = at + bytes;
    return at;
  }
}

/** Writes to `bytes` from `at` on; the buffer is as large as any body. */
export class BodyWriter {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(value: number): void {
    this.at = this.bytes.writeUInt8(value, this.at);
  }

  u16(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > U16_MAX) assert.fail(`${value} as u16`);
    this.at = this.bytes.writeUInt16LE(value, this.at);
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > U32_MAX) assert.fail(`${value} as u32`);
    this.at = this.bytes.writeUInt32LE(value, this.at);
  }

  u53(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) assert.fail(`${value} as u53`);
    writeU64(this.bytes, value, this.at);
    this.at += 8;
  }

  hex(digits: string, bytes: number): void {
    if (digits.length !== 2 * bytes) assert.fail(`${digits.length} hex digits for ${bytes} bytes`);
    assert.equal(this.bytes.write(digits, this.at, bytes, "hex"), bytes, "hex digits");
    this.at += bytes;
  }

  text(text: string): void {
    this.at += this.bytes.write(text, this.at, "utf8");
  }
}
