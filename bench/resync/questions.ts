/** The questions about resynchronization, each a run of its own that returns named figures. */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { writeGroups } from "../../tools/group-writer.ts";
import { FaultProxy } from "../../tools/proxy.ts";
import { rssBytes } from "../lib/process.ts";
import { prober } from "../lib/prober.ts";
import { Resp } from "../lib/resp.ts";
import { quantile } from "../lib/stats.ts";
import { fill, node, type Node, sameDigest, status, synced, until, writer } from "./scenario.ts";

export type Figures = Readonly<Record<string, number | boolean>>;

const MB = 1_000_000;

async function using<T>(body: (own: (node: Node) => Node) => Promise<T>): Promise<T> {
  const nodes: Node[] = [];
  try {
    return await body((each) => {
      nodes.push(each);
      return each;
    });
  } finally {
    await Promise.all(nodes.map((each) => each.stop()));
  }
}

async function counter(primary: Node, name: string): Promise<number> {
  return (await status(primary.port)).counters[name] ?? 0;
}

/** 200 MB, backlog 16 MB, a line of 10 MB/s, writers wanting 20 MB/s until 10 s after the ship. */
const loopKiller = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary", "--backlog", "16mb"));
    await fill(primary.port, 200_000, 1000);
    const proxy = await FaultProxy.listen(primary.replPort);
    proxy.down.set({ bytesPerSecond: 10 * MB });
    const replica = own(await node("replica", "--of", `127.0.0.1:${proxy.port}`));
    const startedMs = performance.now();
    const writing = await writer(primary.port, 200_000, 20 * MB);
    await until(
      "the swap",
      async () => (await status(replica.port)).upstream?.state === "streaming",
    );
    const shipMs = performance.now() - startedMs;
    await sleep(10_000);
    writing.bytesPerSecond = 5 * MB;
    await sleep(10_000);
    const written = await writing.stop();
    await synced(replica);
    const figures = {
      ship_s: shipMs / 1000,
      full_syncs: await counter(primary, "sync_full"),
      given_up: await counter(primary, "syncs_given_up"),
      writes_delayed: await counter(primary, "writes_delayed"),
      write_delay_ms_max: await counter(primary, "write_delay_ms_max"),
      written_mb: written / MB,
      equal: await sameDigest([primary, replica]),
    };
    await proxy.close();
    return figures;
  });

/** Ten cuts at random bytes during one ship of 500 MB. */
const cuts = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary"));
    await fill(primary.port, 500_000, 1000);
    const proxy = await FaultProxy.listen(primary.replPort);
    const replica = own(await node("replica", "--of", `127.0.0.1:${proxy.port}`));
    let done = 0;
    for (; done < 10; done++) {
      const cut = proxy.down.cutAfter(Math.floor(10 * MB + Math.random() * 35 * MB), "reset");
      await cut;
    }
    await synced(replica);
    const sent = await counter(primary, "snapshot_bytes_sent");
    const whole = 500_000 * 1024;
    const figures = {
      cuts: done,
      full_syncs: await counter(primary, "sync_full"),
      resumes: await counter(primary, "snapshot_resumes"),
      sent_mb: sent / MB,
      sent_per_snapshot: sent / whole,
      equal: await sameDigest([primary, replica]),
    };
    await proxy.close();
    return figures;
  });

/**
 * 100 MB, backlog 8 MB, a line of 10 MB/s, two writers in groups of 300 SETs that want 15 MB/s
 * together, three cuts, the last within the last 5 % of the ship.
 */
const cutUnderLoad = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary", "--backlog", "8mb"));
    await fill(primary.port, 100_000, 1000);
    const proxy = await FaultProxy.listen(primary.replPort);
    proxy.down.set({ bytesPerSecond: 10 * MB });
    const stop = await writeGroups(primary.port, {
      writers: 2,
      group: 300,
      valueBytes: 1000,
      keys: 100_000,
      bytesPerSecond: 15 * MB,
    });
    await sleep(1_000);
    const startedMs = performance.now();
    const replica = own(await node("replica", "--of", `127.0.0.1:${proxy.port}`));
    const total = 100_000 * 1024;
    const places = [
      0.2 + 0.2 * Math.random(),
      0.6 + 0.2 * Math.random(),
      0.95 + Math.random() / 20,
    ];
    for (const place of places)
      await proxy.down.cutAfter(Math.max(0, Math.floor(place * total) - proxy.down.bytes), "reset");
    await until("the swap", async () => {
      const { upstream } = await status(replica.port);
      return upstream?.state === "streaming";
    });
    const shipMs = performance.now() - startedMs;
    await sleep(5_000);
    const { longestMs, bytes } = await stop();
    await synced(replica);
    // What it had heard of its upstream may be a second old.
    await until("equal states", () => sameDigest([primary, replica]), 20_000);
    const figures = {
      ship_s: shipMs / 1000,
      full_syncs: await counter(primary, "sync_full"),
      resumes: await counter(primary, "snapshot_resumes"),
      given_up: await counter(primary, "syncs_given_up"),
      written_mb: bytes / MB,
      group_ms_max: longestMs,
      write_delay_ms_max: await counter(primary, "write_delay_ms_max"),
      equal: await sameDigest([primary, replica]),
    };
    await proxy.close();
    return figures;
  });

