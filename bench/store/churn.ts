/** Memory after random overwrites with mixed sizes. */
import { KEY_BYTES, nextRandom, record, Store, writeKey } from "./material.ts";
import { report, timed } from "./measure.ts";

export function churn(all: number, overwrites: number): void {
  const keys = Math.min(all, 1_000_000);
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
  const cost = timed(overwrites, () => {
    put(nextRandom(keys), 10 + nextRandom(1000));
    if ((++i & 0xfff) === 0) store.maintain(performance.now());
  });
  report(keys, "churn.mixed", {
    unit: "x of fresh",
    value: store.stats().usedBytes / fresh,
    overwrites,
    cpuUsPerOp: cost.cpuPerOp,
    usedOverDataset: store.stats().usedBytes / store.stats().datasetBytes,
    rssOverUsed: (process.memoryUsage.rss() - rssBefore) / store.stats().usedBytes,
  });
}
