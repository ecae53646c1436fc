/** What one operation takes: set of a new key, overwrite, get, delete, one at a time and in groups. */
import { nextRandom, sink, Store } from "./material.ts";
import { type Cost, report } from "./measure.ts";
import {
  deleteEach,
  getEach,
  getGroups,
  setEach,
  setGroups,
  timedBatches,
  warmUp,
} from "./operations.ts";

/** What the system takes for fresh memory, of which a new key of this size takes 0.035 pages. */
function reportPages(keys: number): void {
  const segments = 64;
  const pageBytes = 4096;
  const cpu = process.cpuUsage();
  for (let n = 0; n < segments; n++) {
    const bytes = new Uint8Array(new SharedArrayBuffer(1024 * 1024));
    for (let at = 0; at < bytes.length; at += pageBytes) bytes[at] = 1;
    sink.sum += bytes[5]!;
  }
  const used = process.cpuUsage(cpu);
  const pages = segments * ((1024 * 1024) / pageBytes);
  report(keys, "control.pages", { unit: "us/page", cpu: (used.user + used.system) / pages });
}

export function ops(keys: number): void {
  const tell = (name: string, cost: Cost): void => {
    report(keys, name, { unit: "us/op", value: cost.perOp, cpu: cost.cpuPerOp });
  };
  const n = Math.min(keys, 3_000_000);
  const any = (): number => nextRandom(keys);
  reportPages(keys);
  warmUp();
  const store = new Store();
  tell(
    "set.new",
    timedBatches(
      keys,
      (i) => i,
      () => setEach(store),
    ),
  );
  tell(
    "overwrite.one",
    timedBatches(n, any, () => setEach(store)),
  );
  store.freeze().close();
  tell(
    "overwrite.afterFreeze",
    timedBatches(n, any, () => setEach(store)),
  );
  tell(
    "get.one",
    timedBatches(n, any, () => getEach(store)),
  );
  tell(
    "get.group64",
    timedBatches(n, any, () => getGroups(store)),
  );
  tell(
    "overwrite.group64",
    timedBatches(n, any, () => setGroups(store)),
  );
  tell(
    "delete",
    timedBatches(
      n,
      (i) => (i * 7) % keys,
      () => deleteEach(store),
    ),
  );
}
