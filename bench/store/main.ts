/**
 * What the store costs. One JSON line for each question, CPU time (user and system, all threads)
 * beside every rate.
 *
 *   npm run bench:store -- [--keys 1000000] [--only ops,growth,...] [--churn 20000000]
 *
 *   ops      set of a new key, overwrite, get, delete: one at a time and in groups of 64
 *   growth   the longest slice while growing, beside idle and page-touch controls
 *   memory   bytes per key after a fresh load, and what deleting 90 % gives back
 *   churn    memory after random overwrites with mixed sizes
 *   freeze   how long a freeze takes
 *   ship     serializing in the worker, loading
 *   beside   writers beside two open snapshots, idle and being serialized
 *
 * Keys are 16 bytes, values 100. Making keys is not timed where operations are. "control" is what the
 * machine takes by itself.
 */
import { parseArgs } from "node:util";
import { beside } from "./beside.ts";
import { churn } from "./churn.ts";
import { freeze } from "./freeze.ts";
import { growth } from "./growth.ts";
import { memory } from "./memory.ts";
import { ops } from "./ops.ts";
import { ship } from "./ship.ts";

const { values: args } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    only: { type: "string", default: "ops,growth,memory,churn,freeze,ship,beside" },
    churn: { type: "string", default: "20000000" },
  },
});

const QUESTIONS: Record<string, (keys: number) => void | Promise<void>> = {
  ops,
  growth,
  memory,
  churn: (keys) => churn(keys, Number(args.churn)),
  freeze,
  ship,
  beside,
};
const asked = args.only.split(",");
const unknown = asked.filter((name) => !(name in QUESTIONS));
if (unknown.length > 0) throw new Error(`no such question: ${unknown.join(", ")}`);
for (const name of asked) await QUESTIONS[name]!(Number(args.keys));
