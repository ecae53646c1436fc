/** Random reads and overwrites of a store, one by one, and a freeze, by the number of keys. */
import { performance } from "node:perf_hooks";
import type { Point, Series } from "../lib/chart.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { KEY_BYTES, randomSets, SET_BYTES, setRecords } from "../micro/material.ts";

const KEYS = [10_000, 100_000, 1_000_000, 5_000_000, 20_000_000];
const QUICK_KEYS_MAX = 1_000_000;
/** Random keys of one sample; as many records. */
const OPS = 262_144;
const SAMPLES = 5;
const FREEZES = 9;
const WARM_FREEZES = 200;
const FILL_GROUP = 50_000;
/** From a record's length to its key. */
const KEY_AT = 10;

export async function keys(quick: boolean): Promise<Series[]> {
  const { Store } = await shipped("store/store");
  const store = new Store();
  const found = { get: [] as Point[], set: [] as Point[], freeze: [] as Point[] };
  for (const count of KEYS.filter((n) => !quick || n <= QUICK_KEYS_MAX)) {
    for (let at = store.size; at < count; at += FILL_GROUP) {
      const records = setRecords(Math.min(FILL_GROUP, count - at), (i) => at + i);
      store.applyRange(records, 0, records.length);
    }
    const records = randomSets(OPS, count);
    let sum = 0;
    const get = cpuNs(() => {
      for (let at = KEY_AT; at < records.length; at += SET_BYTES)
        if (store.find(records, at, at + KEY_BYTES)) sum += store.hitBytes[store.hitFrom]!;
    });
    const set = cpuNs(() => {
      for (let at = 0; at < records.length; at += SET_BYTES)
        store.apply(records, at + 4, at + SET_BYTES);
    });
    if (sum === 0) throw new Error("no key was found");
    found.get.push({ x: count, y: get });
    found.set.push({ x: count, y: set });
    found.freeze.push({ x: count, y: freezeUs(store) });
  }
  const of = "keys";
  const log = { of, yScale: "linear" } as const;
  return [
    { id: "keys-get", what: "CPU time of a random get", unit: "ns", points: found.get, ...log },
    {
      id: "keys-set",
      what: "CPU time of a random overwrite",
      unit: "ns",
      points: found.set,
      ...log,
    },
    { id: "keys-freeze", what: "Time of a freeze", unit: "us", points: found.freeze, ...log },
  ];
}

/** Median over the samples, ns for each of OPS operations; a sample before is not counted. */
function cpuNs(run: () => void): number {
  run();
  return median(
    Array.from({ length: SAMPLES }, () => {
      const before = process.cpuUsage();
      run();
      const used = process.cpuUsage(before);
      return ((used.user + used.system) * 1e3) / OPS;
    }),
  );
}

function freezeUs(store: { freeze(): { close(): void } }): number {
  // The first ones are slow: code that was not compiled yet.
  for (let i = 0; i < WARM_FREEZES; i++) store.freeze().close();
  return median(
    Array.from({ length: FREEZES }, () => {
      const startMs = performance.now();
      const snapshot = store.freeze();
      const us = (performance.now() - startMs) * 1e3;
      snapshot.close();
      return us;
    }),
  );
}
