/**
 * Resident memory of 2 M keys of 16 bytes with 100-byte values on a node that never had a replica, for each
 * key: all that the process has more than when it was empty.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { rssBytes } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { fill } from "../peers/load.ts";
import { Stage, type Contender } from "./contenders.ts";
import type { Figures, Question } from "./question.ts";

const KEYS = 2_000_000;
/** What is written is on the disk then, and a checkpoint that began has ended. */
const REST_MS = 3_000;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const { port, pid } = await stage.primary();
    const client = await Resp.open(port);
    const empty = rssBytes(pid);
    const count = Math.round(KEYS * share);
    await fill(port, count);
    await sleep(REST_MS);
    while ((await client.info()).get("rdb_bgsave_in_progress") !== "0") await sleep(50);
    const full = rssBytes(pid);
    const log = Number((await client.info()).get("repl_backlog_histlen") ?? 0);
    client.close();
    return { rss_per_key: (full - empty) / count, empty_mb: empty / 1e6, log_mb: log / 1e6 };
  } finally {
    await stage.close();
  }
}

const figure = "rss_per_key";

export const MEMORY: Question = {
  title: "resident bytes for each of 2 M keys, no replica",
  contenders: ["hawser none", "redis none", "hawser everysec", "redis everysec"],
  ratios: [
    { figure, of: "hawser none", to: "redis none", must: 0.8, aim: 0.75 },
    { figure, of: "hawser everysec", to: "redis everysec", must: 0.8, aim: 0.75 },
  ],
  ask,
};
