/**
 * Deliberate bugs in a planned failover: what is said, remembered and synced in the wrong order, or not at all.
 * Each is looked for by `npm run sim -- --failovers`; the last ones in clusters, which hand over among all their other
 * faults. Its text must occur once.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ mode: "failovers", rule: "D31", prefix: "failover: " });

/** The same, looked for by clusters. */
const inClusters = mutantsOf({ rule: "D31", prefix: "hand over: " });

export const FAILOVER_MUTANTS: readonly Mutant[] = [
  mutant("a node that is paused deletes what has expired", [
    "node/roles.ts",
    '      return "paused";',
    "      return null;",
  ]),
  mutant("the resignation is not remembered", [
    "node/role-moves.ts",
    'const refusal = this.remember({ role: "resigned", ...resignation });',
    "const refusal = null;",
  ]),
  mutant(
    "the target leads wherever it is",
    [
      "node/taking.ts",
      "const why = forced ? null : this.#elsewhere(position);",
      "const why = null;",
    ],
    [
      "node/taking.ts",
      "() => forced || this.#node.backlog.next >= position.offset,",
      "() => true,",
    ],
  ),
  mutant("the target is a primary before its log is durable", [
    "node/taking.ts",
    "else this.#whenDurable(() => this.#lead());",
    "else this.#lead();",
  ]),
  mutant("what was released is taken", [
    "node/taking.ts",
    "    this.#newest = null;\n    switch",
    "    switch",
  ]),
  mutant("every replica hears TAKE", [
    "node/failover.ts",
    "if (run === null || link.hello?.storeId !== run.resignation.target) return;",
    "if (run === null || link.hello === null) return;",
  ]),
  mutant("TAKE is said once", [
    "node/failover.ts",
    "    link.sayBetween(takeOf(run.resignation));",
    "",
  ]),
  mutant("ABORT does not ask the target", [
    "node/releasing.ts",
    "    this.#release = release;\n",
    '    this.#release = release;\n    this.answered(link, { type: "released", failoverId });\n',
  ]),
  mutant("nobody asks the target whether it leads", [
    "node/resigned-run.ts",
    "if (this.#hasTaken(answer?.state ?? null))",
    "if (answer === undefined)",
  ]),
  inClusters("a node that is paused deletes what has expired", [
    "node/roles.ts",
    '      return "paused";',
    "      return null;",
  ]),
  inClusters("the resignation is not remembered", [
    "node/role-moves.ts",
    'const refusal = this.remember({ role: "resigned", ...resignation });',
    "const refusal = null;",
  ]),
  inClusters("what was taken back is not counted", [
    "node/failover.ts",
    '    feeder.counters.bump("failovers_resumed");\n',
    "",
  ]),
  inClusters("by force it leads again in the term that it handed on", [
    "node/role-moves.ts",
    "        this.parts.identity.yieldTo({ term: role.resignation.term, run: 0 });\n",
    "",
  ]),
];
