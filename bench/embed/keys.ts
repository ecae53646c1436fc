/**
 * The built-in store in a process: calls per second of CPU of each kind of read and write with many keys, beside a
 * plain Map whose values are copied, in one process and one run, in alternating rounds. One JSON line for each.
 *
 *   npm run bench:embed:keys -- [--only set,get] [--order random,zipf] [--keys 1000000] [--value 100] [--rounds 7] [--ms 700]
 *
 *   set get getString has      keys that are there
 *   batch                      10 sets each, counted as 10
 *   increment update setIfAbsent compareAndSet
 *   walk                       entries() as strings, counted by entry; the Map's entries() beside it
 *
 * Which keys, of those that are there:
 *
 *   random     any: with a million of them each call waits for the memory some times
 *   inserted   one after the other, as they were inserted
 *   zipf       the n-th key as often as 1/n^0.99, which is what YCSB takes for what users ask for
 *   hot        nine of ten calls are for a thousand keys, the others for any
 *
 * `floor` is what a bare probe of typed arrays does with the same keys (bare-probe.ts): no store in JavaScript is
 * faster. A thousand calls, then a turn of the loop, which seals and trims the log: its time is counted. No replica
 * follows, and there is no disk. `ratio` is the median over the rounds of hawser / Map.
 */
import { setImmediate as turn } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Primary } from "../../src/index.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { BareProbe } from "./bare-probe.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    order: { type: "string", default: "random,inserted,zipf,hot" },
    keys: { type: "string", default: "1000000" },
    value: { type: "string", default: "100" },
    rounds: { type: "string", default: "7" },
    ms: { type: "string", default: "700" },
  },
});
const KEYS = Number(args.keys);
const VALUE = "v".repeat(Number(args.value));
const OTHER = "w".repeat(Number(args.value));
const CALLS_PER_TURN = 1000;
/** Keys as strings, used over and over: what is measured is no making of strings. */
const NAMES = 131_072;
const HOT = 1000;
const ZIPF_EXPONENT = 0.99;

const anyKey = (): number => Math.floor(Math.random() * KEYS);

/** Which keys are asked about: the numbers of NAMES of them. */
const ORDERS: Readonly<Record<string, () => (i: number) => number>> = {
  random: () => anyKey,
  inserted: () => (i) => i % KEYS,
  zipf: byZipf,
  hot: () => () =>
    Math.random() < 0.9 ? Math.floor((anyKey() / KEYS) * HOT) * Math.floor(KEYS / HOT) : anyKey(),
};

