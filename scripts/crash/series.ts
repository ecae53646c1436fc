/**
 * Crashes, one after the other, of a primary that is written to, with or without replicas: after each
 * the state that comes back is compared with what its clients were told.
 *
 *   start  ->  compare, all equal, partial resync  ->  load  ->  a death  ->  start ...
 *
 *   death        what happens
 *   kill         SIGKILL under load
 *   checkpoint   SIGKILL while a checkpoint is made
 *   recovery     SIGKILL, and again while it starts, some times
 *   both         SIGKILL of all nodes at once
 *   replica      a replica is killed under load and comes back; then SIGKILL of the primary
 *   stop         SIGTERM under load
 *
 *   policy       promised after SIGKILL: of all that was answered     after SIGTERM
 *   always       everything                                           everything
 *   everysec     what was answered before the log was `written`       everything
 *   no           up to the same place (marks.ts)                      everything
 *   any          with `reclaims`: what a replica that lives has       the same
 *
 * Without `reclaims` a primary asks nobody, and a replica may have what it lost: that one is told so, and
 * only it gets a snapshot.
 *
 * Owns: the order, what is checked. Does not own: writers, ledgers, processes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { converge, count } from "../../tools/converge.ts";
import type { LogLine } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { errorText } from "../../tools/wait.ts";
import { say, type Verdicts } from "../soak/verdicts.ts";
import { raiseFloors } from "./marks.ts";
import { Place } from "./place.ts";
import { Writer, type Numbers, type Style } from "./writer.ts";

export type Policy = "always" | "everysec" | "no";
type Death = "kill" | "checkpoint" | "recovery" | "both" | "replica" | "stop";

const DEATHS: readonly Death[] = ["kill", "checkpoint", "recovery", "both", "replica", "stop"];
const WITHOUT_REPLICAS: readonly Death[] = ["kill", "checkpoint", "recovery", "kill", "stop"];
const POLICIES: readonly Policy[] = ["always", "everysec", "no"];
const STYLES: readonly Style[] = [
  { commands: 1, writes: 1 },
  { commands: 1, writes: 1 },
  { commands: 1, writes: 16 },
  { commands: 16, writes: 2 },
  { commands: 64, writes: 2 },
];
const CONVERGE_MS = 60_000;
/** Nodes that keep nothing never become equal again. */
const DRY_CONVERGE_MS = 2_000;
const FLAGS = ["--log-level", "info"];

export interface SeriesOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly replicas: number;
  /** Of every life; null to draw one for each. */
  readonly policy: Policy | null;
  readonly death: Death | null;
  /** Nodes keep nothing: every check of what comes back must fail. */
  readonly dry: boolean;
  /** A primary that starts takes from its replicas what it lost. */
  readonly reclaims: boolean;
}

export class Series {
  readonly #options: SeriesOptions;
  readonly #verdicts: Verdicts;
  readonly #random: Random;
  readonly #dir = mkdtempSync(join(tmpdir(), "hawser-crash-"));
  readonly #primary: Place;
  readonly #replicas: Place[] = [];
  readonly #writers: readonly Writer[];
  #policy: Policy = "always";
  /** How often a node said what is written, in each life of which that is the promise. */
  readonly #audits: number[] = [];

