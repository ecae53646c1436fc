/**
 * What an operator does when roles have to change (docs/guides/failover.md), and the
 * checks that belong to it.
 *
 *   primaryKilled  SIGKILL; an empty one comes back on its ports and must not wipe its replicas; then
 *                  a replica is promoted, or the primary is seeded from its replicas
 *   failover       the primary stands still, the replica with the largest offset takes over, the old
 *                  one comes back and has to follow
 *   switchOver     all equal, nobody writes: another root without any full sync
 *   reparent       a replica follows another node
 *
 * Owns: the order of steps. Does not own: when they happen (faults.ts, soak.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { count } from "../../tools/converge.ts";
import type { Random } from "../../tools/random.ts";
import { until } from "../../tools/wait.ts";
import type { Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { say, type Verdicts } from "./verdicts.ts";
import type { WaitProber } from "./waiting.ts";

const REFUSED_MS = 30_000;
const SEEDED_MS = 60_000;

interface Place {
  readonly member: Member;
  readonly history: string;
  readonly offset: number;
}

export class Operator {
  /** Since the last calm: what makes a diverged replica, or unrelated data, no surprise. */
  failovers = 0;
  primariesKilled = 0;
  /** Called when writers should look for the root again. */
  onMoved: () => void = () => undefined;
  readonly #cluster: Cluster;
  readonly #verdicts: Verdicts;
  readonly #waits: WaitProber;

  constructor(cluster: Cluster, verdicts: Verdicts, waits: WaitProber) {
    this.#cluster = cluster;
    this.#verdicts = verdicts;
    this.#waits = waits;
  }

  /** Runs one change of roles; nothing else touches processes or roles meanwhile. */
  async exclusively(change: () => Promise<void>): Promise<boolean> {
    const cluster = this.#cluster;
    if (cluster.operating || cluster.members.some((member) => member.busy)) return false;
    cluster.operating = true;
    try {
      await change();
    } finally {
      cluster.operating = false;
    }
    return true;
  }

  async primaryKilled(random: Random): Promise<void> {
    const cluster = this.#cluster;
    const old = cluster.root;
    this.primariesKilled += 1;
    cluster.heal();
    await old.kill();
    const before = await this.#places(cluster.replicas);
    await sleep(random.between(0, 2_000));
    const seeds = random.fraction() < 0.4;
    if (seeds && before.length > 0) await this.#seed(old, before);
    else await this.#comeBackEmpty(old, before);
  }

  /** Empty on the old ports: refused, nobody loses anything; then one of the replicas takes over. */
  async #comeBackEmpty(old: Member, before: readonly Place[]): Promise<void> {
    const cluster = this.#cluster;
    const direct = cluster.followers(old);
    await cluster.startPrimary(old);
    cluster.setRoot(old);
    this.onMoved();
    const holders = before.filter(({ member, offset }) => direct.includes(member) && offset > 0);
    await Promise.all(holders.map((place) => this.#refused(place)));
    const after = await this.#places(cluster.replicas);
    for (const was of before) {
      const is = after.find(({ member }) => member === was.member);
      this.#verdicts.check(
        "an empty primary takes nothing from its replicas",
        is !== undefined && is.history === was.history && is.offset >= was.offset,
        () => `${was.member.name} was ${show(was)}, is ${is === undefined ? "gone" : show(is)}`,
      );
    }
    const best = largest(after);
    if (best === null) return;
    await this.#promote(best.member);
    await this.#followRoot(old);
  }

  async #refused({ member }: Place): Promise<void> {
    const isRefused = await until(
      async () => (await member.daemon.status()).upstream?.lastError.includes("unrelated"),
      { what: `${member.name} to be refused`, timeoutMs: REFUSED_MS },
    ).catch(() => false);
    this.#verdicts.check(
      "a replica with data is refused by an empty primary",
      isRefused,
      () => `${member.name} was not refused within ${REFUSED_MS} ms`,
    );
  }

  /** A primary that takes its state from its replicas, which then go on without a full sync. */
  async #seed(old: Member, before: readonly Place[]): Promise<void> {
    const cluster = this.#cluster;
    const sources = [...before].sort((a, b) => b.offset - a.offset).slice(0, 2);
    const list = sources.map(({ member }) => `127.0.0.1:${member.replPort}`).join(",");
    await cluster.startPrimary(old, "--seed-from", list);
    cluster.setRoot(old);
    this.onMoved();
    await until(async () => (await old.daemon.status()).role === "primary", {
      what: `${old.name} to be seeded from ${list}`,
      timeoutMs: SEEDED_MS,
      describe: () => old.daemon.status(),
    });
    const held = largest(await this.#places([old]))?.offset ?? 0;
    this.#verdicts.check(
      "a seeded primary has what its source had",
      held >= sources[0]!.offset,
      () => `${old.name} is at ${held}, ${sources[0]!.member.name} was at ${sources[0]!.offset}`,
    );
  }

  async failover(random: Random): Promise<void> {
    const cluster = this.#cluster;
    const old = cluster.root;
    this.failovers += 1;
    const isStopped = random.fraction() < 0.5;
    if (isStopped) old.daemon.pause();
    const best = largest(await this.#places(cluster.replicas));
    if (best !== null) await this.#promote(best.member);
    await sleep(random.between(0, 5_000));
    if (isStopped) old.daemon.resume();
    await sleep(random.between(0, 2_000));
    if (best !== null) await this.#followRoot(old);
  }

  /** All equal and idle. No full sync, in either direction. */
  async switchOver(random: Random): Promise<void> {
    const cluster = this.#cluster;
    const old = cluster.root;
    const successor = random.pick(cluster.replicas);
    const before = await this.#fullSyncs();
    say(`switch-over from ${old.name} to ${successor.name}`);
    await this.#promote(successor);
    await this.#followRoot(old);
    await until(() => this.#allStream(), {
      what: "all to stream after a switch-over",
      describe: () => Promise.all(cluster.members.map((member) => member.daemon.status())),
    });
    const after = await this.#fullSyncs();
    this.#verdicts.check(
      "a switch-over needs no full sync",
      before === after,
      () => `sync_full went from ${before} to ${after}`,
    );
  }

  async reparent(random: Random): Promise<void> {
    const cluster = this.#cluster;
    const member = random.pick(cluster.replicas);
    const others = cluster.members.filter((other) => !isBelow(other, member));
    await cluster.follow(member, random.pick(others));
  }

  /** `member` becomes the root; all that followed the old root follow it, and so does nobody else. */
  async #promote(member: Member): Promise<void> {
    const cluster = this.#cluster;
    const old = cluster.root;
    say(`promotes ${member.name} in place of ${old.name}`);
    await cluster.promote(member);
    this.onMoved();
    await this.#waits.onFailover(member);
    for (const other of cluster.followers(old)) await cluster.follow(other, member);
  }

  async #followRoot(old: Member): Promise<void> {
    await this.#cluster.follow(old, this.#cluster.root);
  }

  /** Where each of them is, those that answer. */
  async #places(members: readonly Member[]): Promise<Place[]> {
    const places = await Promise.all(
      members.map(async (member) => {
        try {
          const { position } = await member.daemon.status();
          return { member, history: position.history, offset: position.offset };
        } catch {
          return null;
        }
      }),
    );
    return places.filter((place) => place !== null);
  }

  async #fullSyncs(): Promise<number> {
    const all = await Promise.all(this.#cluster.members.map((member) => member.daemon.status()));
    return all.reduce((sum, { counters }) => sum + count(counters, "sync_full"), 0);
  }

  async #allStream(): Promise<boolean> {
    const { replicas, root } = this.#cluster;
    const { position } = await root.daemon.status();
    const all = await Promise.all(replicas.map((member) => member.daemon.status()));
    return all.every(
      (status) =>
        status.upstream?.state === "streaming" && status.position.history === position.history,
    );
  }
}

function largest(places: readonly Place[]): Place | null {
  return places.reduce<Place | null>(
    (best, place) => (best === null || place.offset > best.offset ? place : best),
    null,
  );
}

/** `member` is `top`, or follows it, directly or not. */
function isBelow(member: Member, top: Member): boolean {
  for (let at: Member | null = member; at !== null; at = at.upstream) if (at === top) return true;
  return false;
}

function show({ history, offset }: Place): string {
  return `${history.slice(0, 8)}:${offset}`;
}
