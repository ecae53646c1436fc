/**
 * What the store costs. One JSON line for each question, CPU time (user and system, all threads)
 * beside every rate.
 *
 *   npx tsx bench/store.ts [--keys 1000000] [--only ops,growth,...] [--churn 20000000]
 *
 *   ops      set of a new key, overwrite, get, delete: one at a time and in groups of 64
 *   growth   the longest slice while growing, beside idle and page-touch controls
 *   memory   bytes per key after a fresh load, and what deleting 90 % gives back
 *   churn    memory after random overwrites with mixed sizes
 *   freeze   how long a freeze takes
 *   ship     serializing in the worker, loading
 *   beside   writers beside two open snapshots, idle and being serialized
 *
 * Keys are 16 bytes, values 100. Making keys is not timed where operations are. "control" is what the
 * machine takes by itself.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setImmediate as turn } from "node:timers/promises";
import { CHUNK_HEAD_BYTES } from "../src/wire/frame.ts";
import { SerializerPool } from "../src/store/pool.ts";
import * as record from "../src/store/record.ts";
import type { Snapshot } from "../src/store/snapshot.ts";
import { Store } from "../src/store/store.ts";

const { values: args } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    only: { type: "string", default: "ops,growth,memory,churn,freeze,ship,beside" },
    churn: { type: "string", default: "20000000" },
    worker: { type: "string" },
  },
});
const KEYS = Number(args.keys);
const CHURN = Number(args.churn);
const KEY_BYTES = 16;
const VALUE_BYTES = 100;
const SET_BYTES = record.setBytes(KEY_BYTES, VALUE_BYTES, 0);
const GROUP = 64;

function report(name: string, fields: Record<string, number | string>): void {
  const rounded = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === "number" ? Number(value.toPrecision(4)) : value,
    ]),
  );
  console.log(
    JSON.stringify({ bench: `store.${name}`, keys: KEYS, ...rounded, node: process.version }),
  );
}

/** xorshift: the same sequence in every run. In an array, because a number above 2^31 is boxed. */
const random = new Int32Array([88172645]);
function nextRandom(below: number): number {
  let state = random[0]!;
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  random[0] = state;
  return (state >>> 0) % below;
}

/** "key:" and 12 digits. */
function writeKey(into: Buffer, at: number, n: number): void {
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
const del = Buffer.alloc(record.delBytes(KEY_BYTES));
record.encodeDelHead(del, 0, KEY_BYTES);

function setOne(store: Store, n: number): void {
  writeKey(one, KEY_AT, n);
  one[KEY_AT + 20] = n & 0xff;
  store.apply(one, 0, SET_BYTES);
}

/** CPU time of this thread alone, us; 0 where the system does not tell. */
function ownCpuUs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1000;
  } catch {
    return 0;
  }
}

interface Cost {
  readonly perOp: number;
  readonly cpuPerOp: number;
}

/** Runs `step` n times in three parts; the median part, us per operation. */
function timed(n: number, step: (i: number) => void): Cost {
  const parts: Cost[] = [];
  const part = Math.ceil(n / 3);
  for (let p = 0; p < 3; p++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let i = 0; i < part; i++) step(p * part + i);
    const used = process.cpuUsage(cpu);
    parts.push({
      perOp: ((performance.now() - start) * 1000) / part,
      cpuPerOp: (used.user + used.system) / part,
    });
  }
  return parts.sort((a, b) => a.cpuPerOp - b.cpuPerOp)[1]!;
}

function reportOp(name: string, cost: Cost): void {
  report(name, { unit: "us/op", value: cost.perOp, cpu: cost.cpuPerOp });
}

