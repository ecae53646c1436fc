/**
 * npm run crash:points -- [--points N] [--seed S] [--point N]
 *
 * Makes a data directory by a real primary under load, kills it, damages N copies (default 1000) at random
 * places, and starts on each. What comes of it must be one of these:
 *
 *   whole        it serves all that an undamaged copy serves
 *   torn         it serves less, not less than the copy proves to have been synced (proof-reader.ts), and
 *                the event log_cut says how many bytes went
 *   short        the same, and no bytes went: the damage was a cut, or zeros to the end, at the end of a
 *                frame above all that is proven, which looks like a log that ends there
 *   incomplete   it refuses to lead, in one line that names --accept-loss; with that it serves less, and
 *                says so
 *   refused      it ends with an error of one line
 *
 * In all of them what it serves is the state of one moment, and it never prints a stack. Exit code 1 when
 * something else came of a copy; the line says which. --point: that one alone.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Random } from "../../tools/random.ts";
import { until } from "../../tools/wait.ts";
import { damage } from "./damage.ts";
import { Place } from "./place.ts";
import { provenTo } from "./proof-reader.ts";
import { Writer } from "./writer.ts";

const { values } = parseArgs({
  options: {
    points: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    point: { type: "string" },
  },
});

/** Times that the primary is killed before the copies are taken; in every other life it makes a checkpoint. */
const LIVES = 4;
const LIFE_MS = 150;
/** The last one is long enough for a mark, and is killed under load. */
const LAST_LIFE_MS = 1_300;
const FLAGS = ["--log-level", "info", "--fsync", "everysec"];
const QUIET_MS = 300;

type Outcome = "whole" | "torn" | "short" | "incomplete" | "refused";

/** So many changes are surely in the log below an offset. */
interface Milestone {
  readonly offset: number;
  readonly count: number;
}

class Points {
  readonly #dir = mkdtempSync(join(tmpdir(), "hawser-points-"));
  readonly #seed: number;
  readonly #writer: Writer;
  readonly #milestones: Milestone[] = [];
  readonly outcomes = new Map<Outcome, number>();
  readonly faults: string[] = [];
  /** So many changes are in the files. */
  #written = 0;

  constructor(seed: number) {
    this.#seed = seed;
    const style = { commands: 7, writes: 1 };
    this.#writer = new Writer("w", style, new Random(seed), { next: 1 });
  }

  /** A directory with some checkpoints, files of several lives, and a tail that no mark proves. */
  async make(): Promise<void> {
    const place = this.#place("made");
    for (let life = 0; life < LIVES; life++) {
      await place.start(FLAGS);
      const writing = this.#writer.run(place.daemon.port);
      await this.#note(place, LIFE_MS);
      if (life % 2 === 0) await place.daemon.call("BGSAVE");
      const isLast = life === LIVES - 1;
      await this.#note(place, isLast ? LAST_LIFE_MS : LIFE_MS);
      if (!isLast) await this.#rest(place);
      await place.kill();
      await writing;
    }
    this.#written = await this.#keptBy("undamaged");
  }

