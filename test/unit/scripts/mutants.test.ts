/** The deliberate bugs of the simulator still fit the sources: running them takes minutes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BRIDGE_MUTANTS } from "../../../scripts/sim/bridge-mutant-list.ts";
import { CLUSTER_DISK_MUTANTS } from "../../../scripts/sim/cluster-disk-mutant-list.ts";
import { DISK_MUTANTS } from "../../../scripts/sim/disk-mutant-list.ts";
import { MUTANTS } from "../../../scripts/sim/mutant-list.ts";
import { FAILOVER_MUTANTS } from "../../../scripts/sim/failover-mutant-list.ts";
import { SEED_MUTANTS } from "../../../scripts/sim/seed-mutant-list.ts";
import { SYNC_MUTANTS } from "../../../scripts/sim/sync-mutant-list.ts";
import { RECLAIM_MUTANTS } from "../../../scripts/sim/reclaim-mutant-list.ts";
import { WORD_MUTANTS } from "../../../scripts/sim/word-mutant-list.ts";
import { RANK_MUTANTS } from "../../../scripts/sim/rank-mutant-list.ts";
import { edited } from "../../../scripts/sim/workbench.ts";

const ALL = [
  ...[...MUTANTS, ...WORD_MUTANTS, ...RANK_MUTANTS, ...DISK_MUTANTS],
  ...[...CLUSTER_DISK_MUTANTS, ...RECLAIM_MUTANTS, ...BRIDGE_MUTANTS, ...FAILOVER_MUTANTS],
  ...SEED_MUTANTS,
  ...SYNC_MUTANTS,
].map((mutant) => [mutant.name, mutant] as const);

test.each(ALL)("%s", (_name, { edits }) => {
  for (const edit of edits) {
    const text = readFileSync(new URL(`../../../${edit.file}`, import.meta.url), "utf8");
    expect(edited(text, edit)).not.toBe(text);
  }
});
