/**
 * What a start makes of the mark that a public state was opened with, on a node without a log on disk.
 *
 *   mark                  the node leads                          it follows
 *   of a place            its log begins there, under a new       its log begins there; it says so to its
 *                         history that goes on from the mark's    upstream, which goes on from there
 *   none                  a cluster of its own, with what is in   it has no state: what its upstream has
 *                         the state                               comes as a snapshot
 *   not readable          the same, and the log says so           the same; data that is there goes by
 *                                                                 consent alone
 *
 * A node that leads marks a state that has no mark, before anybody can follow it: a history that replicas
 * know must be found again after a crash.
 *
 * With a log on disk that is read from the mark on: node/disk/disk-recovery.ts.
 * Owns: the table. Does not own: marks (bridge/mark.ts), roles.
 * Tested in: test/unit/embed/replicate.test.ts.
 */
import type { BridgedState, OpenedState } from "../bridge/bridged-state.ts";
import type { MarkedPlace } from "../bridge/mark.ts";
import type { Journal } from "../primary/journal.ts";
import type { NodeCore } from "./core.ts";

/** The node has what the state has; its log is in memory alone, and begins here. */
export function startMarked(core: NodeCore, { place }: OpenedState): void {
  if (place === null) core.roles.recoveredNothing();
  else recoverMarked(core, place);
  core.roles.opened(place === null ? "nothing" : "whole");
}

/** The log is that of `place`, and ends there. */
export function recoverMarked(core: NodeCore, place: MarkedPlace): void {
  const { history, rank, lineage, offset, chain } = place;
  core.backlog.begin(offset, chain);
  core.identity.adopt({ history, rank, lineage }, null);
  core.roles.recovered();
}

/** What the log says of a mark that cannot be read. */
export function tellDamage({ damage }: OpenedState, journal: Journal): void {
  if (damage !== "") journal("error", "state_mark_damaged", { why: damage });
}

/** A state that keeps marks has one from here on, if its node leads. Rejects with what the state fails with. */
export async function markLed(
  { roles, backlog, identity }: NodeCore,
  state: BridgedState,
  { place }: Pick<OpenedState, "place">,
): Promise<void> {
  const { now } = roles;
  const role = now.kind === "recovering" ? now.then : now;
  if (role.kind !== "leading" || place !== null || !state.kept.keepsMarks) return;
  const { history, rank, lineage } = identity;
  const { next: offset, chain, newestClockMs: clockMs } = backlog;
  await state.markAs({ history, rank, lineage, offset, chain, clockMs });
}
