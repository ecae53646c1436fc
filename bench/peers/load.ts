/** Load and waiting, the same for both peers: over RESP, from outside. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Resp } from "../lib/resp.ts";

const run = promisify(execFile);

const VALUE = "v".repeat(100);
const FILL_GROUP = 1000;
const FILL_IN_FLIGHT = 8;

/** redis-benchmark's SETs: requests per second as it says. */
export async function benchmark(
  port: number,
  test: "set" | "get",
  requests: number,
  clients: number,
  pipeline: number,
  keys: number,
  valueBytes = 100,
): Promise<number> {
  const args = ["-p", port, "-t", test, "-n", requests, "-c", clients, "-P", pipeline];
  args.push("-r", keys, "-d", valueBytes, "--csv");
  const { stdout } = await run("redis-benchmark", args.map(String));
  return Number(/^"(?:SET|GET)","([\d.]+)"/m.exec(stdout)?.[1] ?? Number.NaN);
}

/** Sets `count` keys of 16 bytes, in order, with 100-byte values. */
export async function fill(port: number, count: number): Promise<void> {
  const client = await Resp.open(port);
  const flying: Promise<void>[] = [];
  for (let at = 0; at < count; at += FILL_GROUP) {
    const size = Math.min(FILL_GROUP, count - at);
    let text = "";
    for (let i = at; i < at + size; i++)
      text += `*3\r\n$3\r\nSET\r\n$16\r\nkey:${String(i).padStart(12, "0")}\r\n$100\r\n${VALUE}\r\n`;
    flying.push(client.bulk(Buffer.from(text, "latin1"), size));
    if (flying.length >= FILL_IN_FLIGHT) await flying.shift();
  }
  await Promise.all(flying);
  client.close();
}

/** Waits until a replica is in sync with its primary. */
export async function inSync(replica: number): Promise<void> {
  const client = await Resp.open(replica);
  for (;;) {
    const info = await client.info();
    if (info.get("master_link_status") === "up" && info.get("master_sync_in_progress") === "0")
      break;
    await sleep(5);
  }
  client.close();
}

/** Sets a marker on the primary and waits until every replica shows it. */
export async function caughtUp(primary: Resp, replicas: readonly Resp[]): Promise<void> {
  const marker = `m${process.hrtime.bigint()}`;
  await primary.call("SET", "marker", marker);
  await Promise.all(
    replicas.map(async (replica) => {
      while ((await replica.call("GET", "marker")) !== marker) await sleep(1);
    }),
  );
}
