/** The longest slice while the store grows, beside idle and page-touch controls. */
import { nextRandom, setOne, sink, Store } from "./material.ts";
import { longest, reportLongest } from "./measure.ts";
import { warmUp } from "./batches.ts";

export function growth(keys: number): void {
  warmUp();
  const slices = Math.ceil(keys / 256);
  const idle = longest(slices, () => {
    for (let i = 0; i < 20_000; i++) sink.sum += nextRandom(1000);
  });
  reportLongest(keys, "growth.control.idle", idle);
  const bytes = new Uint8Array(new SharedArrayBuffer(Math.min(keys * 128, 1 << 30)));
  const touching = longest(bytes.length / 32768, (i) => {
    for (let at = i * 32768; at < (i + 1) * 32768; at += 4096) bytes[at] = 1;
  });
  reportLongest(keys, "growth.control.pages", touching);
  const store = new Store();
  const grown = longest(slices, (i) => {
    for (let n = i * 256; n < (i + 1) * 256; n++) setOne(store, n);
  });
  reportLongest(keys, "growth", grown);
  // Used to the end: returning the control's gigabyte to the system takes 30 ms and more.
  sink.sum += bytes[5]!;
}