  /** Why: then every answered change is in the files, and the next life goes on with all of them. */
  async #rest(place: Place): Promise<void> {
    this.#writer.stop();
    await this.#note(place, QUIET_MS);
  }

  /** How many changes a copy has that nobody damaged. */
  async #keptBy(name: string): Promise<number> {
    const dir = this.#copy(name);
    const place = this.#place(name);
    try {
      await place.start(FLAGS);
      return await this.#changesAt(place, provenTo(dir));
    } finally {
      await place.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  async one(point: number): Promise<void> {
    const random = new Random(this.#seed * 10_000 + point);
    const name = `copy-${point}`;
    const dir = this.#copy(name);
    const what = damage(dir, random);
    const proven = provenTo(dir);
    const place = this.#place(name);
    try {
      const outcome = await this.#start(place, proven, what);
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.faults.push(`point ${point}, ${what}: ${why}`);
      console.log(`FAILED  point ${point}, ${what}: ${why}\n${place.daemon.dump()}`);
    } finally {
      await place.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #copy(name: string): string {
    const dir = join(this.#dir, name);
    cpSync(join(this.#dir, "made"), dir, { recursive: true });
    return dir;
  }

  #place(name: string): Place {
    return new Place(name, ["primary"], join(this.#dir, name));
  }

  /** How far the log was when how much had been answered. */
  async #note(place: Place, ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) {
      // Before the position: what was answered by now is in the log below it.
      const count = this.#writer.ledger.answered;
      const { position } = await place.daemon.status();
      this.#milestones.push({ offset: position.offset, count });
      await sleep(5);
    }
  }

  // --- one copy --------------------------------------------------------------------------------

  async #start(place: Place, proven: number, what: string): Promise<Outcome> {
    const first = await this.#run(place, []);
    if (first !== "refused") return this.#judge(place, proven, what);
    const said = place.daemon.errorLines.join("\n");
    if (place.stackLines().length > 0) throw new Error("it printed a stack");
    if (place.daemon.exit?.code !== 1 && place.daemon.exit?.code !== 2)
      throw new Error(`it ended with ${JSON.stringify(place.daemon.exit)}`);
    if (!/hawser: |"level":"error"/.test(said)) throw new Error("it ended without an error");
    if (!said.includes("--accept-loss")) return "refused";
    if ((await this.#run(place, ["--accept-loss"])) === "refused")
      throw new Error("it refuses with --accept-loss too");
    await this.#changesAt(place, 0);
    return "incomplete";
  }

  async #run(place: Place, flags: readonly string[]): Promise<"ready" | "refused"> {
    const daemon = await place.launch([...FLAGS, ...flags]);
    const isOver = (): boolean => daemon.find("ready") !== undefined || daemon.exit !== null;
    await until(isOver, {
      what: "a start to end",
    });
    if (daemon.exit !== null) return "refused";
    daemon.port = Number(daemon.find("ready")!["port"]);
    return "ready";
  }

  async #judge(place: Place, proven: number, what: string): Promise<Outcome> {
    const kept = await this.#changesAt(place, proven);
    if (kept >= this.#written) return "whole";
    if (Number(place.daemon.find("log_cut")?.["cut_bytes"] ?? 0) > 0) return "torn";
    if (/^(cut|zero end) /.test(what)) return "short";
    throw new Error(`${this.#written - kept} changes are missing, and no log_cut says so`);
  }

  /** How many changes it has. @throws when it is no moment's state, or less than what is proven */
  async #changesAt(place: Place, proven: number): Promise<number> {
    const { ledger } = this.#writer;
    if (place.stackLines().length > 0) throw new Error("it printed a stack");
    const { found, tick } = await place.read(ledger.keys);
    const { kept, fault } = ledger.judge(found, tick, this.#changesTo(proven));
    if (fault !== "") throw new Error(`${fault}; proven to ${proven}`);
    return kept;
  }

  /** Changes that were surely made before an offset. */
  #changesTo(offset: number): number {
    let count = 0;
    for (const milestone of this.#milestones)
      if (milestone.offset <= offset) count = Math.max(count, milestone.count);
    return count;
  }
}

async function main(): Promise<number> {
  const [count, seed] = [Number(values.points), Number(values.seed)];
  const points = new Points(seed);
  console.log(`npm run crash:points -- --points ${count} --seed ${seed}`);
  try {
    await points.make();
    if (values.point !== undefined) await points.one(Number(values.point));
    else for (let point = 0; point < count; point++) await points.one(point);
  } finally {
    points.close();
  }
  const said = [...points.outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(", ");
  console.log(`${count} damaged copies: ${said}; ${points.faults.length} FAILED`);
  return points.faults.length === 0 ? 0 : 1;
}

process.once("SIGINT", () => process.exit(130));
process.exit(await main());
