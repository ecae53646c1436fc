/**
 * SETs of 8 clients, 64 in a pipeline, one replica: until the last is answered and on the replica. CPU
 * is that of each process, all threads.
 */
import { performance } from "node:perf_hooks";
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { benchmark, caughtUp } from "../peers/load.ts";
import { compact } from "./compact.ts";
import { Stage, type Contender } from "./contenders.ts";
import type { Figures, Question } from "./question.ts";

/** A server that has run for a while: compiled code of all that a SET goes through. */
const WARM_UP = 2_000_000;
const COUNT = 1_000_000;
const KEYS = 1_000_000;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const primary = await stage.primary();
    const replica = await stage.replica();
    const count = Math.round(COUNT * share);
    const head = await Resp.open(primary.port);
    const tail = await Resp.open(replica.port);
    await benchmark(primary.port, "set", WARM_UP, 8, 64, KEYS);
    // Else a checkpoint of what the warm-up logged begins in the middle, and redis was told to begin none.
    if (!contender.endsWith(" none")) await compact(contender, head);
    await caughtUp(head, [tail]);
    const nodes = [primary, replica];
    const cpu = nodes.map(({ pid }) => cpuSeconds(pid));
    const startedMs = performance.now();
    await benchmark(primary.port, "set", count, 8, 64, KEYS);
    await caughtUp(head, [tail]);
    const seconds = (performance.now() - startedMs) / 1000;
    const cpuUs = nodes.map(({ pid }, i) => ((cpuSeconds(pid) - cpu[i]!) * 1e6) / count);
    head.close();
    tail.close();
    return { set_per_s: count / seconds, primary_cpu_us: cpuUs[0]!, replica_cpu_us: cpuUs[1]! };
  } finally {
    await stage.close();
  }
}

const figure = "set_per_s";

export const PIPELINED: Question = {
  title: "SET -P 64, one replica",
  contenders: ["hawser none", "hawser everysec", "redis everysec", "hawser always", "redis always"],
  ratios: [
    { figure, of: "hawser everysec", to: "hawser none", must: 0.95, aim: 0.98 },
    { figure, of: "hawser everysec", to: "redis everysec", must: 1.4, aim: 1.7 },
    { figure, of: "hawser always", to: "redis always", must: 1.4, aim: 1.7 },
    { figure: "primary_cpu_us", of: "hawser everysec", to: "hawser none", must: 0, aim: 0 },
    { figure: "primary_cpu_us", of: "hawser always", to: "redis always", must: 0, aim: 0 },
    { figure: "replica_cpu_us", of: "hawser everysec", to: "redis everysec", must: 0, aim: 0 },
  ],
  ask,
};
