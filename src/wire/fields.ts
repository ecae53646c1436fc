/**
 * The kinds of fields that a body is made of. A field is written down once and says how it is
 * written, how it is read and how long it can get, so that the three cannot drift apart.
 *
 *   u8 u16 u32     integers                  flag       u8, 0 or 1
 *   u53            u64 below 2^53            choice     u8 from a table
 *   upTo(n)        u64 not above n           optional   flag, then the value if 1
 *   hex(n)         n bytes
 *   text, message  u8 | u16 length, utf-8    list       u8 | u16 count, then the items
 *   struct         fields in the order written here
 *
 * Owns: encodings of single values. Does not own: which message has which (codec.ts).
 * Tested in: test/unit/wire/codec.test.ts, test/unit/wire/fuzz.test.ts.
 */
import assert from "node:assert/strict";
import { LIMITS } from "../limits.ts";
import type { BodyReader, BodyWriter } from "./body.ts";
import { ID_BYTES } from "./id.ts";
import type { Id } from "./messages.ts";
import { clipText } from "./text.ts";

/** One field's encoding. `read` throws WireError ERR_WIRE_BODY, `write` AssertionError. */
export interface Field<T> {
  /** The most bytes a value can take. */
  readonly bytesMax: number;
  write(to: BodyWriter, value: T): void;
  read(from: BodyReader): T;
}

/** The fields of a value, in the order of the wire; `type` and other discriminants are constants. */
export type StructFields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

export const u16: Field<number> = {
  bytesMax: 2,
  write: (to, value) => to.u16(value),
  read: (from) => from.u16(),
};

export const u32: Field<number> = {
  bytesMax: 4,
  write: (to, value) => to.u32(value),
  read: (from) => from.u32(),
};

export const u53: Field<number> = {
  bytesMax: 8,
  write: (to, value) => to.u53(value),
  read: (from) => from.u53(),
};

/** A u64 up to `max`, which is below 2^53. */
export function upTo(max: number): Field<number> {
  return {
    bytesMax: 8,
    write: (to, value) => to.u53(value),
    read(from) {
      const value = from.u53();
      return value <= max ? value : from.fail(`${value}, more than ${max}`);
    },
  };
}

/** A point in time or a duration, ms. */
export const timeMs: Field<number> = upTo(LIMITS.timeMsMax);

/** A power of two, 1 <= value <= max, as u32. */
export function powerOfTwo(max: number): Field<number> {
  const fits = (value: number): boolean =>
    value >= 1 && value <= max && (value & (value - 1)) === 0;
  return {
    bytesMax: 4,
    write(to, value) {
      assert(fits(value), `${value} is not a power of two up to ${max}`);
      to.u32(value);
    },
    read(from) {
      const value = from.u32();
      return fits(value) ? value : from.fail(`${value}, not a power of two up to ${max}`);
    },
  };
}

export const flag: Field<boolean> = {
  bytesMax: 1,
  write: (to, value) => to.u8(value ? 1 : 0),
  read: readFlag,
};

/** `bytes` raw bytes, as lower-case hex digits in memory. */
export function hex(bytes: number): Field<string> {
  return {
    bytesMax: bytes,
    write: (to, value) => to.hex(value, bytes),
    read: (from) => from.hex(bytes),
  };
}

export const id: Field<Id> = hex(ID_BYTES);

/** u8 length, 0 or `bytes`, then the bytes; "" for 0. */
export function maybeHex(bytes: number): Field<string> {
  return {
    bytesMax: 1 + bytes,
    write(to, value) {
      const used = value === "" ? 0 : bytes;
      to.u8(used);
      to.hex(value, used);
    },
    read(from) {
      const used = from.u8();
      if (used !== 0 && used !== bytes) from.fail(`${used} bytes, neither 0 nor ${bytes}`);
      return from.hex(used);
    },
  };
}

/** u8 length, utf-8. */
export const text: Field<string> = {
  bytesMax: 1 + LIMITS.textBytesMax,
  write(to, value) {
    const bytes = Buffer.byteLength(value);
    assert(bytes <= LIMITS.textBytesMax, `a text of ${bytes} bytes`);
    to.u8(bytes);
    to.text(value);
  },
  read: (from) => from.text(from.u8()),
};

