/** Deliberate bugs in how a node that seeds chooses, and when it leads. */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ rule: "D29" });

export const SEED_MUTANTS: readonly Mutant[] = [
  mutant("a seeded node leads with less than another source has", [
    "node/seed-choice.ts",
    "const best = first(logs.filter(isHeardNow), compareLogs);",
    "const best = first(logs.filter(isHeardNow), () => 0);",
  ]),
  mutant("a seeded node goes by where logs end", [
    "node/seed-choice.ts",
    "const best = first(logs.filter(isHeardNow), compareLogs);",
    "const best = first(logs.filter(isHeardNow), (a, b) => a.offset - b.offset);",
  ]),
  mutant("a seeded node promotes itself, and a source is another node's replica", [
    "node/seed-choice.ts",
    "if (apart !== undefined)",
    "if (apart?.offset === -1)",
  ]),
  mutant("a seeded node stays below a leader of a lower rank", [
    "node/seed-choice.ts",
    "const above = logs.find((log) => compareLeaders(log, best) > 0);",
    "const above = logs.find((log) => compareLeaders(log, best) > 1e9);",
  ]),
  mutant("a seeded node promotes itself beside a living primary", [
    "node/seed-choice.ts",
    'return state.role === "primary" || (state.rootLives',
    "return own.synced && own.offset < 0 && (state.rootLives",
  ]),
];
