/** Reads and overwrites of a store with a million keys, one by one and in groups of 64. */
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { KEY_BYTES, randomSets, Sequence, SET_BYTES, setRecords, VALUE_BYTES } from "./material.ts";

const KEYS = 1_000_000;
/** Operations of one run; the keys of every run are the same, and random. */
const OPS = 16_384;
const GROUP = 64;
/** From a record's length to its key. */
const KEY_AT = 10;

export async function store(): Promise<Case[]> {
  const { Store } = await shipped("store/store");
  const filled = new Store();
  const present = setRecords(KEYS, (i) => i);
  filled.applyRange(present, 0, present.length);
  const records = randomSets(OPS, KEYS);
  const from = Uint32Array.from({ length: OPS }, (_, i) => i * SET_BYTES + KEY_AT);
  const to = from.map((at) => at + KEY_BYTES);
  const floor = copyingRandom(present, from);
  let sum = 0;
  const get = (i: number): void => {
    if (filled.find(records, from[i]!, to[i]!)) sum += filled.hitBytes[filled.hitFrom]!;
  };
  const question = (name: string, operation: string, run: () => void): Case => ({
    name: `store.${name}`,
    operation: `${operation}, ${KEYS} keys`,
    ops: OPS,
    bytes: KEY_BYTES + VALUE_BYTES,
    run,
    floor,
  });
  return [
    question("get.one", "one get", () => {
      for (let i = 0; i < OPS; i++) get(i);
    }),
    question("get.group", `a get of a group of ${GROUP}`, () => {
      for (let at = 0; at < OPS; at += GROUP) {
        filled.touch(records, from.subarray(at, at + GROUP), to.subarray(at, at + GROUP), GROUP);
        for (let i = at; i < at + GROUP; i++) get(i);
      }
      if (sum < 0) throw new Error("unreachable: bytes are not negative");
    }),
    question("set.one", "one overwrite", () => {
      for (let at = 0; at < records.length; at += SET_BYTES)
        filled.apply(records, at + 4, at + SET_BYTES);
    }),
    question("set.group", `an overwrite of a group of ${GROUP}`, () => {
      filled.applyRange(records, 0, records.length);
    }),
  ];
}

/** The values of the same keys, copied from where they would be in an array. */
function copyingRandom(present: Buffer, keys: Uint32Array): Case["floor"] {
  const sequence = new Sequence();
  const places = keys.map(() => sequence.below(KEYS) * SET_BYTES + KEY_AT + KEY_BYTES);
  const into = Buffer.alloc(VALUE_BYTES);
  return {
    name: "Buffer.copy of the values from random places",
    run: () => {
      for (const place of places) present.copy(into, 0, place, place + VALUE_BYTES);
    },
  };
}
