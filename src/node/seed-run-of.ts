/**
 * The seeding of a node: its sources, and whether it may lead by itself.
 *
 * Owns: that wiring. Does not own: the rounds (seeding.ts), what they see of the node (views.ts).
 * Tested in: test/sim/sim.test.ts.
 */
import type { Address } from "../net/address.ts";
import { type Fence, fenceText } from "./fence.ts";
import { type SeedingDeps, SeedRun } from "./seeding.ts";
import { SeedView, type ViewedNode } from "./views.ts";

/** What a node core is given; core.ts. */
interface SeedRunDeps extends Pick<SeedingDeps, "ask" | "later" | "now" | "journal"> {
  readonly sources: readonly Address[];
  readonly fence?: Fence | null;
}

/** Null without sources. */
export function seedRunOf(
  node: ViewedNode & { readonly turn: Pick<SeedingDeps, "until"> },
  { sources, fence = null, ask, later, now, journal }: SeedRunDeps,
): SeedRun | null {
  if (sources.length === 0) return null;
  return new SeedRun(new SeedView(node), {
    sources,
    mayNotLead: fence === null ? "" : fenceText(fence),
    ask,
    later,
    until: (holds, done) => node.turn.until(holds, done),
    now,
    journal,
  });
}
