/** Reads and overwrites of a store, one by one and in groups of 64. */
import type { Case } from "../lib/measure.ts";
import type { Store } from "../../src/store/store.ts";
import { shipped } from "../lib/shipped.ts";
import {
  KEY_BYTES,
  randomSets,
  Sequence,
  SET_BYTES,
  setRecords,
  VALUE_BYTES,
  STEADY_KEYS_MAX,
} from "./material.ts";

const KEYS = [STEADY_KEYS_MAX, 1_000_000];
/** Random keys, and how many of them one run takes: the next run takes the next. */
const RECORDS_MAX = 131_072;
const OPS = 4096;
const GROUP = 64;
/** From a record's length to its key. */
const KEY_AT = 10;

export async function store(): Promise<Case[]> {
  const { Store } = await shipped("store/store");
  return KEYS.flatMap((keys) => questions(new Store(), keys));
}

function questions(filled: Store, keys: number): Case[] {
  const count = keys <= STEADY_KEYS_MAX ? OPS : RECORDS_MAX;
  const present = setRecords(keys, (i) => i);
  filled.applyRange(present, 0, present.length);
  const records = randomSets(count, keys);
  const from = Uint32Array.from({ length: count }, (_, i) => i * SET_BYTES + KEY_AT);
  const to = from.map((at) => at + KEY_BYTES);
  const floor = copyingRandom(present, keys, count);
  let sum = 0;
  const get = (i: number): void => {
    if (filled.find(records, from[i]!, to[i]!)) sum += filled.hitBytes[filled.hitFrom]!;
  };
  const question = (name: string, operation: string, run: (start: number) => void): Case => ({
    name: `store.${name}.${keys}`,
    operation: `${operation}, ${keys} keys`,
    ops: OPS,
    isSteady: keys <= STEADY_KEYS_MAX,
    bytes: KEY_BYTES + VALUE_BYTES,
    run: inTurn(count, run),
    floor,
  });
  return [
    question("get.one", "one get", (start) => {
      for (let i = start; i < start + OPS; i++) get(i);
    }),
    question("get.group", `a get of a group of ${GROUP}`, (start) => {
      for (let at = start; at < start + OPS; at += GROUP) {
        filled.touch(records, from.subarray(at, at + GROUP), to.subarray(at, at + GROUP), GROUP);
        for (let i = at; i < at + GROUP; i++) get(i);
      }
      if (sum < 0) throw new Error("unreachable: bytes are not negative");
    }),
    question("set.one", "one overwrite", (start) => {
      for (let i = start; i < start + OPS; i++)
        filled.apply(records, i * SET_BYTES + 4, (i + 1) * SET_BYTES);
    }),
    question("set.group", `an overwrite of a group of ${GROUP}`, (start) => {
      filled.applyRange(records, start * SET_BYTES, (start + OPS) * SET_BYTES);
    }),
  ];
}

/** Calls `run` with the first record of each share of OPS records, again and again. */
function inTurn(count: number, run: (start: number) => void): () => void {
  let start = 0;
  return () => {
    run(start);
    start = (start + OPS) % count;
  };
}

/** The values of the same keys, copied from where they would be in an array. */
function copyingRandom(present: Buffer, keys: number, count: number): Case["floor"] {
  const sequence = new Sequence();
  const places = Uint32Array.from(
    { length: count },
    () => sequence.below(keys) * SET_BYTES + KEY_AT + KEY_BYTES,
  );
  const into = Buffer.alloc(VALUE_BYTES);
  return {
    name: "Buffer.copy of the values from random places",
    run: inTurn(count, (start) => {
      for (const place of places.subarray(start, start + OPS))
        present.copy(into, 0, place, place + VALUE_BYTES);
    }),
  };
}
