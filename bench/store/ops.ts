/** What one operation takes: set of a new key, overwrite, get, delete, one at a time and in groups. */
import type { Store as StoreType } from "../../src/store/store.ts";
import { nextRandom, sink, Store } from "./material.ts";
import { report } from "./measure.ts";
import {
  deleteEach,
  getEach,
  getGroups,
  setEach,
  setGroups,
  timedBatches,
  warmUp,
} from "./batches.ts";

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
  const n = Math.min(keys, 3_000_000);
  const any = (): number => nextRandom(keys);
  reportPages(keys);
  warmUp();
  const store = new Store();
  const tell = (
    name: string,
    count: number,
    choose: (i: number) => number,
    run: (store: StoreType) => void,
  ): void => {
    const cost = timedBatches(count, choose, () => run(store));
    report(keys, name, { unit: "us/op", value: cost.perOp, cpu: cost.cpuPerOp });
  };
  tell("set.new", keys, (i) => i, setEach);
  tell("overwrite.one", n, any, setEach);
  store.freeze().close();
  tell("overwrite.afterFreeze", n, any, setEach);
  tell("get.one", n, any, getEach);
  tell("get.group64", n, any, getGroups);
  tell("overwrite.group64", n, any, setGroups);
  tell("delete", n, (i) => (i * 7) % keys, deleteEach);
}