function fill(store: Store, keys: number): Cost {
  return timed(keys, (i) => setOne(store, i));
}

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
function timedBatches(n: number, choose: (i: number) => number, run: () => void): Cost {
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

let sink = 0;

function setEach(store: Store): void {
  for (let i = 0; i < BATCH; i++) {
    const from = i * STEP + 4;
    store.apply(batch, from, from + SET_BYTES);
  }
}

function getEach(store: Store): void {
  for (let i = 0; i < BATCH; i++) {
    if (store.find(batch, froms[i]!, tos[i]!)) sink += store.hitBytes[store.hitFrom]!;
  }
}

const groupFroms = new Uint32Array(GROUP);
const groupTos = new Uint32Array(GROUP);

function getGroups(store: Store): void {
  for (let group = 0; group < BATCH; group += GROUP) {
    for (let i = 0; i < GROUP; i++) {
      groupFroms[i] = froms[group + i]!;
      groupTos[i] = tos[group + i]!;
    }
    store.touch(batch, groupFroms, groupTos, GROUP);
    for (let i = 0; i < GROUP; i++) {
      const found = store.find(batch, groupFroms[i]!, groupTos[i]!);
      if (found) sink += store.hitBytes[store.hitFrom]!;
    }
  }
}

function deleteEach(store: Store): void {
  for (let i = 0; i < BATCH; i++) {
    batch.copy(del, record.RECORD_HEAD_BYTES, froms[i], tos[i]);
    store.apply(del, 0, del.length);
  }
}

/** Every operation often enough to be compiled: what is measured is not the compiler. */
function warmUp(): void {
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
  timedBatches(keys, any, () => store.applyRange(batch, 0, batch.length));
  timedBatches(keys, any, () => deleteEach(store));
}

/** What the system takes for fresh memory, of which a new key of this size takes 0.035 pages. */
function reportPages(): void {
  const segments = 64;
  const pageBytes = 4096;
  const cpu = process.cpuUsage();
  for (let n = 0; n < segments; n++) {
    const bytes = new Uint8Array(new SharedArrayBuffer(1024 * 1024));
    for (let at = 0; at < bytes.length; at += pageBytes) bytes[at] = 1;
    sink += bytes[5]!;
  }
  const used = process.cpuUsage(cpu);
  const pages = segments * ((1024 * 1024) / pageBytes);
  report("control.pages", { unit: "us/page", cpu: (used.user + used.system) / pages });
}

function ops(): void {
  const n = Math.min(KEYS, 3_000_000);
  const any = (): number => nextRandom(KEYS);
  reportPages();
  warmUp();
  const store = new Store();
  reportOp(
    "set.new",
    timedBatches(
      KEYS,
      (i) => i,
      () => setEach(store),
    ),
  );
  reportOp(
    "overwrite.one",
    timedBatches(n, any, () => setEach(store)),
  );
  store.freeze().close();
  reportOp(
    "overwrite.afterFreeze",
    timedBatches(n, any, () => setEach(store)),
  );
  reportOp(
    "get.one",
    timedBatches(n, any, () => getEach(store)),
  );
  reportOp(
    "get.group64",
    timedBatches(n, any, () => getGroups(store)),
  );
  const setGroups = (): void => store.applyRange(batch, 0, batch.length);
  reportOp("overwrite.group64", timedBatches(n, any, setGroups));
  reportOp(
    "delete",
    timedBatches(
      n,
      (i) => (i * 7) % KEYS,
      () => deleteEach(store),
    ),
  );
}

/** What a client would call a pause. */
const PAUSE_MS = 5;

/** The longest slice, ms, and how many were pauses. */
interface Longest {
  readonly cpu: number;
  readonly wall: number;
  readonly over: number;
  readonly slices: number;
}

/**
 * The longest time a slice kept the loop, ms: CPU time, but at most wall time. CPU time alone counts
 * other threads and its user part comes in ticks of 4 ms; wall time alone counts being descheduled.
 */
function longest(slices: number, slice: (i: number) => void): Longest {
  let longestCpu = 0;
  let longestWall = 0;
  let over = 0;
  for (let i = 0; i < slices; i++) {
    const before = process.cpuUsage();
    const start = performance.now();
    slice(i);
    const wall = performance.now() - start;
    const used = process.cpuUsage(before);
    const cpu = Math.min(wall, (used.user + used.system) / 1000);
    longestCpu = Math.max(longestCpu, cpu);
    longestWall = Math.max(longestWall, wall);
    if (cpu > PAUSE_MS) over += 1;
  }
  return { cpu: longestCpu, wall: longestWall, over, slices };
}

function reportLongest(name: string, { cpu, wall, over, slices }: Longest): void {
  report(name, { unit: "ms", value: cpu, wall, [`over${PAUSE_MS}ms`]: over, slices });
}

function growth(): void {
  warmUp();
  const slices = Math.ceil(KEYS / 256);
  const idle = longest(slices, () => {
    for (let i = 0; i < 20_000; i++) sink += nextRandom(1000);
  });
  reportLongest("growth.control.idle", idle);
  const bytes = new Uint8Array(new SharedArrayBuffer(Math.min(KEYS * 128, 1 << 30)));
  const touching = longest(bytes.length / 32768, (i) => {
    for (let at = i * 32768; at < (i + 1) * 32768; at += 4096) bytes[at] = 1;
  });
  reportLongest("growth.control.pages", touching);
  const store = new Store();
  const grown = longest(slices, (i) => {
    for (let n = i * 256; n < (i + 1) * 256; n++) setOne(store, n);
  });
  reportLongest("growth", grown);
  // Used to the end: returning the control's gigabyte to the system takes 30 ms and more.
  sink += bytes[5]!;
}

async function memory(): Promise<void> {
  const rssBefore = process.memoryUsage.rss();
  const store = new Store();
  fill(store, KEYS);
  const used = store.stats().usedBytes;
  report("memory.fresh", {
    unit: "bytes/key",
    value: used / KEYS,
    rssOverUsed: (process.memoryUsage.rss() - rssBefore) / used,
  });
  for (let n = 0; n < KEYS; n++) {
    if (n % 10 === 0) continue;
    writeKey(del, record.RECORD_HEAD_BYTES, n);
    store.apply(del, 0, del.length);
  }
  const start = performance.now();
  const cpu = process.cpuUsage();
  const slices: number[] = [];
  for (let more = true; more;) {
    const slice = longest(1, () => (more = store.maintain()));
    slices.push(slice.cpu);
    await turn();
  }
  slices.sort((x, y) => x - y);
  const spent = process.cpuUsage(cpu);
  report("memory.afterDelete90", {
    unit: "bytes/key left",
    value: store.stats().usedBytes / (KEYS / 10),
    rssLeftMb: (process.memoryUsage.rss() - rssBefore) / 1e6,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (spent.user + spent.system) / 1e6,
    slices: slices.length,
    medianSliceMs: slices[slices.length >>> 1]!,
    p99SliceMs: slices[Math.floor(slices.length * 0.99)]!,
    longestSliceMs: slices.at(-1)!,
  });
}

function churn(): void {
  const keys = Math.min(KEYS, 1_000_000);
  const rssBefore = process.memoryUsage.rss();
  const value = Buffer.alloc(1200, 120);
  const bytes = Buffer.alloc(1400);
  const store = new Store();
  const put = (n: number, size: number): void => {
    const at = record.encodeSetHead(bytes, 0, KEY_BYTES, 0);
    writeKey(bytes, at, n);
    value.copy(bytes, at + KEY_BYTES, 0, size);
    store.apply(bytes, 0, at + KEY_BYTES + size);
  };
  for (let n = 0; n < keys; n++) put(n, 10 + nextRandom(1000));
  const fresh = store.stats().usedBytes;
  let i = 0;
  const cost = timed(CHURN, () => {
    put(nextRandom(keys), 10 + nextRandom(1000));
    if ((++i & 0xfff) === 0) store.maintain(performance.now());
  });
  report("churn.mixed", {
    unit: "x of fresh",
    value: store.stats().usedBytes / fresh,
    overwrites: CHURN,
    cpuUsPerOp: cost.cpuPerOp,
    usedOverDataset: store.stats().usedBytes / store.stats().datasetBytes,
    rssOverUsed: (process.memoryUsage.rss() - rssBefore) / store.stats().usedBytes,
  });
}

function freeze(): void {
  warmUp();
  const store = new Store();
  fill(store, KEYS);
  const count = 200;
  const timesOf = (step: () => void): number[] => {
    const times: number[] = [];
    for (let n = 0; n < count; n++) {
      const start = performance.now();
      step();
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
  };
  for (const [name, step] of [
    ["freeze.control.idle", (): void => void (sink += nextRandom(1000))],
    ["freeze", (): void => store.freeze().close()],
  ] as const) {
    const times = timesOf(step);
    report(name, {
      unit: "ms",
      value: times[count >>> 1]!,
      p99: times[Math.floor(count * 0.99)]!,
      longest: times.at(-1)!,
      count,
    });
  }
}

/** Reads all chunks of the snapshot as fast as they come; resolves with its totals. */
function drain(
  pool: SerializerPool,
  snapshot: Snapshot,
  each: (bytes: Buffer) => void = () => undefined,
): Promise<{ bytes: number; records: number }> {
  return new Promise((resolve, reject) => {
    const reader = pool.frozen(snapshot).read(0, {
      ready: () => {
        for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
          each(chunk.frame as Buffer);
          reader.release(chunk);
        }
        if (reader.totals !== null) resolve(reader.totals);
      },
      failed: (reason) => reject(new Error(reason)),
    });
  });
}

function newPool(): SerializerPool {
  return new SerializerPool(args.worker === undefined ? {} : { workerUrl: new URL(args.worker) });
}

async function ship(): Promise<void> {
  const store = new Store();
  const keys = Math.min(KEYS, 3_000_000);
  fill(store, keys);
  const pool = newPool();
  const snapshot = store.freeze();
  await drain(pool, snapshot);
  const rates: number[] = [];
  let cpuPerMb = 0;
  for (let n = 0; n < 3; n++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const { bytes } = await drain(pool, snapshot);
    rates.push(bytes / 1e3 / (performance.now() - start));
    const used = process.cpuUsage(cpu);
    cpuPerMb = (used.user + used.system) / 1e3 / (bytes / 1e6);
  }
  report("serialize", {
    unit: "MB/s",
    value: rates.sort((a, b) => a - b)[1]!,
    cpuMsPerMb: cpuPerMb,
  });
  const chunks: Buffer[] = [];
  const totals = await drain(pool, snapshot, (bytes) => chunks.push(Buffer.from(bytes)));
  for (let n = 0; n < 3; n++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const staged = new Store().stage({ records: totals.records, bytes: totals.bytes });
    const loading = longest(chunks.length, (i) => {
      staged.load(chunks[i]!, CHUNK_HEAD_BYTES, chunks[i]!.length);
    });
    staged.finish(totals);
    const used = process.cpuUsage(cpu);
    report("load", {
      unit: "records/s",
      value: totals.records / ((performance.now() - start) / 1000),
      cpuUsPerRecord: (used.user + used.system) / totals.records,
      longestChunkMs: loading.cpu,
    });
    staged.discard();
  }
  snapshot.close();
  await pool.close();
}

/** Random overwrites until `done`, in turns of 500; us per operation. */
async function writeUntil(store: Store, done: () => boolean): Promise<Cost> {
  const cpu = ownCpuUs();
  const start = performance.now();
  let n = 0;
  for (; !done(); n += 500) {
    for (let k = 0; k < 500; k++) setOne(store, nextRandom(KEYS));
    await turn();
  }
  return { perOp: ((performance.now() - start) * 1000) / n, cpuPerOp: (ownCpuUs() - cpu) / n };
}

function writeFor(store: Store, ms: number): Promise<Cost> {
  const untilMs = performance.now() + ms;
  return writeUntil(store, () => performance.now() >= untilMs);
}

/** alone: no snapshot. open: two, nobody reads them. read: both are being serialized all the time. */
async function beside(): Promise<void> {
  const store = new Store();
  fill(store, KEYS);
  const pool = newPool();
  const rounds: { alone: Cost; open: Cost; read: Cost; mbPerS: number }[] = [];
  for (let round = 0; round < 6; round++) {
    const alone = await writeFor(store, 1000);
    let pair = [store.freeze(), store.freeze()];
    const startMs = performance.now();
    const reading = Promise.all(pair.map((snapshot) => drain(pool, snapshot)));
    let running = true;
    void reading.then(() => (running = false));
    const read = await writeUntil(store, () => !running);
    const ms = performance.now() - startMs;
    const bytes = (await reading).reduce((sum, totals) => sum + totals.bytes, 0);
    for (const snapshot of pair) snapshot.close();
    while (store.maintain(performance.now()));
    pair = [store.freeze(), store.freeze()];
    const open = await writeFor(store, ms);
    for (const snapshot of pair) snapshot.close();
    while (store.maintain(performance.now()));
    // The first round starts the threads and grows the arena.
    if (round > 0) rounds.push({ alone, open, read, mbPerS: bytes / 1e3 / ms });
  }
  const middle = (of: (round: (typeof rounds)[number]) => number): number =>
    rounds.map(of).sort((a, b) => a - b)[rounds.length >>> 1]!;
  report("beside.two", {
    unit: "x of alone",
    value: middle((round) => round.alone.perOp / round.read.perOp),
    open: middle((round) => round.alone.perOp / round.open.perOp),
    aloneUs: middle((round) => round.alone.perOp),
    aloneOwnCpuUs: middle((round) => round.alone.cpuPerOp),
    openOwnCpuUs: middle((round) => round.open.cpuPerOp),
    readOwnCpuUs: middle((round) => round.read.cpuPerOp),
    shipMbPerS: middle((round) => round.mbPerS),
  });
  await pool.close();
}

const QUESTIONS: Record<string, () => void | Promise<void>> = {
  ops,
  growth,
  memory,
  churn,
  freeze,
  ship,
  beside,
};
for (const name of args.only.split(",")) await QUESTIONS[name]!();
if (sink === Number.MIN_VALUE) console.log(sink);
