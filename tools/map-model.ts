/** Records of the log applied to a plain Map, in the plainest way: what a store, or any state, must do. */
import { OP } from "../src/store/record.ts";
import { readU64 } from "../src/wire/frame.ts";

export interface Entry {
  readonly value: Buffer;
  readonly expireAt: number;
}
/** By key, as latin1. */
export type Model = Map<string, Entry>;

/** What the record does, said again in the plainest way. */
export function applyToModel(model: Model, bytes: Buffer): void {
  const op = bytes[0];
  if (op === OP.flush) {
    model.clear();
    return;
  }
  if (op === OP.group) {
    for (let at = 2; at < bytes.length;) {
      const length = bytes.readUInt32LE(at);
      applyToModel(model, bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    return;
  }
  const keyBytes = bytes.readUInt32LE(2);
  const extra = op === OP.patch ? 4 : op === OP.expire || bytes[1] === 1 ? 8 : 0;
  const keyAt = 6 + extra;
  const key = bytes.toString("latin1", keyAt, keyAt + keyBytes);
  const rest = Buffer.from(bytes.subarray(keyAt + keyBytes));
  const old = model.get(key);
  if (op === OP.set) {
    model.set(key, { value: rest, expireAt: extra === 0 ? 0 : readU64(bytes, 6) });
  } else if (op === OP.del) {
    model.delete(key);
  } else if (op === OP.expire) {
    if (old) model.set(key, { value: old.value, expireAt: readU64(bytes, 6) });
  } else if (op === OP.patch) {
    const at = bytes.readUInt32LE(6);
    const before = old?.value ?? Buffer.alloc(0);
    const value = Buffer.alloc(Math.max(before.length, at + rest.length));
    before.copy(value);
    rest.copy(value, at);
    model.set(key, { value, expireAt: old?.expireAt ?? 0 });
  } else if (old) {
    const newKey = rest.toString("latin1");
    if (op === OP.rename) model.delete(key);
    model.set(newKey, old);
  }
}
