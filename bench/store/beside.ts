/** Writers beside two open snapshots, idle and being serialized. */
import { setImmediate as turn } from "node:timers/promises";
import type { Store as StoreType } from "../../src/store/store.ts";
import { shipped } from "../lib/shipped.ts";
import { drain } from "./drain.ts";
import { fill, nextRandom, setOne, Store } from "./material.ts";
import { type Cost, ownCpuUs, report } from "./measure.ts";

/** Random overwrites until `done`, in turns of 500; us per operation. */
async function writeUntil(store: StoreType, keys: number, done: () => boolean): Promise<Cost> {
  const cpu = ownCpuUs();
  const start = performance.now();
  let n = 0;
  for (; !done(); n += 500) {
    for (let k = 0; k < 500; k++) setOne(store, nextRandom(keys));
    await turn();
  }
  return { perOp: ((performance.now() - start) * 1000) / n, cpuPerOp: (ownCpuUs() - cpu) / n };
}

function writeFor(store: StoreType, keys: number, ms: number): Promise<Cost> {
  const untilMs = performance.now() + ms;
  return writeUntil(store, keys, () => performance.now() >= untilMs);
}

/** alone: no snapshot. open: two, nobody reads them. read: both are being serialized all the time. */
export async function beside(keys: number): Promise<void> {
  const store = new Store();
  fill(store, keys);
  const { SerializerPool } = await shipped("store/pool");
  const pool = new SerializerPool();
  const rounds: { alone: Cost; open: Cost; read: Cost; mbPerS: number }[] = [];
  for (let round = 0; round < 6; round++) {
    const alone = await writeFor(store, keys, 1000);
    let pair = [store.freeze(), store.freeze()];
    const startMs = performance.now();
    const reading = Promise.all(pair.map((snapshot) => drain(pool, snapshot)));
    let running = true;
    void reading.then(() => (running = false));
    const read = await writeUntil(store, keys, () => !running);
    const ms = performance.now() - startMs;
    const bytes = (await reading).reduce((sum, totals) => sum + totals.bytes, 0);
    for (const snapshot of pair) snapshot.close();
    while (store.maintain(performance.now()));
    pair = [store.freeze(), store.freeze()];
    const open = await writeFor(store, keys, ms);
    for (const snapshot of pair) snapshot.close();
    while (store.maintain(performance.now()));
    // The first round starts the threads and grows the arena.
    if (round > 0) rounds.push({ alone, open, read, mbPerS: bytes / 1e3 / ms });
  }
  const middle = (of: (round: (typeof rounds)[number]) => number): number =>
    rounds.map(of).sort((a, b) => a - b)[rounds.length >>> 1]!;
  report(keys, "beside.two", {
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
