/**
 * How long the loop is held by what a node asks of a state besides writes: a freeze, a read of a snapshot, a
 * commit of a staging, and the clean-up behind it.
 *
 *   npm run bench:embed:holds -- [--only level,lmdb,accounts] [--keys 200000] [--rounds 3]
 *
 *   freeze   the call, and the longest turn until it has answered
 *   read     the longest turn while all of a snapshot is read
 *   load     the longest turn while a staging is loaded
 *   commit   the longest turn until it has answered: a staging of as many entries, half of them others
 *   tidy     the longest turn after it, while what was replaced is removed
 *
 * One line of JSON for each store, ms: the longest of the rounds, by the clock, and as CPU time of the loop's thread
 * in one turn. On a busy machine only the latter says something.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Records, ReplicatedState } from "../../src/index.ts";
import type { ConformanceOptions } from "../../src/conformance/index.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: "level,lmdb,accounts" },
    keys: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" },
  },
});
const KEYS = Number(args.keys);
/** As a chunk has them. */
const LOADED = 500;
const TIDY_MS = 3_000;
/** Of the thread that began the process. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** The longest turns of the loop since it was begun. */
class Turns {
  longestMs = 0;
  longestCpuMs = 0;
  #isOver = false;

  begin(): this {
    let atMs = performance.now();
    let cpuMs = cpu();
    const look = (): void => {
      const [nowMs, nowCpuMs] = [performance.now(), cpu()];
      this.longestMs = Math.max(this.longestMs, nowMs - atMs);
      this.longestCpuMs = Math.max(this.longestCpuMs, nowCpuMs - cpuMs);
      [atMs, cpuMs] = [nowMs, nowCpuMs];
      if (!this.#isOver) setImmediate(look);
    };
    setImmediate(look);
    return this;
  }

  async end(): Promise<this> {
    await sleep(0);
    this.#isOver = true;
    return this;
  }
}

/** CPU time of the loop's thread, ms; of the process where the system does not say. */
function cpu(): number {
  try {
    return Number(readFileSync(SCHEDSTAT, "latin1").split(" ")[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}

const worst = new Map<string, number>();

async function held(name: string, work: () => unknown): Promise<void> {
  const turns = new Turns().begin();
  await work();
  const { longestMs, longestCpuMs } = await turns.end();
  worst.set(name, Math.max(worst.get(name) ?? 0, longestMs));
  worst.set(`${name}Cpu`, Math.max(worst.get(`${name}Cpu`) ?? 0, longestCpuMs));
}

let readBytes = 0;

function bytesIn(records: Iterable<Uint8Array>): number {
  let bytes = 0;
  for (const { length } of records) bytes += length;
  return bytes;
}

function batchOf(records: readonly Buffer[]): Records {
  const all = Buffer.concat(records);
  return {
    count: records.length,
    bytes: all.length,
    each: (visit) => {
      let at = 0;
      for (const { length } of records) visit(all, at, (at += length));
    },
    [Symbol.iterator]: () => records[Symbol.iterator](),
  };
}

async function round(state: ReplicatedState, write: (n: number) => Buffer): Promise<void> {
  const stage = async (from: number): Promise<void> => {
    const staging = await state.stage({ records: KEYS, bytes: KEYS * 100 });
    await held("load", async () => {
      for (let n = 0; n < KEYS; n += LOADED) {
        const records = Array.from({ length: LOADED }, (_, i) => write(from + n + i));
        await staging.load(batchOf(records));
        // As between two chunks that arrive.
        await turn();
      }
    });
    const mark = Buffer.alloc(80, from === 0 ? 1 : 2);
    await held("commit", () => staging.commit(mark));
    await held("tidy", () => sleep(TIDY_MS));
  };
  await stage(0);
  let frozen: Awaited<ReturnType<typeof state.freeze>>;
  await held("freeze", async () => (frozen = await state.freeze()));
  await held("read", async () => {
    for await (const part of frozen.read(null)) readBytes += bytesIn(part.records);
  });
  await frozen!.close();
  await stage(KEYS / 2);
}

for (const name of args.only.split(",")) {
  const module = new URL(`../../test/tools/${name}-subject.mjs`, import.meta.url);
  const { default: subject } = (await import(module.href)) as { default: ConformanceOptions };
  worst.clear();
  readBytes = 0;
  for (let n = 0; n < Number(args.rounds); n++) {
    const place = mkdtempSync(join(tmpdir(), "hawser-bench-"));
    const made = await subject.make(place);
    await made.state.open();
    await round(made.state as ReplicatedState, (key) =>
      Buffer.from(subject.examples.write(key, key)),
    );
    await made.state.close?.();
    await made.end?.();
    rmSync(place, { recursive: true, force: true });
  }
  const rounded = [...worst].map(([key, ms]) => [key, Number(ms.toFixed(1))]);
  console.log(
    JSON.stringify({ name: `embed: holds: ${name}`, readBytes, ...Object.fromEntries(rounded) }),
  );
}
