/** Bytes for each key after a fresh load, and what deleting 90 % gives back. */
import { setImmediate as turn } from "node:timers/promises";
import { fill, KEY_BYTES, record, Store, writeKey } from "./material.ts";
import { longest, report } from "./measure.ts";

const del = Buffer.alloc(record.delBytes(KEY_BYTES));
record.encodeDelHead(del, 0, KEY_BYTES);

export async function memory(keys: number): Promise<void> {
  const rssBefore = process.memoryUsage.rss();
  const store = new Store();
  fill(store, keys);
  const used = store.stats().usedBytes;
  report(keys, "memory.fresh", {
    unit: "bytes/key",
    value: used / keys,
    rssOverUsed: (process.memoryUsage.rss() - rssBefore) / used,
  });
  for (let n = 0; n < keys; n++) {
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
  report(keys, "memory.afterDelete90", {
    unit: "bytes/key left",
    value: store.stats().usedBytes / (keys / 10),
    rssLeftMb: (process.memoryUsage.rss() - rssBefore) / 1e6,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (spent.user + spent.system) / 1e6,
    slices: slices.length,
    medianSliceMs: slices[slices.length >>> 1]!,
    p99SliceMs: slices[Math.floor(slices.length * 0.99)]!,
    longestSliceMs: slices.at(-1)!,
  });
}
