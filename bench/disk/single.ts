/** SETs of 50 clients, one command at a time, no replica. */
import { cpuSeconds } from "../lib/process.ts";
import { benchmark } from "../peers/load.ts";
import { Stage, type Contender } from "./contenders.ts";
import type { Figures, Question } from "./question.ts";

/** As in pipelined.ts: a server that has run for a while. */
const WARM_UP = 300_000;
const COUNT = 300_000;
const KEYS = 100_000;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const { port, pid } = await stage.primary();
    const count = Math.round(COUNT * share);
    await benchmark(port, "set", WARM_UP, 50, 1, KEYS);
    const cpu = cpuSeconds(pid);
    const perSecond = await benchmark(port, "set", count, 50, 1, KEYS);
    return { set_per_s: perSecond, primary_cpu_us: ((cpuSeconds(pid) - cpu) * 1e6) / count };
  } finally {
    await stage.close();
  }
}

const figure = "set_per_s";

export const SINGLE: Question = {
  title: "SET of 50 clients without pipelines",
  contenders: ["hawser none", "hawser everysec", "redis everysec", "hawser always", "redis always"],
  ratios: [
    { figure, of: "hawser everysec", to: "hawser none", must: 0.93, aim: 0.98 },
    { figure, of: "hawser always", to: "redis always", must: 0.95, aim: 1.2 },
    { figure, of: "hawser everysec", to: "redis everysec", must: 0, aim: 0 },
    { figure: "primary_cpu_us", of: "hawser everysec", to: "hawser none", must: 0, aim: 0 },
    { figure: "primary_cpu_us", of: "hawser always", to: "redis always", must: 0, aim: 0 },
  ],
  ask,
};
