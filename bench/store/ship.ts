/** Serializing in the worker, loading. */
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { drain } from "./drain.ts";
import { fill, Store } from "./material.ts";
import { longest, report } from "./measure.ts";

export async function ship(all: number): Promise<void> {
  const store = new Store();
  const keys = Math.min(all, 3_000_000);
  fill(store, keys);
  const { SerializerPool } = await shipped("store/pool");
  const pool = new SerializerPool();
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
  report(keys, "serialize", {
    unit: "MB/s",
    value: median(rates),
    cpuMsPerMb: cpuPerMb,
  });
  const chunks: Buffer[] = [];
  const totals = await drain(pool, snapshot, (bytes) => chunks.push(Buffer.from(bytes)));
  for (let n = 0; n < 3; n++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const staged = new Store().stage({ records: totals.records, bytes: totals.bytes });
    const loading = longest(chunks.length, (i) => {
      staged.load(chunks[i]!, 0, chunks[i]!.length);
    });
    staged.finish(totals);
    const used = process.cpuUsage(cpu);
    report(keys, "load", {
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
