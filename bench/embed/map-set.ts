/**
 * What a change of a Map costs as the state of a primary, beside a plain Map; and how long the loop is held
 * by a snapshot of one with a million keys.
 *
 *   npm run --silent build && tsx bench/embed/map-set.ts [--rounds 9]
 *
 *   set        the adapter's set() into the log, a batch sealed and trimmed each 1024 sets
 *   copied     a plain Map's set() of a copy of the value
 *   plain      the same without the copy
 *
 * One line of JSON for each question; `ratio` is the median over the rounds of set / copied, in CPU time. No node, no socket.
 */
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { StateLog } from "../../src/bridge/seam.ts";
import type { Backlog as BacklogOf } from "../../src/log/backlog.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";

const { values: args } = parseArgs({ options: { rounds: { type: "string", default: "9" } } });
const ROUNDS = Number(args.rounds);
const VALUE = Buffer.alloc(100, 7);
const SETS = 400_000;
const BATCH = 1024;

const { Backlog } = await shipped("log/backlog");
const { keyValueCodec, mapState } = await shipped("adapters/map");

/** The log of a primary, as far as a Map sees it. */
class BenchLog implements StateLog {
  readonly #log: BacklogOf = new Backlog(0, 0, { sizeBytes: 64 << 20, clock: () => 1 });
  get memory(): Buffer {
    return this.#log.bytes;
  }
  reserve(bytes: number): number {
    return this.#log.append(bytes);
  }
  undo(): void {
    throw new Error("nothing fails here");
  }
  append(): void {
    throw new Error("a Map reserves");
  }
  endBatch(): void {
    this.#log.seal();
    this.#log.trim(Number.POSITIVE_INFINITY);
  }
}

/** Keys in an order that no cache knows. */
function drawn(count: number, of: number): Uint32Array {
  let state = 1;
  return Uint32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * of);
  });
}

/** CPU time of one set, ns: the collector's work for the copies counts. */
function nsOf(run: () => void): number {
  return (msOf(run) * 1e6) / SETS;
}

function report(name: string, figures: Readonly<Record<string, number>>): void {
  const rounded = Object.entries(figures).map(([key, value]) => [
    key,
    Number(value.toPrecision(4)),
  ]);
  console.log(JSON.stringify({ name: `embed: map: ${name}`, ...Object.fromEntries(rounded) }));
}

function sets(keyCount: number): void {
  const keys = Array.from({ length: keyCount }, (_, i) => `key:${i}`);
  const order = drawn(SETS, keyCount);
  const state = mapState(keyValueCodec);
  const log = new BenchLog();
  state.bind(log);
  const copied = new Map<string, Buffer>();
  const plain = new Map<string, Buffer>();
  for (const key of keys) {
    state.set(key, VALUE);
    copied.set(key, Buffer.from(VALUE));
    plain.set(key, VALUE);
  }
  log.endBatch();
  const times = { set: [] as number[], copied: [] as number[], plain: [] as number[] };
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS + 1; round++) {
    const set = nsOf(() => {
      for (let i = 0; i < SETS; i++) {
        state.set(keys[order[i]!]!, VALUE);
        if (i % BATCH === 0) log.endBatch();
      }
    });
    const copy = nsOf(() => {
      for (let i = 0; i < SETS; i++) copied.set(keys[order[i]!]!, Buffer.from(VALUE));
    });
    const bare = nsOf(() => {
      for (let i = 0; i < SETS; i++) plain.set(keys[order[i]!]!, VALUE);
    });
    // The first warms up.
    if (round === 0) continue;
    times.set.push(set);
    times.copied.push(copy);
    times.plain.push(bare);
    ratios.push(set / copy);
  }
  report(`set, ${keyCount} keys`, {
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
    setNs: median(times.set),
    copiedNs: median(times.copied),
    plainNs: median(times.plain),
  });
}

/** The longest of `turns` turns of the loop, ms. */
async function longestTurn(turns: number): Promise<number> {
  let longest = 0;
  for (let n = 0; n < turns; n++) {
    const start = cpuMs();
    await turn();
    longest = Math.max(longest, cpuMs() - start);
  }
  return longest;
}

function msOf(run: () => void): number {
  const start = cpuMs();
  run();
  return cpuMs() - start;
}

/** CPU time of all threads, the collector's too: what others do on the machine is no part of it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function snapshots(keyCount: number): Promise<void> {
  const holds = { freeze: 0, commit: 0, close: 0, tidyTurn: 0, part: 0, clear: 0 };
  for (let round = 0; round < 3; round++) {
    const state = mapState(keyValueCodec);
    const log = new BenchLog();
    state.bind(log);
    for (let i = 0; i < keyCount; i++) {
      state.set(`key:${i}`, VALUE);
      if (i % BATCH === 0) log.endBatch();
    }
    const most = (name: keyof typeof holds, ms: number): void => {
      holds[name] = Math.max(holds[name], ms);
    };
    const start = cpuMs();
    const frozen = state.freeze();
    most("freeze", cpuMs() - start);
    const reading = (frozen.read(null) as Iterable<unknown>)[Symbol.iterator]();
    for (let isDone = false; !isDone;)
      most(
        "part",
        msOf(() => (isDone = reading.next().done!)),
      );
    for (let i = 0; i < keyCount / 2; i++) {
      state.delete(`key:${i * 2}`);
      if (i % BATCH === 0) log.endBatch();
    }
    await longestTurn(10);
    most(
      "close",
      msOf(() => void frozen.close()),
    );
    most("tidyTurn", await longestTurn(600));
    const staging = state.stage();
    most(
      "commit",
      msOf(() => void staging.commit(Buffer.alloc(1))),
    );
    state.set("key", VALUE);
    most(
      "clear",
      msOf(() => state.clear()),
    );
  }
  report(`loop held with ${keyCount} keys, at most, ms of CPU`, holds);
}

for (const keyCount of [10_000, 1_000_000]) sets(keyCount);
await snapshots(1_000_000);
