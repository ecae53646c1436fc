/**
 * When somebody who leads fences a node that leads too, and what is remembered of that.
 *
 *   what is heard of whoever leads                     this node
 *   it is of another cluster, or of none yet           leads on: they have nothing to do with each other
 *   no history in common, and this log is not empty    the same
 *   its rank is not above this node's                  leads on: the other will be fenced, when it hears
 *   else                                               is fenced
 *
 * Only a rank that somebody leads with fences: who names one has adopted a history that was opened with it, or
 * leads in it. Of equal ranks the history decides, so that of two leaders one always gives way.
 *
 *   fork    up to where this node's log is the other's too; what is behind it, the other has not
 *   leader  where that one's replication port is; unknown as long as only its replicas told of it
 *
 * Pure. Owns: that decision, its text and its words. Does not own: what else happens to a node that is fenced
 * (role-moves.ts), the file (node-file.ts).
 */
import { compareLeaders, latestCommon, type LogName, rankText } from "../log/history.ts";
import { type Address, formatAddress, hostOf } from "../net/address.ts";
import type { LedLog } from "../primary/deps.ts";
import type { Fields } from "../primary/journal.ts";
import { idOf, type Json, numberOf, objectOf, rankOf } from "../wire/json-fields.ts";
import type { Id, Rank } from "../wire/messages.ts";
import { keptAddressOf } from "./kept-address.ts";

/** Whoever leads in a node's place. */
export interface Fence {
  readonly history: Id;
  readonly rank: Rank;
  /** With which this node led. */
  readonly led: Rank;
  readonly fork: number;
  readonly leader: Address | null;
}

/** The log of a node that leads, or led until it was fenced. */
export interface OwnLog extends LogName {
  readonly clusterId: Id | null;
}

/** The same, with the host that `remote` came from, where its leader named none. */
export function reachable(led: LedLog, remote: string): LedLog {
  if (led.leader === null || led.leader.host !== "") return led;
  const host = hostOf(remote);
  return { ...led, leader: host === "" ? null : { host, port: led.leader.port } };
}

/** What `led` does to a node that leads, with a log up to `next`; null for nothing. */
export function fenceBy(own: OwnLog, next: number, led: LedLog): Fence | null {
  const { history, rank, leader } = led;
  if (own.clusterId === null || own.clusterId !== led.clusterId) return null;
  const common = latestCommon(led, own);
  if (common === null && next > 0) return null;
  const fork = common?.fork ?? 0;
  // Why finite: nobody else leads in the history that this node writes.
  if (compareLeaders(led, own) <= 0 || !Number.isFinite(fork)) return null;
  return { history, rank, led: own.rank, fork, leader };
}

/** What a node that is fenced learns more; the same fence for nothing. */
export function fencedAgain(before: Fence, own: OwnLog, next: number, led: LedLog): Fence {
  const order = compareLeaders(led, before);
  if (order < 0 || (order === 0 && (led.leader === null || before.leader !== null))) return before;
  return fenceBy(own, next, led) ?? before;
}

/** For people: both ranks. */
export function fenceText({ rank, led, leader }: Fence): string {
  const where = leader === null ? "another node" : formatAddress(leader);
  return `it led with rank ${rankText(led)}, and ${where} leads with rank ${rankText(rank)}`;
}

/** Log that whoever leads has not, of a node whose log ends at `next`, bytes. */
export function ownBytes({ fork }: Fence, next: number): number {
  return Math.max(0, next - fork);
}

/** For the log line, on a node whose log ends at `next`. */
export function fenceFields(fence: Fence, remote: string, next: number): Fields {
  return {
    rank: rankText(fence.led),
    by_rank: rankText(fence.rank),
    by_history: fence.history,
    leader: fence.leader === null ? "" : formatAddress(fence.leader),
    remote,
    own_bytes: ownBytes(fence, next),
  };
}

/** Every field checked. @throws {Error} naming what is wrong */
export function readFence(value: unknown): Fence {
  const { history, rank, led, fork, leader }: Json = objectOf(value, "fence");
  return {
    history: idOf(history, "fence.history"),
    rank: rankOf(rank, "fence.rank"),
    led: rankOf(led, "fence.led"),
    fork: numberOf(fork, "fence.fork", Number.MAX_SAFE_INTEGER),
    leader: leader === null ? null : keptAddressOf(leader, "fence.leader"),
  };
}