  constructor(options: SeriesOptions, verdicts: Verdicts) {
    this.#options = options;
    this.#verdicts = verdicts;
    this.#random = new Random(options.seed);
    this.#primary = new Place("primary", ["primary"], this.#dirOf("primary"));
    const numbers: Numbers = { next: 1 };
    this.#writers = STYLES.map(
      (style, n) => new Writer(`w${n}`, style, new Random(options.seed * 100 + n), numbers),
    );
  }

  /** @throws when nodes cannot be compared any more */
  async run(): Promise<void> {
    await this.#startPrimary();
    for (let n = 0; n < this.#options.replicas; n++) {
      const name = `replica-${n + 1}`;
      const of = ["--of", `127.0.0.1:${this.#primary.replPort}`];
      this.#replicas.push(new Place(name, ["replica", ...of], this.#dirOf(name)));
      await this.#replicas[n]!.start(FLAGS);
    }
    await this.#equal();
    for (let round = 1; round <= this.#options.rounds; round++) await this.#round(round);
    this.#checkAudits();
  }

  async close(): Promise<void> {
    for (const place of this.#places) await place.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** For a failure: the last lines of all nodes. */
  dump(): string {
    return this.#places.map((place) => place.daemon.dump()).join("\n");
  }

  get #places(): readonly Place[] {
    return [...this.#replicas, this.#primary].filter(({ lives }) => lives.length > 0);
  }

  #dirOf(name: string): string {
    return this.#options.dry ? "" : join(this.#dir, name);
  }

  async #round(round: number): Promise<void> {
    const deaths = this.#options.replicas === 0 ? WITHOUT_REPLICAS : DEATHS;
    // In turn from a place that the seed says: few rounds see different deaths.
    const death = this.#options.death ?? deaths[(this.#options.seed + round) % deaths.length]!;
    const policy = this.#policy;
    const audits = await this.#loadUntil(death);
    const { answered, sent } = this.#sum();
    const atReplicas = death === "both" ? [] : await this.#atReplicas();
    if (death === "recovery") await this.#dieInRecovery();
    const startedMs = performance.now();
    const others = death === "both" ? this.#replicas : [];
    await Promise.all([this.#startPrimary(), ...others.map((replica) => replica.start(FLAGS))]);
    const tookMs = performance.now() - startedMs;
    const isAll = death === "stop" || policy === "always" || this.#options.dry;
    const promise = isAll ? "answered" : "written";
    const kept = await this.#compare(promise, atReplicas);
    await this.#equal();
    await this.#checkSyncs();
    if (promise === "written" && !this.#options.dry) this.#audits.push(audits);
    say(
      `round ${round}: ${policy}, ${death}: ${answered} answered of ${sent}, ${kept} kept, ` +
        `back after ${Math.round(tookMs)} ms; audits ${audits}, next ${this.#policy}`,
    );
  }

  #sum(): { answered: number; sent: number } {
    const ledgers = this.#writers.map(({ ledger }) => ledger);
    return {
      answered: ledgers.reduce((sum, ledger) => sum + ledger.answered, 0),
      sent: ledgers.reduce((sum, ledger) => sum + ledger.sent, 0),
    };
  }

  // --- load and death --------------------------------------------------------------------------

  async #startPrimary(): Promise<void> {
    this.#policy = this.#options.policy ?? this.#random.pick(POLICIES);
    await this.#primary.start(this.#primaryFlags());
  }

  #primaryFlags(): readonly string[] {
    const { dry, reclaims } = this.#options;
    const asking = reclaims ? [] : ["--reclaim", "0"];
    return dry ? FLAGS : [...FLAGS, "--fsync", this.#policy, ...asking];
  }

  /** @returns how often the floors were raised */
  async #loadUntil(death: Death): Promise<number> {
    const { port } = this.#primary.daemon;
    const writing = this.#writers.map((writer) => writer.run(port));
    const raising = this.#options.dry ? Promise.resolve(0) : raiseFloors(port, this.#writers);
    await sleep(this.#random.between(100, 1_200));
    await this.#die(death);
    await Promise.all(writing);
    for (const { refused } of this.#writers)
      this.#verdicts.check("no write is refused", refused === "", () => refused);
    return raising;
  }

  async #die(death: Death): Promise<void> {
    const random = this.#random;
    const primary = this.#primary;
    if (death === "checkpoint" && !this.#options.dry) {
      await primary.daemon.ask("BGSAVE");
      await sleep(random.between(0, 150));
    }
    if (death === "replica") {
      const replica = random.pick(this.#replicas);
      await replica.kill();
      await sleep(random.between(0, 300));
      await replica.start(FLAGS);
      await sleep(random.between(0, 300));
    }
    if (death === "stop") {
      const { code } = await primary.stop();
      this.#verdicts.check("a stop ends with 0", code === 0, () => `it ended with ${code}`);
    } else if (death === "both") await Promise.all(this.#places.map((place) => place.kill()));
    else await primary.kill();
    this.#checkStacks();
  }

  async #dieInRecovery(): Promise<void> {
    for (let times = this.#random.between(1, 4); times > 0; times--) {
      const daemon = await this.#primary.launch(this.#primaryFlags());
      await sleep(this.#random.between(0, 500));
      await daemon.kill();
      this.#checkStacks();
    }
  }

  // --- checks ----------------------------------------------------------------------------------

  /** How many changes of each writer each replica that lives has. */
  async #atReplicas(): Promise<readonly (readonly number[])[]> {
    const counts: number[][] = [];
    for (const replica of this.#replicas) {
      const row: number[] = [];
      for (const { ledger } of this.#writers) {
        const { found, tick } = await replica.read(ledger.keys);
        const { kept, fault } = ledger.judge(found, tick, 0);
        this.#verdicts.check("a replica has a moment of its primary", fault === "", () => fault);
        row.push(kept);
      }
      counts.push(row);
    }
    return counts;
  }

  /** @returns how many changes are there */
  async #compare(
    promise: "answered" | "written",
    atReplicas: readonly (readonly number[])[],
  ): Promise<number> {
    let sum = 0;
    for (const [n, { ledger }] of this.#writers.entries()) {
      const floor = promise === "answered" ? ledger.answered : ledger.floor;
      const { found, tick } = await this.#primary.read(ledger.keys);
      const { kept, fault } = ledger.judge(found, tick, floor);
      this.#verdicts.check(
        `what was ${promise} is there, and is one moment's state`,
        fault === "",
        () => `writer ${n}: ${fault}`,
      );
      const ahead = Math.max(0, ...atReplicas.map((row) => row[n]!));
      if (this.#options.reclaims)
        this.#verdicts.check(
          "what a living replica had is there",
          kept >= ahead,
          () => `writer ${n}: ${kept} changes, a replica had ${ahead}`,
        );
      sum += kept;
      ledger.adopt(found);
    }
    return sum;
  }

  async #equal(): Promise<void> {
    let failure = "";
    try {
      const all = [this.#primary, ...this.#replicas].map(({ daemon }) => daemon);
      await converge(all, this.#options.dry ? DRY_CONVERGE_MS : CONVERGE_MS);
    } catch (error) {
      failure = errorText(error);
    }
    this.#verdicts.check("all nodes are equal", failure === "", () => failure);
    if (failure !== "") throw new Error(failure);
  }

  /** Nobody needed a snapshot but a replica that had what its primary lost, and was told to discard it. */
  async #checkSyncs(): Promise<void> {
    const { daemon } = this.#primary;
    const { counters } = await daemon.status();
    const full = count(counters, "sync_full");
    const partial = count(counters, "sync_partial_ok");
    const ahead = this.#options.reclaims ? 0 : replicasAhead(daemon.log);
    const others = this.#replicas.length - ahead;
    this.#verdicts.check(
      "replicas continue by partial resync",
      full <= ahead && partial >= others,
      () => `${full} full, ${partial} partial for ${others} replicas, and ${ahead} that are ahead`,
    );
  }

  /** Not of each life: on a busy machine a short one may end before it was asked. */
  #checkAudits(): void {
    if (this.#audits.length === 0) return;
    const times = this.#audits.reduce((sum, each) => sum + each, 0);
    this.#verdicts.check(
      "nodes say what is written",
      times >= this.#audits.length,
      () => `${times} times in ${this.#audits.length} lives`,
    );
  }

  #checkStacks(): void {
    for (const place of this.#places)
      this.#verdicts.check("no node prints a stack", place.stackLines().length === 0, () =>
        place.daemon.dump(),
      );
  }
}

function replicasAhead(log: readonly LogLine[]): number {
  const told = log.filter(
    (line) => line.event === "resume" && Number(line["discard_bytes"] ?? 0) > 0,
  );
  return new Set(told.map((line) => line["replica"])).size;
}
