/**
 * Keys and values of a Map as bytes, and back.
 *
 *   utf8    a string as UTF-8; lone surrogates are refused, as they would come back as something else
 *   bytes   a Buffer or Uint8Array; comes back as a Buffer
 *   json    what JSON.stringify writes of it, as UTF-8
 *   plain   any of the three, told apart by the first byte: 0 a string, 1 bytes, 2 JSON
 *
 * Owns: these four. Does not own: records, which have a key and a value (key-value-records.ts).
 * Tested in: test/unit/adapters/map.test.ts.
 */
import { ArgumentError, StoreError } from "../errors.ts";

/** One kind of key or value as bytes. The same value is the same bytes, always. */
export interface Codec<T> {
  /**
   * How many bytes write() makes of it, which follows in the same turn, or never.
   * @throws {ArgumentError} ERR_ARGUMENT for a value that has no bytes
   */
  bytes(value: T): number;
  /** Writes it at `at`; so many bytes as bytes() said. */
  write(value: T, into: Buffer, at: number): void;
  /**
   * Reads `bytes[from, to)`, which is overwritten later: what is kept of it is a copy.
   * @throws where those are not what write() makes of a value
   */
  read(bytes: Buffer, from: number, to: number): T;
}

/** Up to so many characters a loop is faster than a call of the string's own. */
const SHORT = 48;

/** Strings. */
export const utf8: Codec<string> = {
  bytes(text) {
    if (typeof text !== "string") refuse(text, "a string");
    const { length } = text;
    if (length > SHORT) return longBytes(text);
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return longBytes(text);
    return length;
  },
  write(text, into, at) {
    const { length } = text;
    if (length > SHORT) {
      into.write(text, at);
      return;
    }
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        into.write(text, at);
        return;
      }
      into[at + i] = code;
    }
  },
  read(bytes, from, to) {
    if (to - from <= SHORT) {
      const text = shortAscii(bytes, from, to);
      if (text !== null) return text;
    }
    const text = bytes.toString("utf8", from, to);
    // Why so: bytes that are no UTF-8 become U+FFFD, and two keys would be one.
    if (text.includes("\ufffd") && !Buffer.from(text).equals(bytes.subarray(from, to)))
      throw new StoreError("ERR_STORE_RECORD", `a text of ${to - from} bytes is no UTF-8`);
    return text;
  },
};

function longBytes(text: string): number {
  const lone = loneSurrogate(text);
  if (lone >= 0)
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `a string has half of a surrogate pair at ${lone}; text that UTF-8 can hold is allowed`,
    );
  return Buffer.byteLength(text);
}

const SURROGATE = /[\ud800-\udfff]/;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function loneSurrogate(text: string): number {
  return SURROGATE.test(text) ? text.search(LONE) : -1;
}

/** null when it is not ASCII alone. */
function shortAscii(bytes: Buffer, from: number, to: number): string | null {
  for (let i = from; i < to; i++) if (bytes[i]! > 0x7f) return null;
  return bytes.toString("latin1", from, to);
}

/** Buffers and other Uint8Arrays. They come back as Buffers. */
export const bytes: Codec<Uint8Array> = {
  bytes(value) {
    if (!(value instanceof Uint8Array)) refuse(value, "a Uint8Array");
    return value.length;
  },
  write(value, into, at) {
    into.set(value, at);
  },
  read(from, start, end) {
    return Buffer.from(from.subarray(start, end));
  },
};

const JSON_CAN = "what JSON can say, or a codec for it,";

/** What bytes() made last, and of which value: write() need not make it again. */
let made: { readonly of: unknown; readonly text: string } = { of: null, text: "null" };

/**
 * What JSON can say: null, booleans, finite numbers, strings, arrays, plain objects. Inside of a value JSON does
 * what it does: what it leaves out (`undefined`) is not on replicas, and what it changes (a Date) is changed there.
 */
export const json: Codec<unknown> = {
  bytes(value) {
    made = { of: value, text: jsonOf(value) };
    return Buffer.byteLength(made.text);
  },
  write(value, into, at) {
    into.write(made.of === value ? made.text : jsonOf(value), at);
  },
  read(bytes, from, to) {
    try {
      return JSON.parse(utf8.read(bytes, from, to)) as unknown;
    } catch (cause) {
      throw new StoreError("ERR_STORE_RECORD", `a value of ${to - from} bytes is no JSON`, {
        cause,
      });
    }
  },
};

function jsonOf(value: unknown): string {
  demandJson(value);
  let text: unknown;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new ArgumentError("ERR_ARGUMENT", "a value cannot be written as JSON", { cause });
  }
  if (typeof text !== "string") refuse(value, JSON_CAN);
  return text;
}

/** Refuses what JSON would silently make something else of. */
function demandJson(value: unknown): void {
  if (typeof value === "number" && !Number.isFinite(value)) refuse(value, JSON_CAN);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Why the prototype's: that of plain objects is another one in each realm.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) refuse(value, JSON_CAN);
}

const [STRING, BYTES, JSON_TEXT] = [0, 1, 2];

/** Strings, Buffers and other Uint8Arrays as such, all else as JSON. */
export const plain: Codec<unknown> = {
  bytes(value) {
    if (typeof value === "string") return 1 + utf8.bytes(value);
    return 1 + (value instanceof Uint8Array ? value.length : json.bytes(value));
  },
  write(value, into, at) {
    if (typeof value === "string") {
      into[at] = STRING;
      utf8.write(value, into, at + 1);
    } else if (value instanceof Uint8Array) {
      into[at] = BYTES;
      into.set(value, at + 1);
    } else {
      into[at] = JSON_TEXT;
      json.write(value, into, at + 1);
    }
  },
  read(from, start, end) {
    const kind = start < end ? from[start] : undefined;
    if (kind === STRING) return utf8.read(from, start + 1, end);
    if (kind === BYTES) return bytes.read(from, start + 1, end);
    if (kind === JSON_TEXT) return json.read(from, start + 1, end);
    throw new StoreError("ERR_STORE_RECORD", `a value of kind ${kind ?? "none"}`);
  },
};

/** Ready-made keys and values for a codec of your own. */
export const mapCodecs: {
  readonly utf8: Codec<string>;
  readonly bytes: Codec<Uint8Array>;
  readonly json: Codec<unknown>;
  readonly plain: Codec<unknown>;
} = { utf8, bytes, json, plain };

function refuse(value: unknown, allowed: string): never {
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `a key or value is ${kindOf(value)}; ${allowed} is allowed`,
  );
}

function kindOf(value: unknown): string {
  if (value === null || typeof value === "number") return String(value);
  const isClass = typeof value === "object";
  return isClass ? `of class ${value.constructor.name.slice(0, 50)}` : `of type ${typeof value}`;
}
