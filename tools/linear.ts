/**
 * A cluster in synchronous mode under faults, and whether what its clients saw is linearizable: a primary with
 * --sync 1 and two replicas with directories, as processes, each replication port behind a fault proxy.
 *
 * A round draws its faults from its seed; the first of them always changes who leads. When exactly each strikes
 * depends on the machine.
 * Owns: the cluster, the faults, what an operator does about them. Does not own: the clients (linear-clients.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readNode } from "../src/node/node-file.ts";
import type { SyncState } from "../src/wire/messages.ts";
import { converge } from "./converge.ts";
import { LinearClients } from "./linear-clients.ts";
import { violation } from "./linearizable.ts";
import { type Daemon, Fleet } from "./processes.ts";
import type { FaultProxy } from "./proxy.ts";
import { Random } from "./random.ts";
import { until } from "./wait.ts";

const NODES = 3;
const FAULTS = 5;
const SYNC_TIMEOUT = "1s";
/** What was written before is confirmed then. */
const CONFIRMED_MS = 200;

export interface LinearRound {
  readonly faults: readonly string[];
  /** Operations by what is known of them. */
  readonly counts: Readonly<LinearClients["counts"]>;
  /** How often another node was made the leader. */
  readonly promotions: number;
}

type Fault = (cluster: Cluster, random: Random) => Promise<void>;

/** Each ends with a leader. */
const LEADER_FAULTS: Readonly<Record<string, Fault>> = {
  "leader killed": async (cluster, random) => {
    const [leader, members] = [cluster.leader, cluster.members()];
    await cluster.kill(leader);
    await cluster.promote(random.pick(members));
    await cluster.comesBack(leader);
  },
  "leader killed, who was behind leads": async (cluster, random) => {
    const [leader, members] = [cluster.leader, cluster.members()];
    const behind = random.pick(members);
    cluster.nodes[behind]!.pause();
    await sleep(random.between(50, 600));
    await cluster.kill(leader);
    cluster.nodes[behind]!.resume();
    await cluster.promote(behind);
    await cluster.comesBack(leader);
  },
  "leader stopped, another leads, it goes on": async (cluster, random) => {
    const [leader, members] = [cluster.leader, cluster.members()];
    cluster.nodes[leader]!.pause();
    try {
      await sleep(random.between(0, 300));
      await cluster.promote(random.pick(members));
      await sleep(random.between(0, 600));
    } finally {
      cluster.nodes[leader]!.resume();
    }
    await cluster.follows(leader);
  },
  "another leads beside the leader": async (cluster, random) => {
    const leader = cluster.leader;
    await cluster.promote(random.pick(cluster.members()));
    await sleep(random.between(0, 600));
    await cluster.follows(leader);
  },
  "leader cut off, another leads": async (cluster, random) => {
    const [leader, members] = [cluster.leader, cluster.members()];
    const proxy = cluster.proxies[leader]!;
    // Else reads wait for a write that is never confirmed, and not for the word of members alone.
    if (random.between(0, 2) === 0) await cluster.readOnlyAt(leader);
    for (const direction of [proxy.up, proxy.down]) direction.stall();
    await sleep(random.between(0, 300));
    await cluster.promote(random.pick(members));
    await sleep(random.between(0, 600));
    proxy.heal();
    await cluster.readOnlyAt(null);
    await cluster.follows(leader);
  },
};

const OTHER_FAULTS: Readonly<Record<string, Fault>> = {
  "leader stopped": async (cluster, random) => stopped(cluster.nodes[cluster.leader]!, random),
  "member stopped": async (cluster, random) =>
    stopped(cluster.nodes[random.pick(cluster.members())]!, random),
  "members stopped": async (cluster, random) => {
    const members = cluster.members().map((n) => cluster.nodes[n]!);
    await Promise.all(members.map((member) => stopped(member, random)));
  },
  "links cut": (cluster) => {
    cluster.proxies[cluster.leader]!.cutAll("reset");
    return Promise.resolve();
  },
  "clients cut": (cluster) => {
    cluster.clients?.cut();
    return Promise.resolve();
  },
};

const ALL_FAULTS = { ...LEADER_FAULTS, ...OTHER_FAULTS };

async function stopped(node: Daemon, random: Random): Promise<void> {
  node.pause();
  await sleep(random.between(100, 1_500));
  node.resume();
}

