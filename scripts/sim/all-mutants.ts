/** All deliberate bugs, and those of them that every run of the tests looks for. */
import { BRIDGE_MUTANTS } from "./bridge-mutant-list.ts";
import { CLUSTER_DISK_MUTANTS } from "./cluster-disk-mutant-list.ts";
import { DISK_MUTANTS } from "./disk-mutant-list.ts";
import { FAILOVER_MUTANTS } from "./failover-mutant-list.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutant-list.ts";
import { RANK_MUTANTS } from "./rank-mutant-list.ts";
import { RECLAIM_MUTANTS } from "./reclaim-mutant-list.ts";
import { SEED_MUTANTS } from "./seed-mutant-list.ts";
import { SYNC_MUTANTS } from "./sync-mutant-list.ts";
import { WORD_MUTANTS } from "./word-mutant-list.ts";

export const ALL_MUTANTS: readonly Mutant[] = [
  ...[...MUTANTS, ...WORD_MUTANTS, ...RANK_MUTANTS, ...DISK_MUTANTS],
  ...[...CLUSTER_DISK_MUTANTS, ...RECLAIM_MUTANTS, ...BRIDGE_MUTANTS, ...FAILOVER_MUTANTS],
  ...[...SEED_MUTANTS, ...SYNC_MUTANTS],
];

/** Caught within a few seeds: a run of the tests shows that each kind of schedules catches something. */
const QUICK: readonly string[] = [
  "the window is ignored",
  "rank: any rank fences",
  "a replica is complete once it is welcomed",
  "durable is said before the sync is done",
  "reclaim: whom it follows is not remembered",
  "bridge: a mark names where its run begins",
  "failover: the resignation is not remembered",
  "sync: one copy fewer confirms",
];

export const QUICK_MUTANTS: readonly Mutant[] = QUICK.map((name) => {
  const mutant = ALL_MUTANTS.find((each) => each.name === name);
  if (mutant === undefined) throw new Error(`no deliberate bug is named "${name}"`);
  return mutant;
});
