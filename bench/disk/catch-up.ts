/**
 * A replica that was away while 1 GB was written comes back: from the moment at which it dials until it has
 * all of it. The primary has that log in memory, or on its disk alone, where the page cache still has it.
 * Clients are served meanwhile at 5,000 SET/s; before it, as a control.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../lib/free-port.ts";
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { quantile } from "../lib/stats.ts";
import { benchmark, caughtUp } from "../peers/load.ts";
import { Stage, type BenchNode, type Contender } from "./contenders.ts";
import { pacedSets } from "./paced.ts";
import type { Figures, Question } from "./question.ts";

const COUNT = 1_000_000;
const VALUE_BYTES = 1_000;
/** With less a quick look saw nothing that was on the disk alone. */
const SHARE_MIN = 0.2;
const KEYS = 100_000;
const WARM_UP = 50_000;
const PER_SECOND = 5_000;
const CONTROL_MS = 2_000;
/** The replica's own work, and nothing else, is due a moment later. */
const SETTLE_MS = 500;

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const primary = await stage.primary();
    const replica = await stage.replica();
    const head = await Resp.open(primary.port);
    const tail = await Resp.open(replica.port);
    await benchmark(primary.port, "set", WARM_UP, 8, 64, KEYS, VALUE_BYTES);
    await caughtUp(head, [tail]);
    // It keeps what it has, and dials where nobody is.
    await tail.call("REPLICAOF", "127.0.0.1", await freePort());
    const count = Math.round(COUNT * Math.max(share, SHARE_MIN));
    await benchmark(primary.port, "set", count, 8, 64, KEYS, VALUE_BYTES);
    await head.call("SET", "last", "1");
    await rested(head);
    const stopControl = await pacedSets(primary.port, PER_SECOND);
    await sleep(CONTROL_MS);
    const control = await stopControl();
    const figures = await comeBack(primary, replica, head, tail);
    head.close();
    tail.close();
    return { ...figures, control_p99_ms: quantile(control, 0.99) };
  } finally {
    await stage.close();
  }
}

async function comeBack(
  primary: BenchNode,
  replica: BenchNode,
  head: Resp,
  tail: Resp,
): Promise<Figures> {
  const counters = async (): Promise<(name: string) => number> => {
    const info = await head.info();
    return (name) => Number(info.get(name) ?? 0);
  };
  const before = await counters();
  const cpu = [primary, replica].map(({ pid }) => cpuSeconds(pid));
  const stop = await pacedSets(primary.port, PER_SECOND);
  const startedMs = performance.now();
  await tail.call("REPLICAOF", "127.0.0.1", primary.replPort);
  while ((await tail.call("GET", "last")) !== "1") await sleep(1);
  const seconds = (performance.now() - startedMs) / 1000;
  const latencies = await stop();
  await caughtUp(head, [tail]);
  const used = [primary, replica].map(({ pid }, i) => cpuSeconds(pid) - cpu[i]!);
  const after = await counters();
  const since = (name: string): number => after(name) - before(name);
  return {
    mb_per_s: since("stream_bytes_sent") / seconds / 1e6,
    seconds,
    from_disk_mb: since("stream_bytes_from_store") / 1e6,
    primary_cpu_s: used[0]!,
    replica_cpu_s: used[1]!,
    full_syncs: since("sync_full"),
    partial_syncs: since("sync_partial_ok"),
    set_p99_ms: quantile(latencies, 0.99),
    set_max_ms: quantile(latencies, 1),
  };
}

/** All that was written is in files, and no checkpoint is under way. */
async function rested(client: Resp): Promise<void> {
  for (;;) {
    const info = await client.info();
    const isWritten = Number(info.get("log_durable")) >= Number(info.get("log_appended"));
    if (isWritten && info.get("rdb_bgsave_in_progress") === "0") break;
    await sleep(50);
  }
  await sleep(SETTLE_MS);
}

const [of, to] = ["hawser disk", "hawser memory"] as const;

export const CATCH_UP: Question = {
  title: "catching up 1 GB, from disk and from memory",
  contenders: [of, to],
  ratios: [
    { figure: "mb_per_s", of, to, must: 0.6, aim: 0.9 },
    { figure: "primary_cpu_s", of, to, must: 0, aim: 0 },
    { figure: "set_p99_ms", of, to, must: 0, aim: 0 },
  ],
  ask,
};
