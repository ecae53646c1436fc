/**
 * Whether a node's clock may lead: a primary expires keys by its own, and stamps its log with it.
 *
 *   what is known of the root's clock           the node's own clock may be off by a minute
 *   it was heard of in this process (PING),     either way: what has passed since is counted by the monotonic clock
 *   however long ago
 *   only the clock of the newest batch          behind it: nobody knows how long ago that was
 *   nothing                                     as it is
 *
 * FORCE leads all the same. A planned failover has the same bound (taking.ts).
 * Pure. Owns: that, and its words. Does not own: what was heard (replica/root-view.ts).
 */

import type { RootView } from "../replica/root-view.ts";
import { type Role, roleName } from "./roles.ts";

/** A clock that is further off the root's may not take its place, ms. */
export const CLOCK_OFF_MS = 60_000;

/** Clocks, ms since 1970. */
export interface Clocks {
  readonly own: number;
  /** The root's now, as it was heard and moved on; null when it was not. */
  readonly root: number | null;
  /** Of the newest batch; 0 for none. */
  readonly batch: number;
}

/** Why it may not lead without FORCE; null when it may. */
export function clockRefusal({ own, root, batch }: Clocks): string | null {
  const known = root ?? batch;
  const isOff = root === null ? own < batch - CLOCK_OFF_MS : Math.abs(own - root) > CLOCK_OFF_MS;
  if (!isOff) return null;
  const whose = root === null ? "the newest batch of its log says" : "its primary's said";
  const what = own > known ? "expire keys too early" : "keep keys for too long";
  return `this node's clock says ${timeOf(own)}, ${whose} ${timeOf(known)}: as a primary it would ${what}; set the clock, or say REPLICAOF NO ONE FORCE`;
}

/** The node; core.ts. */
export interface ClockNode {
  readonly roles: { readonly now: Role };
  readonly session: { readonly root: Pick<RootView, "wordAt"> };
  readonly backlog: { readonly newestClockMs: number };
  readonly now: () => number;
  readonly wallClock: () => number;
}

/** The same of a node; null of one that leads already. */
export function clockRefusalOf({
  roles,
  session,
  backlog,
  now,
  wallClock,
}: ClockNode): string | null {
  if (roleName(roles.now) === "primary") return null;
  const root = session.root.wordAt(now(), 0)?.clockMs ?? null;
  return clockRefusal({ own: wallClock(), root, batch: backlog.newestClockMs });
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
