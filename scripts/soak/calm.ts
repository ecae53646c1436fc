/**
 * What must be true when the faults have stopped and nobody writes: equal, complete, nothing left
 * over, and the shortest way taken.
 *
 * Owns: those checks. Does not own: faults, writers.
 */
import { converge, count } from "../../tools/converge.ts";
import type { Random } from "../../tools/random.ts";
import { errorText, until } from "../../tools/wait.ts";
import type { VerifyReport } from "../../src/node/verifier.ts";
import type { Cluster } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";
import type { Member } from "./member.ts";
import { say, type Verdicts } from "./verdicts.ts";

/** Longest that nodes may take to become equal; a quarantine ends within it. */
const CONVERGE_MS = 90_000;
/** Parked snapshots and holds are dropped within a minute of the cut. */
const LEFT_OVER_MS = 100_000;
const RESUME_MS = 15_000;

export class Calm {
  /** ms that each calm took to become equal. */
  readonly convergedMs: number[] = [];
  readonly #cluster: Cluster;
  readonly #verdicts: Verdicts;
  readonly #ledger: Ledger;

  constructor(cluster: Cluster, verdicts: Verdicts, ledger: Ledger) {
    this.#cluster = cluster;
    this.#verdicts = verdicts;
    this.#ledger = ledger;
  }

  /** @returns false when the nodes did not become equal: nothing else can be checked then */
  async equal(): Promise<boolean> {
    const { members, root } = this.#cluster;
    const startedAt = performance.now();
    let failure = "";
    try {
      const { offset, records } = await converge(
        [root, ...members.filter((member) => member !== root)].map((member) => member.daemon),
        CONVERGE_MS,
      );
      const tookMs = performance.now() - startedAt;
      this.convergedMs.push(tookMs);
      say(`equal after ${(tookMs / 1000).toFixed(1)} s at offset ${offset}, ${records} records`);
    } catch (error) {
      failure = errorText(error);
    }
    this.#verdicts.check("all nodes become equal in time", failure === "", () => failure);
    return failure === "";
  }

  /** Every feeding node asks its replicas for their sums. */
  async verified(): Promise<void> {
    for (const member of this.#cluster.members) {
      if (this.#cluster.followers(member).length === 0) continue;
      const report = JSON.parse(await member.daemon.text("REPL.VERIFY", 20_000)) as VerifyReport;
      const wrong = report.replicas.filter(({ verdict }) => verdict !== "equal");
      const isComplete = report.replicas.length === this.#cluster.followers(member).length;
      this.#verdicts.check(
        "REPL.VERIFY finds every replica equal",
        wrong.length === 0 && isComplete,
        () => `${member.name}: ${JSON.stringify(report)}`.slice(0, 2_000),
      );
    }
  }

  /** What was acknowledged is there. */
  async complete(): Promise<void> {
    const client = await this.#cluster.root.daemon.client();
    const wrong = await this.#ledger.compare(client, this.#cluster.generation);
    this.#verdicts.check(
      "what was acknowledged is there",
      wrong.length === 0,
      () => `${wrong.length} keys: ${wrong.slice(0, 5).join("; ")}`,
    );
  }

  /** A replica that is cut for a moment goes on, without a full sync. */
  async shortCut(random: Random): Promise<void> {
    const cluster = this.#cluster;
    const member = random.pick(cluster.replicas);
    const feeder = member.upstream!;
    const before = await syncs(feeder);
    const proxy = cluster.proxyOf(member);
    const accepted = proxy.connectionsTotal;
    const kind = random.pick(["destroy", "reset", "halfClose"] as const);
    proxy.cutAll(kind);
    await cluster.root.daemon.call("SET", "short cut", random.next());
    const isBack = await until(
      async () =>
        proxy.connectionsTotal > accepted &&
        (await member.daemon.status()).upstream?.state === "streaming",
      { what: `${member.name} to be back`, timeoutMs: RESUME_MS },
    ).catch(() => false);
    const after = await syncs(feeder);
    this.#verdicts.check(
      "a short cut is a partial resync",
      isBack && after.full === before.full && after.partial === before.partial + 1,
      () =>
        `${kind} between ${member.name} and ${feeder.name}: back ${isBack}, full ${before.full} to ` +
        `${after.full}, partial ${before.partial} to ${after.partial}`,
    );
  }

  /** No snapshot, hold, parking or pinned log is left. */
  async nothingLeft(): Promise<void> {
    const left = (): Promise<string[]> => Promise.all(this.#cluster.members.map(leftOn));
    let last: string[] = [];
    await until(
      async () => {
        last = (await left()).filter((text) => text !== "");
        return last.length === 0;
      },
      { what: "nothing to be left over", timeoutMs: LEFT_OVER_MS, everyMs: 1_000 },
    ).catch(() => undefined);
    this.#verdicts.check(
      "no snapshot, parking, hold or pinned log is left",
      last.length === 0,
      () => last.join("; "),
    );
  }
}

async function syncs(feeder: Member): Promise<{ full: number; partial: number }> {
  const { counters } = await feeder.daemon.status();
  return { full: count(counters, "sync_full"), partial: count(counters, "sync_partial_ok") };
}

async function leftOn(member: Member): Promise<string> {
  const { backlog, parked, shipsQueued } = await member.daemon.status();
  const snapshots = (await member.daemon.info()).number("snapshots_open");
  const { heldBytes, pinnedBytes } = backlog;
  const counts = { snapshots, parked: parked.length, shipsQueued, heldBytes, pinnedBytes };
  const left = Object.entries(counts).filter(([, value]) => value > 0);
  if (left.length === 0) return "";
  return `${member.name} has ${left.map(([what, value]) => `${value} ${what}`).join(", ")}`;
}
