/**
 * Four nodes as real processes, with a fault proxy for every pair of them:
 *
 *   n1 <--proxy-- n2 <--proxy-- n4          at the start; roles and places change
 *    ^---proxy-- n3
 *
 * Owns: who follows whom, the proxies. Does not own: why that changes (operator.ts, faults.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultProxy } from "../../tools/proxy.ts";
import { within } from "../../tools/wait.ts";
import { Member } from "./member.ts";

export const BACKLOG_BYTES = 8 * 1_048_576;
/** Short clocks: a soak is to see them strike, and to see what comes after. */
const FLAGS = [
  ...["--backlog", String(BACKLOG_BYTES), "--throttle-max", "10s"],
  ...["--silence", "20s", "--stall", "10s", "--handshake-timeout", "5s", "--backoff-max", "2s"],
];
const NAMES = ["n1", "n2", "n3", "n4"];

export class Cluster {
  readonly members: readonly Member[];
  root: Member;
  /** Bumped when writes may have been lost: another root, or the same one emptied. */
  generation = 0;
  /** Roles are being changed: nothing else strikes at processes. */
  operating = false;
  readonly #dir = mkdtempSync(join(tmpdir(), "hawser-soak-"));
  readonly #proxies = new Map<string, FaultProxy>();

  constructor() {
    this.members = NAMES.map((name) => new Member(name, join(this.#dir, name)));
    this.root = this.members[0]!;
  }

  async start(seed: number): Promise<void> {
    const [n1, n2, n3, n4] = this.members as [Member, Member, Member, Member];
    await n1.start(["primary", ...FLAGS]);
    await this.#addReplica(n2, n1, seed);
    await this.#addReplica(n3, n1, seed);
    await this.#addReplica(n4, n2, seed);
    for (const from of this.members)
      for (const to of this.members) if (from !== to) await this.#openProxy(from, to, seed);
  }

  async #addReplica(member: Member, upstream: Member, seed: number): Promise<void> {
    await this.#openProxy(member, upstream, seed);
    member.upstream = upstream;
    await this.startReplica(member);
  }

  async #openProxy(from: Member, to: Member, seed: number): Promise<void> {
    const key = `${from.name}>${to.name}`;
    if (this.#proxies.has(key)) return;
    this.#proxies.set(
      key,
      await FaultProxy.listen(to.replPort, { seed: seed + this.proxies.length }),
    );
  }

  get proxies(): FaultProxy[] {
    return [...this.#proxies.values()];
  }

  get replicas(): Member[] {
    return this.members.filter((member) => member.upstream !== null);
  }

  /** Those that follow `member`, directly. */
  followers(member: Member): Member[] {
    return this.members.filter((other) => other.upstream === member);
  }

  /** The proxy that a replica's connection goes through. */
  proxyOf(replica: Member): FaultProxy {
    return this.#proxies.get(`${replica.name}>${replica.upstream!.name}`)!;
  }

  /** A fresh process that follows its upstream. */
  async startReplica(member: Member): Promise<void> {
    await member.start(["replica", "--of", `127.0.0.1:${this.proxyOf(member).port}`, ...FLAGS]);
  }

  /** A fresh process without a state, on the ports of the old one. */
  async startPrimary(member: Member, ...flags: readonly string[]): Promise<void> {
    member.upstream = null;
    await member.start(["primary", ...FLAGS, ...flags]);
  }

  /** REPLICAOF, through the proxy between the two. */
  async follow(member: Member, upstream: Member): Promise<void> {
    member.upstream = upstream;
    await member.daemon.call("REPLICAOF", "127.0.0.1", this.proxyOf(member).port);
  }

  async promote(member: Member): Promise<void> {
    await member.daemon.call("REPLICAOF", "NO", "ONE");
    member.upstream = null;
    this.setRoot(member);
  }

  setRoot(member: Member): void {
    this.root = member;
    this.generation += 1;
  }

  /** The network is perfect again, and every process runs. */
  heal(): void {
    for (const proxy of this.proxies) proxy.heal();
    for (const { daemon } of this.members) daemon.resume();
  }

  /** SIGTERM to all, leaves first. @returns exit codes by name */
  async stop(): Promise<Map<string, number | null>> {
    const codes = new Map<string, number | null>();
    for (const member of [...this.replicas, this.root])
      codes.set(member.name, (await member.daemon.stop()).code);
    return codes;
  }

  async close(): Promise<void> {
    for (const { lives } of this.members)
      for (const life of lives) if (life.daemon.exit === null) await life.daemon.kill();
    for (const proxy of this.proxies) await within(proxy.close(), "a proxy to close", 5_000);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
