/** Keys and records for the questions to the store: keys of 16 bytes, values of 100. */
import { shipped } from "../lib/shipped.ts";
import type { Store as StoreType } from "../../src/store/store.ts";
import { type Cost, timed } from "./measure.ts";

export const { Store } = await shipped("store/store");
export const record = await shipped("store/record");

export const KEY_BYTES = 16;
const VALUE_BYTES = 100;
export const SET_BYTES: number = record.setBytes(KEY_BYTES, VALUE_BYTES, 0);

/** Keeps what is read from being optimized away. */
export const sink = { sum: 0 };

/** xorshift: the same sequence in every run. In an array, because a number above 2^31 is boxed. */
const random = new Int32Array([88172645]);
export function nextRandom(below: number): number {
  let state = random[0]!;
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  random[0] = state;
  return (state >>> 0) % below;
}

/** "key:" and 12 digits. */
export function writeKey(into: Buffer, at: number, n: number): void {
  into[at] = 107;
  into[at + 1] = 101;
  into[at + 2] = 121;
  into[at + 3] = 58;
  for (let i = at + 15; i > at + 3; i--) {
    const rest = (n / 10) | 0;
    into[i] = 48 + (n - rest * 10);
    n = rest;
  }
}

const one = Buffer.alloc(SET_BYTES, 120);
const KEY_AT = record.encodeSetHead(one, 0, KEY_BYTES, 0);

export function setOne(store: StoreType, n: number): void {
  writeKey(one, KEY_AT, n);
  one[KEY_AT + 20] = n & 0xff;
  store.apply(one, 0, SET_BYTES);
}

export function fill(store: StoreType, keys: number): Cost {
  return timed(keys, (i) => setOne(store, i));
}
