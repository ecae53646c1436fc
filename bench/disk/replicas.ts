/**
 * A primary with four replicas and 300 k keys is killed under load and started again: full syncs that it
 * takes until all have what it has, and how long that is.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Resp } from "../lib/resp.ts";
import { caughtUp, fill } from "../peers/load.ts";
import { Stage, type Contender } from "./contenders.ts";
import { pacedSets } from "./paced.ts";
import type { Figures, Question } from "./question.ts";
import { answers } from "./restart.ts";

const KEYS = 300_000;
const REPLICAS = 4;
const PER_SECOND = 5_000;
const LOAD_MS = 2_000;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const primary = await stage.primary();
    await fill(primary.port, Math.round(KEYS * share));
    const tails: Resp[] = [];
    for (let n = 0; n < REPLICAS; n++) tails.push(await Resp.open((await stage.replica()).port));
    const stop = await pacedSets(primary.port, PER_SECOND);
    await sleep(LOAD_MS);
    await primary.kill();
    // Nobody waits for its last answer: the connection died with the node.
    void stop();
    const startedMs = performance.now();
    primary.start();
    await answers(primary.port, `key:${"0".repeat(12)}`);
    const answersS = (performance.now() - startedMs) / 1000;
    const head = await Resp.open(primary.port);
    await caughtUp(head, tails);
    const equalS = (performance.now() - startedMs) / 1000;
    const info = await head.info();
    for (const client of [head, ...tails]) client.close();
    return {
      full_syncs: Number(info.get("sync_full")),
      partial_syncs: Number(info.get("sync_partial_ok")),
      answers_s: answersS,
      equal_s: equalS,
    };
  } finally {
    await stage.close();
  }
}

const [of, to] = ["hawser everysec", "redis everysec"] as const;

export const REPLICAS_STAY: Question = {
  title: "a primary with 4 replicas is killed and comes back",
  contenders: [of, to],
  ratios: [
    { figure: "full_syncs", of, to, must: 0, aim: 0 },
    { figure: "equal_s", of, to, must: 0, aim: 0 },
  ],
  ask,
};
