/**
 * Records of the log (record.ts) applied to a key space: check first, then effect.
 *
 * checkRecord() finds everything that can be wrong with a record's form before anything changes,
 * so that a GROUP is all or nothing. What a well-formed record does to a missing key is defined
 * (nothing, but for SET and PATCH), never an error: two nodes must not differ in what they refuse.
 *
 * Owns: meaning of records. Does not own: their encoding (record.ts), FLUSH (store.ts).
 */
import { StoreError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { isTime, u32, u64 } from "./bytes.ts";
import type { KeySpace } from "./key-space.ts";
import { OP, SET_HAS_EXPIRY } from "./record.ts";

const HEAD = 6;
const HEAD_EXPIRY = 14;
const HEAD_PATCH = 10;

function refuse(detail: string): never {
  throw new StoreError("ERR_STORE_RECORD", detail);
}

/** Throws StoreError ERR_STORE_RECORD unless bytes[from, to) is one well-formed record. */
export function checkRecord(bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  if (length < 2) refuse(`${length} bytes are no record`);
  const op = bytes[from]!;
  if (op === OP.group) {
    checkGroup(bytes, from, to);
  } else if (op === OP.flush) {
    if (length !== 2 || bytes[from + 1] !== 0) refuse("a FLUSH of another form");
  } else {
    checkKeyed(bytes, from, to, op);
  }
}

function checkKeyed(bytes: Uint8Array, from: number, to: number, op: number): void {
  const flags = bytes[from + 1]!;
  if (flags !== 0 && (op !== OP.set || flags !== SET_HAS_EXPIRY)) {
    refuse(`record type ${op} with flags ${flags}`);
  }
  const head = headOf(op, flags);
  if (to - from < head) refuse(`record type ${op} of ${to - from} bytes`);
  const keyBytes = u32(bytes, from + 2);
  const rest = to - from - head - keyBytes;
  if (keyBytes > LIMITS.keyBytesMax || rest < 0) {
    refuse(`a key of ${keyBytes} bytes in a record of ${to - from}`);
  }
  if (op === OP.set) checkSet(bytes, from, flags, rest);
  else if (op === OP.patch) checkPatch(u32(bytes, from + HEAD), rest);
  else if (op === OP.rename || op === OP.copy) {
    if (rest > LIMITS.keyBytesMax) refuse(`a new key of ${rest} bytes`);
  } else {
    if (rest !== 0) refuse(`${rest} bytes after the key of record type ${op}`);
    if (op === OP.expire) checkTime(bytes, from + HEAD);
  }
}

function headOf(op: number, flags: number): number {
  switch (op) {
    case OP.set:
      return flags === 0 ? HEAD : HEAD_EXPIRY;
    case OP.del:
    case OP.rename:
    case OP.copy:
      return HEAD;
    case OP.expire:
      return HEAD_EXPIRY;
    case OP.patch:
      return HEAD_PATCH;
    default:
      return refuse(`record type ${op} is unknown`);
  }
}

function checkSet(bytes: Uint8Array, from: number, flags: number, valueBytes: number): void {
  if (valueBytes > LIMITS.valueBytesMax) refuse(`a value of ${valueBytes} bytes`);
  if (flags === 0) return;
  checkTime(bytes, from + HEAD);
  if (u64(bytes, from + HEAD) === 0) refuse("a SET with an empty expiry");
}

function checkPatch(at: number, dataBytes: number): void {
  if (at + dataBytes > LIMITS.valueBytesMax) refuse(`a PATCH up to byte ${at + dataBytes}`);
}

function checkTime(bytes: Uint8Array, at: number): void {
  if (!isTime(u32(bytes, at), u32(bytes, at + 4))) refuse("a time that is none");
}

function checkGroup(bytes: Uint8Array, from: number, to: number): void {
  if (bytes[from + 1] !== 0) refuse("a GROUP with flags");
  for (let at = from + 2; at < to;) {
    if (to - at < 4) refuse("a GROUP that ends inside a length");
    const length = u32(bytes, at);
    if (length > to - at - 4) refuse("a GROUP that ends inside a record");
    if (bytes[at + 4] === OP.group) refuse("a GROUP in a GROUP");
    checkRecord(bytes, at + 4, at + 4 + length);
    at += 4 + length;
  }
}

/** Where the key of a checked record starts, or 0 for FLUSH and GROUP. */
export function keyStart(bytes: Uint8Array, from: number): number {
  const op = bytes[from]!;
  if (op >= OP.flush) return 0;
  return from + headOf(op, bytes[from + 1]!);
}

/** End of that key. */
export function keyEnd(bytes: Uint8Array, from: number, start: number): number {
  return start + u32(bytes, from + 2);
}

/** Applies a checked record with a key, whose hash is `tag`. */
export function applyKeyed(
  space: KeySpace,
  tag: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const op = bytes[from]!;
  const start = keyStart(bytes, from);
  const end = keyEnd(bytes, from, start);
  switch (op) {
    case OP.set:
      space.set(tag, bytes, start, end, to, bytes[from + 1] === 0 ? 0 : u64(bytes, from + HEAD));
      return;
    case OP.del:
      space.remove(tag, bytes, start, end);
      return;
    case OP.expire:
      space.expire(tag, bytes, start, end, u64(bytes, from + HEAD));
      return;
    case OP.patch:
      space.patch(tag, bytes, start, end, to, u32(bytes, from + HEAD));
      return;
    default:
      space.copyKey(tag, space.tagOf(bytes, end, to), bytes, start, end, to, op === OP.rename);
  }
}

/** Calls `each` with the range of every record in bytes[from, to), a checked GROUP. */
export function eachOfGroup(
  bytes: Uint8Array,
  from: number,
  to: number,
  each: (from: number, to: number) => void,
): void {
  for (let at = from + 2; at < to;) {
    const end = at + 4 + u32(bytes, at);
    each(at + 4, end);
    at = end;
  }
}
