/** Latency as one client sees it, while something else goes on. */
import { performance } from "node:perf_hooks";
import { Resp } from "./resp.ts";

/** One SET at a time until stopped; latencies in ms. */
export async function prober(port: number): Promise<() => Promise<number[]>> {
  const client = await Resp.open(port);
  const latencies: number[] = [];
  let running = true;
  const loop = (async () => {
    while (running) {
      const startedMs = performance.now();
      await client.call("SET", "probe", "x");
      latencies.push(performance.now() - startedMs);
    }
  })();
  return async () => {
    running = false;
    await loop;
    client.close();
    return latencies;
  };
}
