/**
 * The built-in store in a process: calls per second of each kind of read and write with many keys, beside a
 * plain Map whose values are copied, in one process and one run, in alternating rounds. One JSON line for each.
 *
 *   npm run bench:embed:keys -- [--only set,get] [--keys 1000000] [--value 100] [--rounds 7] [--ms 700]
 *
 *   set get getString has      random keys that are there
 *   batch                      10 sets each, counted as 10
 *   increment update setIfAbsent compareAndSet
 *   walk                       entries() as strings, counted by entry; the Map's entries() beside it
 *
 * A thousand calls, then a turn of the loop, which seals and trims the log: its time is counted. No replica
 * follows, and there is no disk. `ratio` is the median over the rounds of hawser / Map.
 */
import { setImmediate as turn } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Primary } from "../../src/index.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: "" },
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
/** Random keys as strings, used over and over: what is measured is no making of strings. */
const NAMES = 131_072;

const names = Array.from({ length: NAMES }, () => name(Math.floor(Math.random() * KEYS)));
const counters = names.map((each) => `n${each}`);

function name(n: number): string {
  return `key:${String(n).padStart(12, "0")}`;
}

/** What both ends of a comparison do in one call: with the i-th name. */
interface Question {
  /** Operations that one call counts as. */
  readonly ops?: number;
  readonly hawser: (primary: Primary, i: number) => unknown;
  readonly map: (map: Map<string, Buffer>, i: number) => unknown;
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
  },
  getString: {
    hawser: (primary, i) => primary.getString(names[i]!),
    map: (map, i) => map.get(names[i]!)?.toString(),
  },
  has: {
    hawser: (primary, i) => primary.has(names[i]!),
    map: (map, i) => map.has(names[i]!),
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

/** Operations per second of `call`. */
async function rate(call: (i: number) => unknown, ops = 1): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + Number(args.ms);
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
  return (calls * ops * 1000) / (performance.now() - startMs);
}

async function walked(primary: Primary): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  for await (const [key] of primary.entries({ encoding: "utf8" })) if (key !== "") count++;
  return (count * 1000) / (performance.now() - startMs);
}

function walkedMap(map: Map<string, Buffer>): number {
  const startMs = performance.now();
  let bytes = 0;
  for (const [key, value] of map) bytes += key.length + value.toString().length;
  if (bytes === 0) throw new Error("the Map is empty");
  return (map.size * 1000) / (performance.now() - startMs);
}

async function main(): Promise<void> {
  const { Primary } = await shipped("index");
  const primary = await Primary.open();
  const map = new Map<string, Buffer>();
  for (let n = 0; n < KEYS; n++) {
    primary.set(name(n), VALUE);
    map.set(name(n), Buffer.from(VALUE));
    if (n % CALLS_PER_TURN === 0) await turn();
  }
  const asked = args.only === "" ? [...Object.keys(QUESTIONS), "walk"] : args.only.split(",");
  for (const kind of asked) {
    const question = QUESTIONS[kind];
    if (question === undefined && kind !== "walk") throw new Error(`no such question: ${kind}`);
    const rounds: { readonly hawser: number; readonly map: number }[] = [];
    for (let round = 0; round < Number(args.rounds); round++)
      rounds.push(
        question === undefined
          ? { hawser: await walked(primary), map: walkedMap(map) }
          : {
              hawser: await rate((i) => question.hawser(primary, i), question.ops),
              map: await rate((i) => question.map(map, i), question.ops),
            },
      );
    console.log(
      JSON.stringify({
        name: `embed.keys.${kind}`,
        keys: KEYS,
        valueBytes: VALUE.length,
        perSecond: Math.round(median(rounds.map((each) => each.hawser))),
        map: Math.round(median(rounds.map((each) => each.map))),
        ratio: Number(median(rounds.map((each) => each.hawser / each.map)).toFixed(2)),
      }),
    );
  }
  await primary.close();
}

await main();
