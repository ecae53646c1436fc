/**
 * Latency of one client's SETs at an even rate: each from the moment it was due, so that what waits
 * behind a pause counts too.
 */
import { performance } from "node:perf_hooks";
import { Resp } from "../lib/resp.ts";

const KEYS = 100_000;
const VALUE = "v".repeat(100);

/** SETs until stopped. @returns a stop that gives latencies, ms */
export async function pacedSets(port: number, perSecond: number): Promise<() => Promise<number[]>> {
  const client = await Resp.open(port);
  const latencies: number[] = [];
  const startedMs = performance.now();
  let sent = 0;
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (; startedMs + (sent * 1000) / perSecond <= nowMs; sent++) {
      const dueMs = startedMs + (sent * 1000) / perSecond;
      const key = `key:${String(sent % KEYS).padStart(12, "0")}`;
      last = client.call("SET", key, VALUE).then(() => latencies.push(performance.now() - dueMs));
    }
  }, 1);
  return async () => {
    clearInterval(timer);
    await last;
    client.close();
    return latencies;
  };
}
