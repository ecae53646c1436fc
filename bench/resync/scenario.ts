/** Pieces of the resync benches: nodes, waiting, writers with a wish, latencies. */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../lib/free-port.ts";
import { type Started, start } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";

const ENTRY = fileURLToPath(new URL("../../dist/daemon/main.js", import.meta.url));

export interface Node extends Started {
  readonly port: number;
  readonly replPort: number;
}

/** The part of REPL.STATUS that benches look at. */
export interface Status {
  readonly counters: Readonly<Record<string, number>>;
  readonly links: readonly { readonly state: string; readonly lagBytes: number }[];
  readonly upstream: {
    readonly state: string;
    readonly lagBytes: number;
    readonly restore: { readonly chunks: number; readonly bytes: number } | null;
  } | null;
}

export async function node(command: string, ...flags: readonly string[]): Promise<Node> {
  const [port, replPort] = [await freePort(), await freePort()];
  const ports = ["--port", String(port), "--repl-port", String(replPort)];
  const started = start(process.execPath, [
    ENTRY,
    command,
    ...ports,
    "--log-level",
    "error",
    ...flags,
  ]);
  (await Resp.open(port)).close();
  return { ...started, port, replPort };
}

export async function status(port: number): Promise<Status> {
  const client = await Resp.open(port);
  const text = String(await client.call("REPL.STATUS"));
  client.close();
  return JSON.parse(text) as Status;
}

/** Polls until `ready` says so; throws after `timeoutMs`. */
export async function until(
  what: string,
  ready: () => Promise<boolean> | boolean,
  timeoutMs = 120_000,
): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (performance.now() > untilMs) throw new Error(`timed out waiting for ${what}`);
    await sleep(20);
  }
}

/** A replica streams and has all that its upstream had when it last said so. */
export async function synced(replica: Node): Promise<void> {
  await until("a replica to be in sync", async () => {
    const { upstream } = await status(replica.port);
    return upstream?.state === "streaming" && upstream.lagBytes === 0;
  });
}

export async function sameDigest(nodes: readonly Node[]): Promise<boolean> {
  const digests = await Promise.all(
    nodes.map(async ({ port }) => {
      const client = await Resp.open(port);
      const digest = JSON.stringify(await client.call("REPL.DIGEST"));
      client.close();
      return digest;
    }),
  );
  return digests.every((digest) => digest === digests[0]);
}

/** Writes `count` keys with values of `bytes`. */
export async function fill(port: number, count: number, bytes: number): Promise<void> {
  const client = await Resp.open(port);
  const value = "x".repeat(bytes);
  const group = Math.max(1, Math.floor(400_000 / bytes));
  for (let at = 0; at < count; at += group) {
    const size = Math.min(group, count - at);
    await client.bulk(Buffer.from(sets(at, size, count, value), "latin1"), size);
  }
  client.close();
}

function sets(at: number, size: number, keys: number, value: string): string {
  let text = "";
  for (let i = at; i < at + size; i++) {
    const key = `key:${String(i % keys).padStart(8, "0")}`;
    text += `*3\r\n$3\r\nSET\r\n$12\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
  }
  return text;
}

export interface Writer {
  bytesPerSecond: number;
  stop(): Promise<number>;
}

/** Overwrites keys at a wished rate, at most 4000 commands unanswered. Stop answers bytes written. */
export async function writer(port: number, keys: number, bytesPerSecond: number): Promise<Writer> {
  const client = await Resp.open(port);
  const value = "y".repeat(1000);
  let running = true;
  let written = 0;
  let asked = 0;
  const state: Writer = {
    bytesPerSecond,
    stop: async () => {
      running = false;
      await loop;
      client.close();
      return written * 1000;
    },
  };
  const flying = new Set<Promise<void>>();
  const loop = (async () => {
    while (running) {
      const size = Math.ceil(state.bytesPerSecond / 1000 / 100);
      const sent = client.bulk(Buffer.from(sets(asked, size, keys, value), "latin1"), size);
      asked += size;
      flying.add(sent);
      void sent.then(() => {
        written += size;
        flying.delete(sent);
      });
      while (flying.size > 20) await sleep(2);
      await sleep(10);
    }
    await Promise.all(flying);
  })();
  return state;
}
