/**
 * Deliberate bugs in what a leader does at a restart: it does not wait, does not look, takes what it must
 * not. Each is looked for by `npm run sim -- --reclaims`; its text must occur once.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ mode: "reclaims", rule: "D29", prefix: "reclaim: " });

export const RECLAIM_MUTANTS: readonly Mutant[] = [
  mutant(
    "it leads before what it took is durable",
    [
      "node/views.ts",
      "return backlog.store.durable >= backlog.next;",
      "return backlog.store.durable >= 0;",
    ],
    ["node/role-moves.ts", "if (isSynced || isRestart) backlog", "if (isSynced) backlog"],
  ),
  mutant("it does not wait for who is silent", [
    "node/reclaim-choice.ts",
    "  if (waits.length > 0 && !isOverdue)",
    "  if (waits.length > answers.length)",
  ]),
  mutant("it leads beside a higher rank", [
    "node/reclaim-choice.ts",
    'if (role !== "primary") return rank.term > own.rank.term;',
    "if (rank.term >= 0) return false;",
  ]),
  mutant("the bound never passes", [
    "node/reclaiming.ts",
    "const isOverdue = this.#leftMs === 0;",
    "const isOverdue = false;",
  ]),
  mutant("nobody's log is ahead", [
    "node/reclaim-choice.ts",
    'return position.offset > own.offset ? "ahead" : "level";',
    'return position.offset > own.offset + 1e9 ? "ahead" : "level";',
  ]),
  mutant("who was silent is released before the logs have parted", [
    "node/followers.ts",
    "this.#prove(storeId, end + 1, ",
    "this.#prove(storeId, end, ",
  ]),
  mutant("who comes back stays released", [
    "node/peers.ts",
    "this.#list = [...others, { ...peer, awaited: true }]",
    "this.#list = [...others, { ...peer, awaited: before?.awaited ?? true }]",
  ]),
  mutant("who left is released for good", [
    "node/followers.ts",
    "    this.#proofs.delete(hello.storeId);",
    "",
  ]),
  mutant("whom it follows is not remembered", [
    "node/role-moves.ts",
    '    this.remember({ role: "replica", upstream: source });\n    const next = roles.toStaying',
    "    const next = roles.toStaying",
  ]),
];