/** 1 GB to two replicas, one of which stops reading: what the primary's memory grows by. */
const memory = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary", "--backlog", "16mb"));
    await fill(primary.port, 1_000_000, 1000);
    await sleep(2_000);
    const before = rssBytes(primary.pid);
    const stalled = await FaultProxy.listen(primary.replPort, { bufferBytesMax: 65_536 });
    own(await node("replica", "--of", `127.0.0.1:${stalled.port}`));
    const quick = own(await node("replica", "--of", `127.0.0.1:${primary.replPort}`));
    const startedMs = performance.now();
    await sleep(600);
    stalled.down.stall();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, rssBytes(primary.pid));
    }, 20);
    await synced(quick);
    clearInterval(watch);
    const figures = {
      quick_sync_s: (performance.now() - startedMs) / 1000,
      grown_mb: (peak - before) / MB,
      equal: await sameDigest([primary, quick]),
    };
    await stalled.close();
    return figures;
  });

/** A replica stopped for a while under load: SET latency without, during and after. */
const stopped = (seconds: number) => (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary", "--backlog", "64mb"));
    await fill(primary.port, 100_000, 1000);
    const replica = own(await node("replica", "--of", `127.0.0.1:${primary.replPort}`));
    await synced(replica);
    const writing = await writer(primary.port, 100_000, 10 * MB);
    const p99 = async (ms: number): Promise<number> => {
      const stop = await prober(primary.port);
      await sleep(ms);
      return quantile(await stop(), 0.99);
    };
    const before = await p99(10_000);
    process.kill(replica.pid, "SIGSTOP");
    const during = await p99(seconds * 1000);
    process.kill(replica.pid, "SIGCONT");
    const after = await p99(10_000);
    await writing.stop();
    await synced(replica);
    return {
      p99_before_ms: before,
      p99_stopped_ms: during,
      p99_after_ms: after,
      stall_drops: await counter(primary, "link_drops_stall_socket"),
      full_syncs: await counter(primary, "sync_full"),
      partial_syncs: await counter(primary, "sync_partial_ok"),
      equal: await sameDigest([primary, replica]),
    };
  });

/**
 * Ten replicas within a second on a primary with 300 MB: their processes start behind a proxy that
 * holds their HELLOs back, and lets all go at once.
 */
const ten = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary"));
    await fill(primary.port, 300_000, 1000);
    const gate = await FaultProxy.listen(primary.replPort);
    gate.up.stall();
    const replicas = await Promise.all(
      Array.from({ length: 10 }, () => node("replica", "--of", `127.0.0.1:${gate.port}`)),
    );
    for (const replica of replicas) own(replica);
    const stop = await prober(primary.port);
    await sleep(2_000);
    const startedMs = performance.now();
    gate.up.resume();
    for (const replica of replicas) await synced(replica);
    const seconds = (performance.now() - startedMs) / 1000;
    const latencies = await stop();
    const figures = {
      all_synced_s: seconds,
      freezes: await counter(primary, "snapshot_freezes"),
      full_syncs: await counter(primary, "sync_full"),
      set_p50_ms: quantile(latencies, 0.5),
      set_p99_ms: quantile(latencies, 0.99),
      set_max_ms: quantile(latencies, 1),
      equal: await sameDigest([primary, ...replicas]),
    };
    await gate.close();
    return figures;
  });

/** A record of 200 MiB, backlog 16 MB, window 8 MB, three cuts in the middle of it. */
const bigRecord = (): Promise<Figures> =>
  using(async (own) => {
    const primary = own(await node("primary", "--backlog", "16mb", "--window", "8mb"));
    const proxy = await FaultProxy.listen(primary.replPort);
    const replica = own(
      await node("replica", "--of", `127.0.0.1:${proxy.port}`, "--window", "8mb"),
    );
    await synced(replica);
    const bytes = 200 * 1024 * 1024;
    const before = proxy.down.bytes;
    const cutting = (async () => {
      for (let i = 0; i < 3; i++) await proxy.down.cutAfter(50 * MB, "destroy");
    })();
    const client = await Resp.open(primary.port);
    const head = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${bytes}\r\n`;
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, "z"), Buffer.from("\r\n")]);
    await client.bulk(body, 1);
    client.close();
    await cutting;
    await until("the big record", async () => {
      const { upstream } = await status(replica.port);
      return upstream?.state === "streaming" && upstream.lagBytes === 0;
    });
    const figures = {
      sent_per_record: (proxy.down.bytes - before) / bytes,
      full_syncs: await counter(primary, "sync_full"),
      partial_syncs: await counter(primary, "sync_partial_ok"),
      equal: await sameDigest([primary, replica]),
    };
    await proxy.close();
    return figures;
  });

export const QUESTIONS: Readonly<Record<string, () => Promise<Figures>>> = {
  loop: loopKiller,
  cuts,
  memory,
  stopped: stopped(120),
  ten,
  record: bigRecord,
  ends: cutUnderLoad,
};