/** Which key is the n-th has nothing to do with where it is. */
function byZipf(): () => number {
  const sums = new Float64Array(KEYS);
  let sum = 0;
  for (let n = 0; n < KEYS; n++) sums[n] = sum += (n + 1) ** -ZIPF_EXPONENT;
  const shuffled = Uint32Array.from(sums, (_, n) => n);
  for (let n = KEYS - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [shuffled[n], shuffled[other]] = [shuffled[other]!, shuffled[n]!];
  }
  return () => {
    const drawn = Math.random() * sum;
    let [low, high] = [0, KEYS - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return shuffled[low]!;
  };
}

let numbers = new Uint32Array(0);
let names: readonly string[] = [];
let counters: readonly string[] = [];

function use(order: string): void {
  const drawer = ORDERS[order];
  if (drawer === undefined) throw new Error(`no such order: ${order}`);
  const draw = drawer();
  numbers = Uint32Array.from({ length: NAMES }, (_, i) => draw(i));
  const known = new Map<number, string>();
  names = Array.from(numbers, (n) => known.get(n) ?? (known.set(n, name(n)), known.get(n)!));
  counters = names.map((each) => `n${each}`);
}

function name(n: number): string {
  return `key:${String(n).padStart(12, "0")}`;
}

/** What both ends of a comparison do in one call: with the i-th name. */
interface Question {
  /** Operations that one call counts as. */
  readonly ops?: number;
  readonly hawser: (primary: Primary, i: number) => unknown;
  readonly map: (map: Map<string, Buffer>, i: number) => unknown;
  /** Of the i-th hash. */
  readonly bare?: (probe: BareProbe, hash: number) => unknown;
}

const copied = (map: Map<string, Buffer>, key: string): Buffer | null => {
  const value = map.get(key);
  return value === undefined ? null : Buffer.from(value);
};

const QUESTIONS: Readonly<Record<string, Question>> = {
  set: {
    hawser: (primary, i) => primary.set(names[i]!, VALUE),
    map: (map, i) => map.set(names[i]!, Buffer.from(VALUE)),
  },
  get: {
    hawser: (primary, i) => primary.get(names[i]!),
    map: (map, i) => copied(map, names[i]!),
    bare: (probe, hash) => probe.get(hash),
  },
  getString: {
    hawser: (primary, i) => primary.getString(names[i]!),
    map: (map, i) => map.get(names[i]!)?.toString(),
    bare: (probe, hash) => probe.get(hash).toString(),
  },
  has: {
    hawser: (primary, i) => primary.has(names[i]!),
    map: (map, i) => map.has(names[i]!),
    bare: (probe, hash) => probe.has(hash),
  },
  batch: {
    ops: 10,
    hawser: (primary, i) =>
      primary.batch(
        Array.from({ length: 10 }, (_, n) => ({
          type: "set",
          key: names[(i + n) % NAMES]!,
          value: VALUE,
        })),
      ),
    map: (map, i) => {
      for (let n = 0; n < 10; n++) map.set(names[(i + n) % NAMES]!, Buffer.from(VALUE));
    },
  },
  increment: {
    hawser: (primary, i) => primary.increment(counters[i]!),
    map: (map, i) => map.set(counters[i]!, Buffer.from(String(Number(map.get(counters[i]!)) + 1))),
  },
  update: {
    hawser: (primary, i) => primary.update(names[i]!, (value) => value),
    map: (map, i) => map.set(names[i]!, Buffer.from(map.get(names[i]!)!)),
  },
  setIfAbsent: {
    hawser: (primary, i) => primary.setIfAbsent(names[i]!, VALUE),
    map: (map, i) => map.has(names[i]!) || map.set(names[i]!, Buffer.from(VALUE)),
  },
  compareAndSet: {
    hawser: (primary, i) => primary.compareAndSet(names[i]!, OTHER, VALUE),
    map: (map, i) => map.get(names[i]!)?.toString() === OTHER,
  },
};

/** Seconds of CPU that this process has used: its own work and the collector's, and nothing of its neighbours. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Operations per second of CPU of `call`. */
async function rate(call: (i: number) => unknown, ops = 1): Promise<number> {
  const start = cpuSeconds();
  const endMs = performance.now() + Number(args.ms);
  let calls = 0;
  let at = Math.floor(Math.random() * NAMES);
  while (performance.now() < endMs) {
    for (let n = 0; n < CALLS_PER_TURN; n++) {
      call(at);
      at = (at + 1) % NAMES;
    }
    calls += CALLS_PER_TURN;
    await turn();
  }
  return (calls * ops) / (cpuSeconds() - start);
}

async function walked(primary: Primary): Promise<number> {
  const start = cpuSeconds();
  let count = 0;
  for await (const [key] of primary.entries({ encoding: "utf8" })) if (key !== "") count++;
  return count / (cpuSeconds() - start);
}

function walkedMap(map: Map<string, Buffer>): number {
  const start = cpuSeconds();
  let bytes = 0;
  for (const [key, value] of map) bytes += key.length + value.toString().length;
  if (bytes === 0) throw new Error("the Map is empty");
  return map.size / (cpuSeconds() - start);
}

interface Round {
  readonly hawser: number;
  readonly map: number;
  readonly floor: number | null;
}

interface Subjects {
  readonly primary: Primary;
  readonly map: Map<string, Buffer>;
  readonly probe: BareProbe;
}

async function ask(question: Question, { primary, map, probe }: Subjects): Promise<Round> {
  const { hawser, map: mapped, bare, ops } = question;
  const hashes = probe.hashesOf(numbers);
  return {
    hawser: await rate((i) => hawser(primary, i), ops),
    map: await rate((i) => mapped(map, i), ops),
    floor: bare === undefined ? null : await rate((i) => bare(probe, hashes[i]!)),
  };
}

function report(kind: string, order: string, rounds: readonly Round[]): void {
  const floors = rounds.flatMap(({ floor }) => (floor === null ? [] : [floor]));
  console.log(
    JSON.stringify({
      name: `embed.keys.${kind}`,
      keys: KEYS,
      valueBytes: VALUE.length,
      ...(order === "" ? {} : { order }),
      perSecond: Math.round(median(rounds.map((each) => each.hawser))),
      map: Math.round(median(rounds.map((each) => each.map))),
      ratio: Number(median(rounds.map((each) => each.hawser / each.map)).toFixed(2)),
      ...(floors.length === 0 ? {} : { floor: Math.round(median(floors)) }),
    }),
  );
}

async function main(): Promise<void> {
  const { Primary } = await shipped("index");
  const { copyOut } = await shipped("store/copy");
  const primary = await Primary.open();
  const map = new Map<string, Buffer>();
  for (let n = 0; n < KEYS; n++) {
    primary.set(name(n), VALUE);
    map.set(name(n), Buffer.from(VALUE));
    if (n % CALLS_PER_TURN === 0) await turn();
  }
  const subjects = { primary, map, probe: new BareProbe(KEYS, VALUE.length, copyOut) };
  const asked = args.only === "" ? [...Object.keys(QUESTIONS), "walk"] : args.only.split(",");
  const unknown = asked.find((kind) => kind !== "walk" && QUESTIONS[kind] === undefined);
  if (unknown !== undefined) throw new Error(`no such question: ${unknown}`);
  const rounds = Number(args.rounds);
  for (const order of args.order.split(",")) {
    use(order);
    for (const [kind, question] of Object.entries(QUESTIONS)) {
      // What writes is asked of random keys alone.
      if (!asked.includes(kind) || (question.bare === undefined && order !== "random")) continue;
      const done: Round[] = [];
      for (let n = 0; n < rounds; n++) done.push(await ask(question, subjects));
      report(kind, order, done);
    }
  }
  if (asked.includes("walk")) {
    const done: Round[] = [];
    for (let n = 0; n < rounds; n++)
      done.push({ hawser: await walked(primary), map: walkedMap(map), floor: null });
    report("walk", "", done);
  }
  await primary.close();
}

await main();