/** u16 length, utf-8. For people: one that is too long is cut, not refused, when it is written. */
export const message: Field<string> = {
  bytesMax: 2 + LIMITS.messageBytesMax,
  write(to, value) {
    const clipped = clipText(value, LIMITS.messageBytesMax);
    to.u16(Buffer.byteLength(clipped));
    to.text(clipped);
  },
  read(from) {
    const bytes = from.u16();
    return from.text(
      bytes <= LIMITS.messageBytesMax ? bytes : tooMany(from, bytes, "bytes of text"),
    );
  },
};

/** u8 from a table; every number that is not in the table is an error. */
export function choice<T extends string>(numbers: Readonly<Record<T, number>>): Field<T> {
  const names = new Map<number, T>();
  for (const name of Object.keys(numbers) as T[]) names.set(numbers[name], name);
  return {
    bytesMax: 1,
    write: (to, value) => to.u8(numbers[value]),
    read(from) {
      const number = from.u8();
      return names.get(number) ?? from.fail(`${number}, not one of ${[...names.keys()].join(" ")}`);
    },
  };
}

/** Not on the wire: the value is known from the type of the frame or from another field. */
export function constant<T>(value: T): Field<T> {
  return { bytesMax: 0, write: (_to, given) => assert.equal(given, value), read: () => value };
}

/** The same ascii bytes first in every body, not in memory; then the field. */
export function magic<T>(ascii: string, field: Field<T>): Field<T> {
  const bytes = Buffer.from(ascii).toString("hex");
  return {
    bytesMax: ascii.length + field.bytesMax,
    write(to, value) {
      to.text(ascii);
      field.write(to, value);
    },
    read(from) {
      if (from.hex(ascii.length) !== bytes) from.fail(`the body does not begin with "${ascii}"`);
      return field.read(from);
    },
  };
}

/** u8 from a table for the discriminant `key`, then the fields of that variant. */
export function tagged<T extends object, K extends keyof T>(
  key: K,
  numbers: Readonly<Record<T[K] & string, number>>,
  variants: { readonly [V in T[K] & string]: Field<Extract<T, Readonly<Record<K, V>>>> },
): Field<T> {
  const tag = choice<T[K] & string>(numbers);
  const fields = variants as Readonly<Record<T[K] & string, Field<T>>>;
  const sizes = Object.values<Field<T>>(fields).map((field) => field.bytesMax);
  return {
    bytesMax: tag.bytesMax + Math.max(...sizes),
    write(to, value) {
      const name = value[key] as T[K] & string;
      tag.write(to, name);
      fields[name].write(to, value);
    },
    read: (from) => fields[tag.read(from)].read(from),
  };
}

/** A flag, then the value if it is 1. */
export function optional<T>(field: Field<T>): Field<T | null> {
  return {
    bytesMax: 1 + field.bytesMax,
    write(to, value) {
      to.u8(value === null ? 0 : 1);
      if (value !== null) field.write(to, value);
    },
    read: (from) => (readFlag(from) ? field.read(from) : null),
  };
}

/** A count, u8 when `countMax` fits and else u16, then the items. */
export function list<T>(item: Field<T>, countMax: number): Field<readonly T[]> {
  const wide = countMax > 0xff;
  return {
    bytesMax: (wide ? 2 : 1) + countMax * item.bytesMax,
    write(to, values) {
      assert(values.length <= countMax, `a list of ${values.length}, at most ${countMax}`);
      if (wide) to.u16(values.length);
      else to.u8(values.length);
      for (const value of values) item.write(to, value);
    },
    read(from) {
      const count = wide ? from.u16() : from.u8();
      if (count > countMax) tooMany(from, count, `items, at most ${countMax}`);
      return Array.from({ length: count }, () => item.read(from));
    },
  };
}

/** Fields one after another, in the order of the literal. */
export function struct<T extends object>(fields: StructFields<T>): Field<T> {
  const rows = Object.entries(fields) as [keyof T, Field<T[keyof T]>][];
  return {
    bytesMax: rows.reduce((sum, [, field]) => sum + field.bytesMax, 0),
    write(to, value) {
      for (const [name, field] of rows) field.write(to, value[name]);
    },
    read(from) {
      const value: Partial<T> = {};
      for (const [name, field] of rows) value[name] = field.read(from);
      return value as T;
    },
  };
}

function readFlag(from: BodyReader): boolean {
  const value = from.u8();
  return value <= 1 ? value === 1 : from.fail(`${value}, neither 0 nor 1`);
}

function tooMany(from: BodyReader, seen: number, what: string): never {
  return from.fail(`${seen} ${what}`);
}
