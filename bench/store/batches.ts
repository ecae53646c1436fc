/** Each operation of the store in batches, whose keys are made outside of what is timed. */
import type { Store as StoreType } from "../../src/store/store.ts";
import { KEY_BYTES, nextRandom, record, SET_BYTES, sink, Store, writeKey } from "./material.ts";
import type { Cost } from "./measure.ts";

const GROUP = 64;
/** Records as a log has them, each after its length, and their keys: made outside of what is timed. */
const BATCH = GROUP * 8;
const STEP = SET_BYTES + 4;
const batch = Buffer.alloc(BATCH * STEP, 120);
const froms = new Uint32Array(BATCH);
const tos = new Uint32Array(BATCH);
for (let i = 0; i < BATCH; i++) {
  batch.writeUInt32LE(SET_BYTES, i * STEP);
  froms[i] = record.encodeSetHead(batch, i * STEP + 4, KEY_BYTES, 0);
  tos[i] = froms[i]! + KEY_BYTES;
}
const del = Buffer.alloc(record.delBytes(KEY_BYTES));
record.encodeDelHead(del, 0, KEY_BYTES);

/** The batch's keys are now choose(0), choose(1), ..., and values differ. */
function prepare(first: number, choose: (i: number) => number): void {
  for (let i = 0; i < BATCH; i++) {
    const n = choose(first + i);
    writeKey(batch, froms[i]!, n);
    batch[tos[i]! + 20] = n & 0xff;
  }
}

/**
 * About n operations in batches, as three parts; the median part, us per operation. Only run() is
 * timed.
 */
export function timedBatches(n: number, choose: (i: number) => number, run: () => void): Cost {
  const parts: Cost[] = [];
  const batches = Math.ceil(n / 3 / BATCH);
  for (let p = 0; p < 3; p++) {
    let cpuUs = 0;
    let ms = 0;
    for (let i = 0; i < batches; i++) {
      prepare((p * batches + i) * BATCH, choose);
      const cpu = process.cpuUsage();
      const start = performance.now();
      run();
      ms += performance.now() - start;
      const used = process.cpuUsage(cpu);
      cpuUs += used.user + used.system;
    }
    const count = batches * BATCH;
    parts.push({ perOp: (ms * 1000) / count, cpuPerOp: cpuUs / count });
  }
  return parts.sort((x, y) => x.cpuPerOp - y.cpuPerOp)[1]!;
}

export function setEach(store: StoreType): void {
  for (let i = 0; i < BATCH; i++) {
    const from = i * STEP + 4;
    store.apply(batch, from, from + SET_BYTES);
  }
}

export function getEach(store: StoreType): void {
  for (let i = 0; i < BATCH; i++) {
    if (store.find(batch, froms[i]!, tos[i]!)) sink.sum += store.hitBytes[store.hitFrom]!;
  }
}

const groupFroms = new Uint32Array(GROUP);
const groupTos = new Uint32Array(GROUP);

export function getGroups(store: StoreType): void {
  for (let group = 0; group < BATCH; group += GROUP) {
    for (let i = 0; i < GROUP; i++) {
      groupFroms[i] = froms[group + i]!;
      groupTos[i] = tos[group + i]!;
    }
    store.touch(batch, groupFroms, groupTos, GROUP);
    for (let i = 0; i < GROUP; i++) {
      const found = store.find(batch, groupFroms[i]!, groupTos[i]!);
      if (found) sink.sum += store.hitBytes[store.hitFrom]!;
    }
  }
}

export function deleteEach(store: StoreType): void {
  for (let i = 0; i < BATCH; i++) {
    batch.copy(del, record.RECORD_HEAD_BYTES, froms[i], tos[i]);
    store.apply(del, 0, del.length);
  }
}

export function setGroups(store: StoreType): void {
  store.applyRange(batch, 0, batch.length);
}

/** Every operation often enough to be compiled: what is measured is not the compiler. */
export function warmUp(): void {
  const store = new Store();
  const keys = 200_000;
  const any = (): number => nextRandom(keys);
  timedBatches(
    400_000,
    (i) => i % keys,
    () => setEach(store),
  );
  store.freeze().close();
  for (const run of [setEach, getEach, getGroups]) timedBatches(keys, any, () => run(store));
  timedBatches(keys, any, () => setGroups(store));
  timedBatches(keys, any, () => deleteEach(store));
}
