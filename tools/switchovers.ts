/**
 * Planned failovers between two real nodes while clients write, half of them through ioredis and half through
 * node-redis, each followed by a comparison: no INCR is lost or done twice, both nodes have one digest, and no full sync
 * happened. A write is answered or refused unexecuted, and a read is answered with all that its client wrote: never UNCONFIRMED.
 *
 * Owns: the load, what is counted. Does not own: processes (processes.ts), what a caller demands of the times.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { converge, count } from "./converge.ts";
import type { Daemon } from "./processes.ts";
import { until } from "./wait.ts";

const WRITERS = 8;
/** Of so many writes one is read. */
const READ_EVERY = 4;
/** What is said to who writes to a node that does not take it, unexecuted. */
const REFUSALS = /^(READONLY|NOREPLICAS)/;
/** The load runs so long before and after each, ms. */
const BESIDE_MS = 150;

export interface Switchover {
  /** From FAILOVER to a primary that has the other as its replica, ms. */
  readonly ms: number;
  /** The longest time without a write that succeeded, ms. */
  readonly gapMs: number;
}

/** One library's connection to one node. */
interface Counting {
  incr(key: string): Promise<unknown>;
  mget(keys: string[]): Promise<(string | null)[]>;
  close(): void;
}

const LIBRARIES: Readonly<Record<string, (port: number) => Promise<Counting>>> = {
  ioredis: (port) => {
    const client = new Redis({ port, host: "127.0.0.1" });
    return Promise.resolve({
      incr: (key) => client.incr(key),
      mget: (keys) => client.mget(...keys),
      close: () => client.disconnect(),
    });
  },
  "node-redis": async (port) => {
    const client = createClient({ socket: { host: "127.0.0.1", port } });
    client.on("error", () => undefined);
    await client.connect();
    return {
      incr: (key) => client.incr(key),
      mget: (keys) => client.mGet(keys),
      close: () => client.destroy(),
    };
  },
};

/** Clients of both nodes: each writes to whichever of them takes it. */
class Load {
  /** Of each writer: INCRs that were answered. */
  readonly acked: number[] = Array.from({ length: WRITERS }, () => 0);
  /** Writes of each library that were refused, and made elsewhere. */
  readonly refused: number[] = Object.keys(LIBRARIES).map(() => 0);
  /** By library, then by node. */
  readonly #clients: readonly (readonly Counting[])[];
  #isOn = false;
  #running: Promise<void>[] = [];
  #lastMs = 0;
  #gapMs = 0;

  private constructor(clients: readonly (readonly Counting[])[]) {
    this.#clients = clients;
  }

  static async open(nodes: readonly Daemon[]): Promise<Load> {
    const open = Object.values(LIBRARIES).map((library) =>
      Promise.all(nodes.map(({ port }) => library(port))),
    );
    return new Load(await Promise.all(open));
  }

  start(): void {
    this.#isOn = true;
    this.#lastMs = performance.now();
    this.#gapMs = 0;
    this.#running = this.acked.map((_, writer) => this.#write(writer));
  }

  /** @returns the longest time without a success since start(), ms */
  async stop(): Promise<number> {
    this.#isOn = false;
    await Promise.all(this.#running);
    return this.#gapMs;
  }

  async #write(writer: number): Promise<void> {
    const clients = this.#clients[writer % this.#clients.length]!;
    let at = 0;
    const key = `counter:${writer}`;
    while (this.#isOn)
      try {
        await clients[at]!.incr(key);
        const acked = ++this.acked[writer]!;
        const nowMs = performance.now();
        this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
        this.#lastMs = nowMs;
        if (acked % READ_EVERY !== 0) continue;
        const [value] = await clients[at]!.mget([key]);
        if (Number(value) !== acked)
          throw new Error(`${key} is ${value}, and ${acked} was answered`);
      } catch (error) {
        // Anything else would be a write of which nobody knows whether it was made.
        if (!REFUSALS.test((error as Error).message)) throw error;
        this.refused[writer % this.refused.length]! += 1;
        at = (at + 1) % clients.length;
        await sleep(1);
      }
  }

  async values(node: number): Promise<number[]> {
    const keys = this.acked.map((_, writer) => `counter:${writer}`);
    return (await this.#clients[0]![node]!.mget(keys)).map(Number);
  }

  close(): void {
    for (const client of this.#clients.flat()) client.close();
  }
}

/**
 * Hands over between the two and back, `rounds` times; `nodes[0]` leads at first. @throws Error saying what was
 * lost, done twice or synced anew
 */
export async function switchovers(
  nodes: readonly [Daemon, Daemon],
  rounds: number,
  say: (line: string) => void = () => undefined,
): Promise<readonly Switchover[]> {
  const load = await Load.open(nodes);
  const made: Switchover[] = [];
  const syncs = await fullSyncs(nodes);
  try {
    for (let round = 0; round < rounds; round++) {
      const [from, to] = round % 2 === 0 ? nodes : [nodes[1], nodes[0]];
      load.start();
      await sleep(BESIDE_MS);
      const began = performance.now();
      await from.call("FAILOVER", "TO", "127.0.0.1", String(to.port), "TIMEOUT", "10000");
      await until(async () => (await from.status()).failover === "no-failover", {
        what: "the failover to be over",
      });
      const ms = performance.now() - began;
      await sleep(BESIDE_MS);
      const gapMs = await load.stop();
      made.push({ ms, gapMs });
      await compare(load, to, from, nodes.indexOf(to), round);
      say(`${round + 1}: ${ms.toFixed(0)} ms, ${gapMs.toFixed(0)} ms without a write`);
    }
  } finally {
    await load.stop();
    load.close();
  }
  const more = (await fullSyncs(nodes)) - syncs;
  if (more > 0) throw new Error(`${more} full syncs`);
  if (rounds > 0 && load.refused.includes(0))
    throw new Error(`writers of a library that had to move: ${load.refused.join(", ")}`);
  return made;
}

async function compare(
  load: Load,
  primary: Daemon,
  replica: Daemon,
  at: number,
  round: number,
): Promise<void> {
  if ((await primary.status()).role !== "primary") throw new Error(`${primary.name} does not lead`);
  await converge([primary, replica]);
  const values = await load.values(at);
  const wrong = values.findIndex((value, writer) => value !== load.acked[writer]);
  if (wrong >= 0)
    throw new Error(
      `switchover ${round + 1}: counter ${wrong} is ${values[wrong]}, ${load.acked[wrong]} INCRs were answered`,
    );
}

async function fullSyncs(nodes: readonly Daemon[]): Promise<number> {
  const all = await Promise.all(nodes.map((node) => node.status()));
  return all.reduce((sum, { counters }) => sum + count(counters, "sync_full"), 0);
}
