/**
 * What a client at 5,000 SET/s sees while the state is compacted on disk, 3 M keys: a checkpoint, or
 * redis's BGREWRITEAOF; and before it, as a control.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { quantile } from "../lib/stats.ts";
import { fill } from "../peers/load.ts";
import { compact } from "./compact.ts";
import { Stage, type Contender } from "./contenders.ts";
import { pacedSets } from "./paced.ts";
import type { Figures, Question } from "./question.ts";

const KEYS = 3_000_000;
const PER_SECOND = 5_000;
/** As in pipelined.ts: a server that has run for a while. */
const WARM_UP_MS = 3_000;
const CONTROL_MS = 2_000;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const { port, pid } = await stage.primary();
    await fill(port, Math.round(KEYS * share));
    const client = await Resp.open(port);
    const stopWarmUp = await pacedSets(port, PER_SECOND);
    await sleep(WARM_UP_MS);
    await stopWarmUp();
    const stopControl = await pacedSets(port, PER_SECOND);
    await sleep(CONTROL_MS);
    const control = await stopControl();
    const cpu = cpuSeconds(pid);
    const stop = await pacedSets(port, PER_SECOND);
    const startedMs = performance.now();
    await compact(contender, client);
    const seconds = (performance.now() - startedMs) / 1000;
    const latencies = await stop();
    client.close();
    return {
      set_p50_ms: quantile(latencies, 0.5),
      set_p99_ms: quantile(latencies, 0.99),
      set_max_ms: quantile(latencies, 1),
      control_p99_ms: quantile(control, 0.99),
      compaction_s: seconds,
      // Without redis's child.
      process_cpu_s: cpuSeconds(pid) - cpu,
    };
  } finally {
    await stage.close();
  }
}

const [of, to] = ["hawser everysec", "redis everysec"] as const;

export const CHECKPOINT: Question = {
  title: "SETs at 5 k/s while 3 M keys are compacted",
  contenders: [of, to],
  ratios: [
    { figure: "set_p99_ms", of, to, must: 0.8, aim: 0.5 },
    { figure: "set_max_ms", of, to, must: 0, aim: 0 },
    { figure: "compaction_s", of, to, must: 0, aim: 0 },
  ],
  ask,
};
