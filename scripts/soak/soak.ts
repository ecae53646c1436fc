/**
 * The soak: rounds of writes under faults, each followed by a calm in which all is checked.
 *
 *   faults ~95 s | heal, writers stop, equal?, complete?, sums?, short cut, sample | faults ...
 *
 * Owns: the order. Does not own: any single fault or check.
 */
import { Random } from "../../tools/random.ts";
import { errorText, until } from "../../tools/wait.ts";
import { Calm } from "./calm.ts";
import { Cluster } from "./cluster.ts";
import { Faults } from "./faults.ts";
import { judgeFlatness } from "./flatness.ts";
import { Ledger } from "./ledger.ts";
import { Operator } from "./operator.ts";
import { sample, sampleTable, type Sample } from "./samples.ts";
import { SyncJudge } from "./syncs.ts";
import { table } from "./tables.ts";
import { say, seconds, Verdicts } from "./verdicts.ts";
import { WaitProber } from "./waiting.ts";
import { WorkloadWriter } from "./workload.ts";

const WRITERS = 4;
const PACE = { commandsPerSecond: 150, bytesPerSecond: 300_000 };
const FAULTS_MS = 95_000;
/** Every so many rounds the calm lasts until nothing is left over. */
const LONG_CALM_EVERY = 5;
const IDLE_MS = 90_000;

export class Soak {
  readonly verdicts: Verdicts = new Verdicts();
  readonly cluster: Cluster = new Cluster();
  readonly #minutes: number;
  readonly #seed: number;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  readonly #writers: WorkloadWriter[];
  readonly #waits: WaitProber;
  readonly #operator: Operator;
  readonly #faults: Faults;
  readonly #calm: Calm;
  readonly #judge: SyncJudge;
  readonly #samples: Sample[] = [];
  #rounds = 0;

  constructor(minutes: number, seed: number) {
    this.#minutes = minutes;
    this.#seed = seed;
    this.#random = new Random(seed);
    const { cluster, verdicts } = this;
    this.#waits = new WaitProber(cluster, verdicts, new Random(seed + 1));
    this.#operator = new Operator(cluster, verdicts, this.#waits);
    this.#faults = new Faults(cluster, this.#operator, verdicts, new Random(seed + 2));
    this.#calm = new Calm(cluster, verdicts, this.#ledger);
    this.#judge = new SyncJudge(cluster, verdicts);
    this.#writers = Array.from(
      { length: WRITERS },
      (_, n) => new WorkloadWriter(`${n}`, cluster, this.#ledger, new Random(seed + 10 + n), PACE),
    );
    this.#operator.onMoved = () => {
      for (const writer of this.#writers) writer.moveOn();
    };
  }

  async run(): Promise<void> {
    await this.cluster.start(this.#seed);
    const running = [...this.#writers, this.#waits].map((one) => one.run());
    while (seconds() < this.#minutes * 60) {
      this.#rounds += 1;
      say(`--- round ${this.#rounds}: faults`);
      const leftMs = this.#minutes * 60_000 - seconds() * 1000;
      await this.#faults.run(Math.max(10_000, Math.min(FAULTS_MS, leftMs)));
      const isLast = seconds() >= this.#minutes * 60;
      if (!(await this.#checkCalm(isLast || this.#rounds % LONG_CALM_EVERY === 0))) break;
    }
    for (const one of [...this.#writers, this.#waits]) one.end();
    await Promise.all(running);
    await this.#end();
  }

  /** @returns false when it makes no sense to go on */
  async #checkCalm(isLong: boolean): Promise<boolean> {
    say("--- calm");
    const workers = [...this.#writers, this.#waits];
    for (const worker of workers) worker.pause();
    await until(() => workers.every(({ isIdle }) => isIdle), {
      what: "the writers to be answered",
      timeoutMs: IDLE_MS,
    });
    const isEqual = await this.#calm.equal();
    this.#checkProcesses();
    this.#judge.judge({
      failovers: this.#operator.failovers,
      primariesKilled: this.#operator.primariesKilled,
      flipped: this.#faults.flipped,
    });
    if (!isEqual) return false;
    await this.#calm.complete();
    await this.#calm.verified();
    await this.#calm.shortCut(this.#random);
    if (isLong) await this.#calm.nothingLeft();
    await this.#calm.equal();
    this.#samples.push(...(await sample(this.cluster, seconds())));
    const { root } = this.cluster;
    if (this.#random.fraction() < 0.3 || root.name === "n3") await this.#switchOver();
    this.#operator.failovers = 0;
    this.#operator.primariesKilled = 0;
    this.#faults.flipped = false;
    for (const worker of workers) worker.resume();
    return true;
  }

  async #switchOver(): Promise<void> {
    await this.#operator.exclusively(() => this.#operator.switchOver(this.#random));
    await this.#calm.equal();
  }

  /** Nobody ended but those that were killed. */
  #checkProcesses(): void {
    for (const { lives } of this.cluster.members)
      for (const { daemon, killed } of lives)
        this.verdicts.check("no process ended by itself", killed || daemon.exit === null, () =>
          daemon.dump(),
        );
  }

  async #end(): Promise<void> {
    try {
      for (const [name, code] of await this.cluster.stop())
        this.verdicts.check(
          "every node stops with exit code 0",
          code === 0,
          () => `${name}: ${code}`,
        );
    } catch (error) {
      this.verdicts.check("every node stops with exit code 0", false, () => errorText(error));
    }
  }

  /** Everything that was done and seen, as text. */
  report(): string {
    const flatness = judgeFlatness(this.#samples, this.verdicts);
    const commands = this.#writers.reduce((sum, writer) => sum + writer.commands, 0);
    const bytes = this.#writers.reduce((sum, writer) => sum + writer.bytes, 0);
    const errors = this.#writers.reduce((sum, writer) => sum + writer.errors, 0);
    const equalMs = [...this.#calm.convergedMs].sort((a, b) => a - b);
    const pairs = (counts: ReadonlyMap<string, number>): string[][] =>
      [...counts].sort().map(([what, count]) => [what, String(count)]);
    const lives = this.cluster.members.reduce((sum, member) => sum + member.lives.length, 0);
    return [
      sampleTable(this.#samples),
      flatness,
      table(["fault", "times"], pairs(this.#faults.made)),
      table(["path", "times"], pairs(this.#judge.counts)),
      table(["check", "held", "failed", "verdict"], this.verdicts.rows()),
      `seed ${this.#seed}: ${(seconds() / 60).toFixed(1)} minutes, ${this.#rounds} rounds, ` +
        `${lives} processes, ${commands} commands with ${(bytes / 1e6).toFixed(0)} MB, ` +
        `${errors} times a writer had to connect again; ` +
        `WAIT confirmed ${this.#waits.confirmed}, timed out ${this.#waits.timedOut}; ` +
        `equal after ${((equalMs[equalMs.length >> 1] ?? 0) / 1000).toFixed(1)} s in the median, ` +
        `${((equalMs.at(-1) ?? 0) / 1000).toFixed(1)} s at most`,
    ].join("\n\n");
  }
}
