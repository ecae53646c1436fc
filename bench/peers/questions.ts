/**
 * The questions, each a function of a peer that returns named figures. Every run starts its own
 * processes and ends them.
 */
import { fork } from "node:child_process";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cpuSeconds, rssBytes } from "../lib/process.ts";
import { prober } from "../lib/prober.ts";
import { Resp } from "../lib/resp.ts";
import { quantile } from "../lib/stats.ts";
import { benchmark, caughtUp, fill, inSync } from "./load.ts";
import type { Node, Peer } from "./peers.ts";

export type Figures = Readonly<Record<string, number>>;

/** A share of every count, for a quick look. */
export interface Scale {
  readonly share: number;
}

export interface Question {
  readonly id: string;
  readonly title: string;
  readonly ask: (peer: Peer, scale: Scale) => Promise<Figures>;
}

const WARM_UP = 20_000;

async function withNodes<T>(
  peer: Peer,
  replicas: number,
  body: (primary: Node, replicas: readonly Node[]) => Promise<T>,
): Promise<T> {
  const nodes: Node[] = [];
  try {
    const primary = await peer.primary();
    nodes.push(primary);
    (await Resp.open(primary.port)).close();
    const followers: Node[] = [];
    for (let i = 0; i < replicas; i++) {
      const replica = await peer.replica(primary.port);
      nodes.push(replica);
      followers.push(replica);
    }
    for (const replica of followers) await inSync(replica.port);
    return await body(primary, followers);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

function stream(replicas: number): Question["ask"] {
  return (peer, { share }) =>
    withNodes(peer, replicas, async (primary, followers) => {
      const count = Math.round(1_000_000 * share);
      const head = await Resp.open(primary.port);
      const tails = await Promise.all(followers.map((node) => Resp.open(node.port)));
      await benchmark(primary.port, "set", WARM_UP, 8, 64, 1_000_000);
      await caughtUp(head, tails);
      const cpu = [primary, ...followers].map((node) => cpuSeconds(node.pid));
      const startedMs = performance.now();
      await benchmark(primary.port, "set", count, 8, 64, 1_000_000);
      await caughtUp(head, tails);
      const seconds = (performance.now() - startedMs) / 1000;
      const used = [primary, ...followers].map((node, i) => cpuSeconds(node.pid) - cpu[i]!);
      for (const client of [head, ...tails]) client.close();
      const replicaCpu = used.slice(1).reduce((sum, each) => sum + each, 0) / replicas;
      return {
        set_per_s: count / seconds,
        primary_cpu_us: (used[0]! * 1e6) / count,
        replica_cpu_us: (replicaCpu * 1e6) / count,
      };
    });
}

const fullSync: Question["ask"] = (peer, { share }) =>
  withNodes(peer, 0, async (primary) => {
    const count = Math.round(3_000_000 * share);
    await fill(primary.port, count);
    const head = await Resp.open(primary.port);
    const before = rssBytes(primary.pid);
    const stopProbing = await prober(primary.port);
    const startedMs = performance.now();
    const replica = await peer.replica(primary.port);
    try {
      const client = await Resp.open(replica.port);
      let peak = before;
      for (;;) {
        peak = Math.max(peak, rssBytes(primary.pid));
        const info = await client.info();
        const up =
          info.get("master_link_status") === "up" && info.get("master_sync_in_progress") === "0";
        if (up && Number(await client.call("DBSIZE")) >= count) break;
        await sleep(10);
      }
      const seconds = (performance.now() - startedMs) / 1000;
      client.close();
      const latencies = await stopProbing();
      // What a forked child had copied is not in its parent's resident size.
      const info = await head.info();
      peak += Number(info.get("rdb_last_cow_size") ?? 0);
      head.close();
      return {
        sync_s: seconds,
        set_p50_ms: quantile(latencies, 0.5),
        set_p99_ms: quantile(latencies, 0.99),
        set_max_ms: quantile(latencies, 1),
        primary_extra_mb: (peak - before) / 1e6,
      };
    } finally {
      await replica.stop();
    }
  });

const catchUp: Question["ask"] = (peer, { share }) =>
  withNodes(peer, 1, async (primary, [replica]) => {
    const count = Math.round(1_000_000 * share);
    const head = await Resp.open(primary.port);
    const tail = await Resp.open(replica!.port);
    await benchmark(primary.port, "set", WARM_UP, 8, 64, 1_000_000);
    await caughtUp(head, [tail]);
    process.kill(replica!.pid, "SIGSTOP");
    await benchmark(primary.port, "set", count, 8, 64, 1_000_000);
    const startedMs = performance.now();
    process.kill(replica!.pid, "SIGCONT");
    await caughtUp(head, [tail]);
    const seconds = (performance.now() - startedMs) / 1000;
    head.close();
    tail.close();
    return { records_per_s: count / seconds };
  });

function lag(perSecond: number): Question["ask"] {
  return (peer, { share }) =>
    withNodes(peer, 1, async (primary, [replica]) => {
      const head = await Resp.open(primary.port);
      const tail = await Resp.open(replica!.port);
      await benchmark(primary.port, "set", WARM_UP, 8, 1, 100_000);
      await benchmark(replica!.port, "get", WARM_UP, 8, 1, 100_000);
      for (let i = 0; i < WARM_UP / 4; i++) {
        await head.call("SET", "lag", i);
        await tail.call("GET", "lag");
      }
      await caughtUp(head, [tail]);
      const load = perSecond === 0 ? null : startLoad(primary.port, perSecond);
      await sleep(500);
      const lags: number[] = [];
      const rounds = Math.max(300, Math.round(3_000 * share));
      for (let i = 0; i < rounds; i++) {
        await head.call("SET", "lag", i);
        const startedMs = performance.now();
        while ((await tail.call("GET", "lag")) !== String(i));
        lags.push(performance.now() - startedMs);
        if (i % 50 === 0) await sleep(1);
      }
      load?.kill("SIGKILL");
      head.close();
      tail.close();
      return {
        p50_ms: quantile(lags, 0.5),
        p99_ms: quantile(lags, 0.99),
        max_ms: quantile(lags, 1),
      };
    });
}

/** SETs at an even rate from a process of its own. */
function startLoad(port: number, perSecond: number): ReturnType<typeof fork> {
  return fork(fileURLToPath(new URL("./rate-load.ts", import.meta.url)), [
    String(port),
    String(perSecond),
  ]);
}

const memory: Question["ask"] = (peer, { share }) =>
  withNodes(peer, 0, async (primary) => {
    const count = Math.round(2_000_000 * share);
    const client = await Resp.open(primary.port);
    const used = async (): Promise<number> => Number((await client.info()).get("used_memory"));
    const [usedEmpty, rssEmpty] = [await used(), rssBytes(primary.pid)];
    await fill(primary.port, count);
    const backlog = Number((await client.info()).get("repl_backlog_histlen") ?? 0);
    const figures = {
      used_per_key: ((await used()) - usedEmpty) / count,
      rss_per_key: (rssBytes(primary.pid) - rssEmpty - backlog) / count,
    };
    client.close();
    return figures;
  });

const unpipelined: Question["ask"] = (peer, { share }) =>
  withNodes(peer, 0, async (primary) => {
    const count = Math.round(200_000 * share);
    await benchmark(primary.port, "set", WARM_UP, 50, 1, 100_000);
    return {
      set_per_s: await benchmark(primary.port, "set", count, 50, 1, 100_000),
      get_per_s: await benchmark(primary.port, "get", count, 50, 1, 100_000),
    };
  });

export const QUESTIONS: readonly Question[] = [
  { id: "stream1", title: "replicated SET, 1 replica", ask: stream(1) },
  { id: "stream4", title: "replicated SET, 4 replicas", ask: stream(4) },
  { id: "fullsync", title: "full sync of 3 M keys", ask: fullSync },
  { id: "catchup", title: "catch-up of 1 M records", ask: catchUp },
  { id: "lag0", title: "lag, idle", ask: lag(0) },
  { id: "lag20k", title: "lag under 20 k SET/s", ask: lag(20_000) },
  { id: "lag100k", title: "lag under 100 k SET/s", ask: lag(100_000) },
  { id: "memory", title: "memory for one key", ask: memory },
  { id: "single", title: "without a pipeline, 50 clients", ask: unpipelined },
];

/** Figures of which less is better; of the others more is. */
export function lessIsBetter(figure: string): boolean {
  return !figure.endsWith("_per_s");
}
