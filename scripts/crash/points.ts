/**
 * npm run crash:points -- [--points N] [--seed S] [--point N]
 *
 * Makes a data directory by a real primary under load, kills it, damages N copies (default 1000) at random
 * places, and starts on each. What comes of it must be one of these:
 *
 *   whole        it serves all that was written
 *   torn         it serves less, not less than the copy proves to have been synced (proof-reader.ts), and
 *                its log says so
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

/** Times that the primary is killed, or makes a checkpoint, before the copies are taken. */
const LIVES = 4;
const LIFE_MS = 350;
const FLAGS = ["--log-level", "info", "--fsync", "everysec"];
const QUIET_MS = 300;

type Outcome = "whole" | "torn" | "incomplete" | "refused";

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
      await this.#note(place, LIFE_MS);
      // Why it is waited for: then every answered change is in the files when the process is gone.
      this.#writer.stop();
      await writing;
      await this.#note(place, QUIET_MS);
      await place.kill();
    }
  }

  async one(point: number): Promise<void> {
    const random = new Random(this.#seed * 10_000 + point);
    const name = `copy-${point}`;
    const dir = join(this.#dir, name);
    cpSync(join(this.#dir, "made"), dir, { recursive: true });
    const what = damage(dir, random);
    const proven = provenTo(dir);
    const place = this.#place(name);
    try {
      const outcome = await this.#start(place, proven);
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

  async #start(place: Place, proven: number): Promise<Outcome> {
    const first = await this.#run(place, []);
    if (first !== "refused") return this.#judge(place, proven);
    const said = place.daemon.errorLines.join("\n");
    if (place.stackLines().length > 0) throw new Error("it printed a stack");
    if (place.daemon.exit?.code !== 1 && place.daemon.exit?.code !== 2)
      throw new Error(`it ended with ${JSON.stringify(place.daemon.exit)}`);
    if (!/hawser: |"level":"error"/.test(said)) throw new Error("it ended without an error");
    if (!said.includes("--accept-loss")) return "refused";
    if ((await this.#run(place, ["--accept-loss"])) === "refused")
      throw new Error("it refuses with --accept-loss too");
    await this.#judge(place, 0);
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

  async #judge(place: Place, proven: number): Promise<Outcome> {
    const { ledger } = this.#writer;
    if (place.stackLines().length > 0) throw new Error("it printed a stack");
    const { found, tick } = await place.read(ledger.keys);
    const floor = this.#changesTo(proven);
    const { kept, fault } = ledger.judge(found, tick, floor);
    if (fault !== "") throw new Error(`${fault}; proven to ${proven}`);
    if (kept >= ledger.answered) return "whole";
    const isTold = place.daemon.log.some(
      ({ level, event }) => (level === "warn" || level === "error") && event !== "memory",
    );
    if (!isTold)
      throw new Error(`${ledger.answered - kept} changes are missing, and no line says so`);
    return "torn";
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
