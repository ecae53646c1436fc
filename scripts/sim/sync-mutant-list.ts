/**
 * Deliberate bugs in synchronous mode: who counts, when, and for what. Each is looked for by `npm run sim -- --sync`; its
 * text must occur once.
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ mode: "sync", rule: "D30", prefix: "sync: " });
const ofRound = mutantsOf({ mode: "sync", rule: "D29", prefix: "sync: " });

export const SYNC_MUTANTS: readonly Mutant[] = [
  mutant("one copy fewer confirms", [
    "node/members.ts",
    "return Math.max(copies + (members.includes(own) ? 0 : 1), atLeast);",
    "return Math.max(copies - 1 + (members.includes(own) ? 0 : 1), atLeast);",
  ]),
  ofRound("a lead round needs one member fewer", [
    "node/members.ts",
    "return Math.max(0, members.length - copies);",
    "return Math.max(0, members.length - copies - 1);",
  ]),
  ofRound("an incomplete member counts in a lead round", [
    "node/round-need.ts",
    'return complete || (level === "durable" && intact);',
    'return complete || intact || level === "durable";',
  ]),
  mutant("an incomplete member confirms", [
    "primary/feeder.ts",
    "if (!link.isComplete || applied < 0 || store?.isReplaced === true) continue;",
    "if (applied < 0 || store?.isReplaced === true) continue;",
  ]),
  mutant("who is no member confirms", [
    "node/members.ts",
    "const members = others.filter(({ storeId }) => rule.members.includes(storeId));",
    "const members = others;",
  ]),
  mutant("older bytes count before the node batch is confirmed", [
    "node/synchronous.ts",
    "return offset >= this.#begins ? offset : NOTHING;",
    "return offset;",
  ]),
  mutant("a leader that is no member counts as one", [
    "node/members.ts",
    "return Math.max(copies + (members.includes(own) ? 0 : 1), atLeast);",
    "return Math.max(copies + (own === own ? 0 : 1), atLeast);",
  ]),
  mutant("at level durable the leader's own disk does not count", [
    "node/members.ts",
    'if (level === "durable") to = Math.min(to, own.durable);',
    'if (level !== "durable") to = Math.min(to, own.applied);',
  ]),
  mutant("what is applied counts as durable", [
    "node/members.ts",
    "to = Math.min(to, nthBest(members, level, othersNeeded(rule, own.storeId, atLeast)));",
    'to = Math.min(to, nthBest(members, "applied", othersNeeded(rule, own.storeId, atLeast)));',
  ]),
  mutant("a change of members counts at once", [
    "node/members.ts",
    "return { now: next, was: now !== null && canConfirm(now) ? now : null };",
    "return { now: next, was: null };",
  ]),
  mutant("while the members change the new rule alone counts", [
    "node/members.ts",
    "return [now, was].filter((rule) => rule !== null);",
    "return (was === null ? [now] : [now]).filter((rule) => rule !== null);",
  ]),
  mutant("a read is answered without PING", [
    "node/turn.ts",
    "const hearUs = out.takeRead() ? Math.round(nowMs * 1000) : 0;",
    "const hearUs = out.takeRead() ? 0 : 0;",
  ]),
  mutant("what is shown is answered before it is confirmed", [
    "node/confirm-queues.ts",
    "const to = Math.min(confirmer.confirmedTo(copies), durable);",
    "const to = Math.max(confirmer.confirmedTo(copies), durable);",
  ]),
  ofRound("who promised goes on following the lower leader", [
    "node/promising.ts",
    "    roles.leaveLower(`this node has promised to follow rank ${text}`);\n    if (!identity.promise(rank)) return;\n    this.#to = storeId;",
    "    if (!identity.promise(rank)) return;\n    this.#to = storeId;",
  ]),
  ofRound("nobody is asked before a replica leads", [
    "node/role-moves.ts",
    'if (!force && role.holds === "whole" && this.beginRound(done)) return null;',
    'if (!force && role.holds === "nothing" && this.beginRound(done)) return null;',
  ]),
  ofRound("nobody is asked before a primary leads again", [
    "node/lead-round.ts",
    "return needOf([]) === null ? null : { needOf, giveUp };",
    "return giveUp === null || needOf([]) === null ? null : { needOf, giveUp };",
  ]),
  ofRound("a log that counts for more is left where it is", [
    "node/round-need.ts",
    "return compareLogs(log, own) > 0 && goesFrom(log, own) !== null;",
    "return compareLogs(log, own) > 1e9 && goesFrom(log, own) !== null;",
  ]),
  mutant("a planned failover does not wait for those who wait", [
    "node/failover.ts",
    "const isAnswered = (): boolean => !turn.holdsReplies && !synchronous.isAwaited;",
    "const isAnswered = (): boolean => true;",
  ]),
  mutant("reads go on until the very moment in which the node resigns", [
    "node/failover.ts",
    "return this.#attempt !== null && this.#attempt.isPrepared;",
    "return false;",
  ]),
  mutant("a rule is written behind the end that the target was told", [
    "node/synchronous.ts",
    'node.roles.now.kind === "leading" && node.isQuiet() && !log.hasDraft;',
    "node.isQuiet() && !log.hasDraft;",
  ]),
  mutant("what waits is confirmed by the next leadership", [
    "node/turn.ts",
    "    this.#confirming.giveUp();\n",
    "",
  ]),
];
