/** How long a freeze takes, beside an idle control. */
import { fill, nextRandom, sink, Store } from "./material.ts";
import { report } from "./measure.ts";
import { warmUp } from "./batches.ts";

export function freeze(keys: number): void {
  warmUp();
  const store = new Store();
  fill(store, keys);
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
    ["freeze.control.idle", (): void => void (sink.sum += nextRandom(1000))],
    ["freeze", (): void => store.freeze().close()],
  ] as const) {
    const times = timesOf(step);
    report(keys, name, {
      unit: "ms",
      value: times[count >>> 1]!,
      p99: times[Math.floor(count * 0.99)]!,
      longest: times.at(-1)!,
      count,
    });
  }
}
