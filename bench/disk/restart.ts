/**
 * A restart with 3 M keys, compacted before: from the start of the process until a GET is answered. redis
 * loads the RDB preamble of its AOF, hawser its checkpoint; both were killed, behind them is a little log.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds, rssBytes } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { benchmark, fill } from "../peers/load.ts";
import { compact } from "./compact.ts";
import { Stage, type Contender } from "./contenders.ts";
import type { Figures, Question } from "./question.ts";

const KEYS = 3_000_000;
const BEHIND = 50_000;
const KEY = `key:${"0".repeat(12)}`;
const POLL_MS = 2;

/** Resolves when a node answers a GET with a value. */
export async function answers(port: number, key: string): Promise<void> {
  for (;;) {
    const client = await Resp.open(port, 10_000);
    for (;;) {
      const reply = await Promise.race([client.call("GET", key), sleep(1_000, null)]);
      // Any value: the load behind the compaction may have written this key again.
      if (typeof reply === "string" && !/^(LOADING|ERR) /.test(reply)) {
        client.close();
        return;
      }
      if (reply === null) break;
      await sleep(POLL_MS);
    }
    client.close();
  }
}

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const node = await stage.primary();
    const count = Math.round(KEYS * share);
    await fill(node.port, count);
    const client = await Resp.open(node.port);
    await compact(contender, client);
    await benchmark(node.port, "set", BEHIND, 8, 16, 1);
    // A second has passed: what everysec promises is on the disk.
    await sleep(1_500);
    client.close();
    await node.kill();
    const startedMs = performance.now();
    node.start();
    await answers(node.port, KEY);
    const seconds = (performance.now() - startedMs) / 1000;
    const again = await Resp.open(node.port);
    const found = Number(await again.call("DBSIZE"));
    again.close();
    if (found < count) throw new Error(`${contender}: ${found} of ${count} keys came back`);
    return {
      restart_s: seconds,
      cpu_s: cpuSeconds(node.pid),
      rss_mb: rssBytes(node.pid) / 1e6,
    };
  } finally {
    await stage.close();
  }
}

const [of, to] = ["hawser everysec", "redis everysec"] as const;

export const RESTART: Question = {
  title: "a restart with 3 M keys, until it answers",
  contenders: [of, to],
  ratios: [
    { figure: "restart_s", of, to, must: 0.7, aim: 0.4 },
    { figure: "cpu_s", of, to, must: 0, aim: 0 },
  ],
  ask,
};