/** A round of fewer faults has the first of them. @throws Error when the history is not linearizable, or the cluster does not recover */
export async function linearRound(seed: number, count = FAULTS): Promise<LinearRound> {
  const random = new Random(seed);
  const cluster = new Cluster();
  const faults: string[] = [];
  try {
    await cluster.start();
    const clients = new LinearClients(cluster.nodes, seed);
    cluster.clients = clients;
    for (let n = 0; n < count; n++) {
      await sleep(random.between(100, 500));
      const from: Readonly<Record<string, Fault>> = n === 0 ? LEADER_FAULTS : ALL_FAULTS;
      const name = random.pick(Object.keys(from));
      faults.push(name);
      await from[name]!(cluster, random);
      await cluster.settled();
    }
    await clients.stop();
    await clients.readAll(cluster.nodes[cluster.leader]!);
    const why = violation(clients.history);
    if (why !== null) throw new Error(`not linearizable: ${why}`);
    await converge([cluster.leader, ...cluster.members()].map((n) => cluster.nodes[n]!));
    return { faults, counts: clients.counts, promotions: cluster.promotions };
  } catch (error) {
    throw new Error(`seed ${seed}, faults: ${faults.join("; ")}\n${cluster.dump()}`, {
      cause: error,
    });
  } finally {
    await cluster.close();
  }
}

const isWhole = (rule: SyncState | null | undefined): boolean =>
  rule?.now?.members.length === NODES && rule.was === null;

class Cluster {
  /** By number, as the proxies: a process that died is replaced by the next on its ports. */
  readonly nodes: Daemon[] = [];
  readonly proxies: FaultProxy[] = [];
  leader = 0;
  promotions = 0;
  clients: LinearClients | null = null;
  readonly #fleet = new Fleet();
  readonly #dirs: string[] = [];

  async start(): Promise<void> {
    for (let n = 0; n < NODES; n++) {
      this.#dirs.push(mkdtempSync(join(tmpdir(), "hawser-linear-")));
      const node =
        n === 0
          ? await this.#fleet.primary("--sync", "1", ...this.#flags(n))
          : await this.#fleet.replica(this.proxies[0]!, ...this.#flags(n));
      this.nodes.push(node);
      this.proxies.push(await this.#fleet.proxy(node));
    }
    await until(() => isWhole(readNode(this.#dirs[0]!)?.sync), {
      what: "three members",
    });
    await this.settled();
  }

  members(): number[] {
    return this.nodes.map((_, n) => n).filter((n) => n !== this.leader);
  }

  async readOnlyAt(n: number | null): Promise<void> {
    if (this.clients) this.clients.readsOnlyAt = n;
    await sleep(n === null ? 0 : CONFIRMED_MS);
  }

  async kill(n: number): Promise<void> {
    await this.nodes[n]!.kill();
  }

  /** Makes it the leader, and has the living follow it; but for the one that led, which the fault sends there. */
  async promote(to: number): Promise<void> {
    const before = this.leader;
    await until(async () => (await this.nodes[to]!.call("REPLICAOF", "NO", "ONE")) === "OK", {
      what: `${this.nodes[to]!.name} to lead`,
    });
    this.leader = to;
    this.promotions++;
    for (const n of this.members()) if (n !== before) await this.follows(n);
  }

  async follows(n: number): Promise<void> {
    const { port } = this.proxies[this.leader]!;
    await until(() => this.nodes[n]!.call("REPLICAOF", "127.0.0.1", port), {
      what: `${this.nodes[n]!.name} to take REPLICAOF`,
    });
  }

  async comesBack(n: number): Promise<void> {
    const { port, replPort } = this.nodes[n]!;
    const ports = ["--port", String(port), "--repl-port", String(replPort)];
    const back = await this.#fleet.replica(this.proxies[this.leader]!, ...ports, ...this.#flags(n));
    this.nodes[n] = back;
    await this.follows(n);
  }

  /** All follow the leader, which takes writes. */
  async settled(): Promise<void> {
    const leader = this.nodes[this.leader]!;
    await until(
      async () => {
        for (const n of this.members())
          if ((await this.nodes[n]!.info()).text("master_link_status") !== "up") return false;
        return (await leader.call("SET", "settled", "1")) === "OK";
      },
      { what: `all to follow ${leader.name}`, everyMs: 50 },
    );
  }

  dump(): string {
    return this.#fleet.dump();
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.resume();
    await this.clients?.stop();
    await this.#fleet.stopAll();
    for (const dir of this.#dirs) rmSync(dir, { recursive: true, force: true });
  }

  #flags(n: number): string[] {
    return ["--dir", this.#dirs[n]!, "--sync-timeout", SYNC_TIMEOUT];
  }
}
