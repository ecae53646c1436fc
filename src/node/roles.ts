/**
 * The roles that a node can have, as the node itself sees them, and its moves from one to another.
 *
 *                     follow                    follow, stay
 *       leading ------------------> following <-------------- seeding <--+
 *          ^                          |    ^                   |   |     | sync from a source
 *          |                  promote |    | follow, torn      |   +-----+
 *          |                          v    |                   |
 *          +---------------------- promoting <-----------------+
 *            all received is applied                promote
 *
 *       leading <---> paused ----> resigned ----> following: the target leads, or follow
 *                                           ----> promoting: the target has released it, or promote
 *
 *       leading ------> fenced: somebody leads with a higher rank
 *       fenced -------> following: told to, or its log ends where the other's went on; promoting: promote
 *       recovering ----> leading, following, seeding, reclaiming, resigned or fenced: whichever it starts in
 *       reclaiming ----> promoting: all that others had is taken; following: follow, or another leads
 *       following, seeding, fenced, leading ----> reclaiming: a lead round (D29), and back when too few promise
 *       stopped <---- stop from every role
 *
 *   recovering  reads its state from the disk, and answers nothing from it yet
 *   leading     takes writes: the log ends where it last appended
 *   paused      leads, and appends nothing: a planned failover may come of it
 *   resigned    has led, and never appends again in its term: another is to lead (D31)
 *   following   applies what its upstream sends, or tries to get there
 *   seeding     is to lead (--seed-from), and gets a state from one of its sources first
 *   reclaiming  led, and takes what its disk lost from those that followed it first; answers nothing yet
 *   fenced      led, and somebody leads with a higher rank: it takes no writes, and feeds nobody
 *   promoting   applies the rest of what it received, and leads then
 *   stopped     the process ends, or whoever embeds the node closed it
 *
 * Each role has the fields that mean something in it, and a move makes the next role out of the one
 * before. What does not follow from the role is not here: the history (identity.ts), the connection
 * to the upstream (replica/session.ts).
 *
 * Pure values. Owns: the union, its legal moves, what follows from a role. Does not own: what else
 * happens when a node moves (role-moves.ts).
 */
import assert from "node:assert/strict";
import type { Consent, Id } from "../wire/messages.ts";
import type { Promoted, WriteRefusal } from "./api.ts";
import { boundTo, type GivenConsent, givenConsent, NO_CONSENT } from "./consent.ts";
import type { Fence } from "./fence.ts";
import type { Address } from "../net/address.ts";
import type { Resignation } from "./resignation.ts";

/**
 * What there is of a state on a node that does not lead. `nothing`: it never had one, and what it would
 * answer is not its upstream's emptiness but its own ignorance. `torn`: the state is inside a batch that
 * cannot be applied whole, which is no position of the log; only a snapshot mends it.
 */
export type Holding = "nothing" | "whole" | "torn";

/** The rounds of questions to the sources, as a role keeps them (seeding.ts). */
export interface SeedRounds {
  /** What they wait for, for people. */
  readonly why: string;
  start(): void;
  stop(): void;
}

/** The rounds of questions to the node that is to lead: they find out when it does (resigned-run.ts). */
export interface ResignedRounds extends SeedRounds {
  readonly resignation: Resignation;
  /** Where it was heard of last. */
  upstream: Address;
  /** Something happened by which it may lead. */
  hasten(): void;
}

/** The rounds of questions to those that followed a node (reclaiming.ts). */
export interface ReclaimRounds extends SeedRounds {
  /** Why it may not lead with the log that it has; null when it may. */
  readonly refusal: string | null;
  /** What its lead round lacks, as far as it has asked; null for nothing. */
  readonly lacks: string | null;
  /** A batch that was taken cannot be applied whole: it never leads, and has nobody to go back to. */
  torn(): void;
  /** The node leads, and its disk knows that its history has begun. */
  led(): void;
}

/** What a node starts in. */
export type Start = Leading | Following | Seeding | Reclaiming | Resigned | Fenced;

export interface Recovering {
  readonly kind: "recovering";
  /** What it will be, and is called already. */
  readonly then: Start;
}

export interface Leading {
  readonly kind: "leading";
  /** --allow-reset: for the first node that it is told to follow, whatever REPLICAOF consents to. */
  readonly startConsent: Consent;
  /** `torn`: a write failed, and nobody knows what of it the state has: nobody is fed, nothing is written. */
  readonly holds: "whole" | "torn";
}

export interface Paused {
  readonly kind: "paused";
  readonly from: Leading;
}

export interface Resigned {
  readonly kind: "resigned";
  readonly resignation: Resignation;
  readonly rounds: ResignedRounds;
  readonly holds: Holding;
}

export interface Following {
  readonly kind: "following";
  readonly upstream: Address;
  readonly holds: Holding;
  readonly consent: GivenConsent;
}

export interface Seeding {
  readonly kind: "seeding";
  readonly rounds: SeedRounds;
  /** Where it syncs from; null before it has chosen. */
  readonly source: Address | null;
  readonly holds: Holding;
}

export interface Reclaiming {
  readonly kind: "reclaiming";
  readonly rounds: ReclaimRounds;
  /** Whom it takes log from; null before somebody has some. */
  readonly source: Address | null;
  readonly holds: Holding;
  /** As of the role that it is to have. */
  readonly startConsent: Consent;
}

export interface Fenced {
  readonly kind: "fenced";
  readonly fence: Fence;
  /** "nothing": its state was in memory alone, and the process is another one. */
  readonly holds: Holding;
  /** As of the role that it had. */
  readonly startConsent: Consent;
}

/** Those that lead by a lead round, and go back to what they were when too few promise. */
export type RoundStart = Following | Seeding | Fenced;

/** Those that may be promoted. */
export type Follower = Following | Seeding | Reclaiming | Resigned | Fenced;

export interface Promoting {
  readonly kind: "promoting";
  /** What it was, and still is to clients. */
  readonly from: Follower;
  /** They are told how it ended. */
  readonly waiting: readonly Promoted[];
  /** Its history is on the disk before it opens. */
  readonly isSynced: boolean;
}

export interface Stopped {
  readonly kind: "stopped";
  /** What it was, and still is to those who ask. */
  readonly from: Recovering | Leading | Follower | Promoting;
}

export type Role = Recovering | Leading | Paused | Follower | Promoting | Stopped;

/** Which role comes after which. */
export const ROLE_MOVES: Readonly<Record<Role["kind"], readonly Role["kind"][]>> = {
  recovering: ["leading", "following", "seeding", "reclaiming", "resigned", "fenced", "stopped"],
  leading: ["following", "paused", "fenced", "reclaiming", "stopped"],
  paused: ["leading", "resigned"],
  resigned: ["following", "promoting", "stopped"],
  following: ["following", "promoting", "reclaiming", "stopped"],
  seeding: ["seeding", "following", "reclaiming", "promoting", "stopped"],
  reclaiming: ["reclaiming", "following", "seeding", "fenced", "promoting", "stopped"],
  fenced: ["following", "promoting", "reclaiming", "stopped"],
  promoting: ["leading", "following", "stopped"],
  stopped: [],
};

export function assertRoleMove(from: Role["kind"], to: Role["kind"]): void {
  assert(ROLE_MOVES[from].includes(to), `role moved ${from} -> ${to}`);
}

// --- starts --------------------------------------------------------------------------------------

/** It leads from its start, with an empty state. */
export function startLeading(startConsent: Consent): Leading {
  return { kind: "leading", startConsent, holds: "whole" };
}

/** It follows from its start; consent that came with it is for that upstream, or the node `nodeId`, alone. */
export function startFollowing(upstream: Address, kind: Consent, nodeId: Id = ""): Following {
  const consent = kind === "none" ? NO_CONSENT : { kind, nodeId };
  return { kind: "following", upstream, holds: "nothing", consent };
}

export function startSeeding(rounds: SeedRounds): Seeding {
  return { kind: "seeding", rounds, source: null, holds: "nothing" };
}

/** It leads as soon as it has what others have of its log. */
export function startReclaiming({ startConsent }: Leading, rounds: ReclaimRounds): Reclaiming {
  return { kind: "reclaiming", rounds, source: null, holds: "whole", startConsent };
}

/** It handed over, and whoever is to lead may not know yet. */
export function startResigned(resignation: Resignation, rounds: ResignedRounds): Resigned {
  return { kind: "resigned", resignation, rounds, holds: "nothing" };
}

/** It was fenced, and remembers by whom. */
export function startFenced(fence: Fence): Fenced {
  return { kind: "fenced", fence, holds: "nothing", startConsent: "none" };
}

/** It has a state on its disk, perhaps, and is `then` once it has read it. */
export function startRecovering(then: Start): Recovering {
  return { kind: "recovering", then };
}

// --- moves ---------------------------------------------------------------------------------------

/** What was on the disk is the state; `holds` is what there was. */
export function toRecovered({ then }: Recovering, holds: Holding): Start {
  return then.kind === "leading" ? then : withHolding(then, holds);
}

/** Nobody appends until it is known who leads. */
export function toPaused(from: Leading): Paused {
  return { kind: "paused", from };
}

/** As if nothing had been. */
export function toResumed({ from }: Paused): Leading {
  return from;
}

export function toResigned(
  { from }: Paused,
  resignation: Resignation,
  rounds: ResignedRounds,
): Resigned {
  return { kind: "resigned", resignation, rounds, holds: from.holds };
}

/** Told to follow, or that it is a replica after all. Consent to an earlier upstream is void. */
export function toFollowing(
  from: Exclude<Role, Stopped | Recovering | Paused>,
  upstream: Address,
  given: Consent,
): Following {
  const early = startConsentOf(from);
  const consent = givenConsent(early === "none" ? given : early);
  return { kind: "following", upstream, holds: heldBy(from), consent };
}

/** Consent of its start is for whom it is told to follow, not for whom it finds itself. */
function startConsentOf(from: Role): Consent {
  return from.kind === "leading" || from.kind === "reclaiming" || from.kind === "fenced"
    ? from.startConsent
    : "none";
}

/** Somebody leads with a higher rank. */
export function toFenced({ holds, startConsent }: Leading, fence: Fence): Fenced {
  return { kind: "fenced", fence, holds, startConsent };
}

/** Another leads: it was not told to follow, and consents to nothing. */
export function toStaying(from: Seeding | Reclaiming, upstream: Address): Following {
  return { kind: "following", upstream, holds: from.holds, consent: NO_CONSENT };
}

/** It is to lead, and asks others first (D29). */
export function toRound(from: Leading | RoundStart, rounds: ReclaimRounds): Reclaiming {
  const startConsent = startConsentOf(from);
  return { kind: "reclaiming", rounds, source: null, holds: from.holds, startConsent };
}

/** What may ask others for their promises before it leads. */
export function maySeekPromises(role: Role): role is Leading | RoundStart {
  const { kind } = role;
  return kind === "leading" || kind === "following" || kind === "seeding" || kind === "fenced";
}

/** Too few have promised. One that seeds has left its source for that. */
export function afterRound(from: RoundStart): RoundStart {
  return from.kind === "seeding" ? { ...from, source: null } : from;
}

/** The source to sync from is chosen; null for none any more. */
export function toSyncing<R extends Seeding | Reclaiming>(from: R, source: Address | null): R {
  return { ...from, source };
}

/** It takes nothing from others any more. */
export function toPromoting(
  from: Follower,
  waiting: readonly Promoted[],
  isSynced = false,
): Promoting {
  return { kind: "promoting", from, waiting, isSynced };
}

/** All that it received is applied. Consent to an upstream is used up. */
export function toLeading({ from }: Promoting): Leading {
  assert(from.holds !== "torn", "a torn state leads");
  return startLeading(startConsentOf(from));
}

/** The rest could not be applied: it stays below whom it followed. */
export function toFailed({ from }: Promoting): Following {
  const upstream = upstreamOf(from);
  assert(upstream !== null, "there is a rest of what nobody sent");
  return { kind: "following", upstream, holds: from.holds, consent: NO_CONSENT };
}

export function toStopped(from: Stopped["from"]): Stopped {
  return { kind: "stopped", from };
}

// --- changes within a role -----------------------------------------------------------------------

/** One more wants to be told how the promotion ends. */
export function withWaiting(role: Promoting, done: Promoted): Promoting {
  return { ...role, waiting: [...role.waiting, done] };
}

/** A sync, a swap or a torn batch changed what there is of a state; a leading node's is there. */
export function withHolding<R extends Role>(role: R, holds: Holding): R;
export function withHolding(role: Role, holds: Holding): Role {
  switch (role.kind) {
    case "recovering":
      return assert.fail(`a node that recovers its state has found out that it is ${holds}`);
    case "leading":
      assert(holds !== "nothing", `a leading node's state is ${holds}`);
      return role.holds === holds ? role : { ...role, holds };
    case "paused":
      return { ...role, from: withHolding(role.from, holds) };
    case "following":
    case "seeding":
    case "reclaiming":
    case "resigned":
    case "fenced":
      return { ...role, holds };
    case "promoting":
      return { ...role, from: withHolding(role.from, holds) };
    case "stopped":
      return { ...role, from: withHolding(role.from, holds) };
  }
}

/** The upstream said who it is. */
export function withUpstreamId<R extends Role>(role: R, nodeId: Id): R;
export function withUpstreamId(role: Role, nodeId: Id): Role {
  if (role.kind !== "following") return role;
  return { ...role, consent: boundTo(role.consent, nodeId) };
}

/** What consent was given for has happened, or was refused. */
export function withoutConsent<R extends Role>(role: R): R;
export function withoutConsent(role: Role): Role {
  return role.kind === "following" ? { ...role, consent: NO_CONSENT } : role;
}

// --- what follows from a role --------------------------------------------------------------------

/** What it is called: to peers, in ROLE, INFO and status. */
export function roleName(role: Role): "primary" | "replica" {
  switch (role.kind) {
    case "recovering":
      return roleName(role.then);
    case "leading":
    case "paused":
    case "reclaiming":
      return "primary";
    case "following":
    case "seeding":
    case "fenced":
    // Why: clients are to look for another, and no start of the target is to stay below it.
    case "resigned":
      return "replica";
    case "promoting":
    case "stopped":
      return roleName(role.from);
  }
}

/** It led, and does not open before it has what others have of its log. */
export function isReclaiming(role: Role): boolean {
  if (role.kind === "promoting" || role.kind === "stopped") return isReclaiming(role.from);
  return role.kind === "reclaiming";
}

/** Why a write must be refused now, null when it is welcome. */
export function writeRefusal(role: Role): WriteRefusal {
  switch (role.kind) {
    case "recovering":
      return role.then.kind === "leading" ? "loading" : writeRefusal(role.then);
    case "leading":
      return null;
    case "paused":
      return "paused";
    case "following":
    case "resigned":
      return "readonly";
    case "seeding":
      return "seeding";
    case "reclaiming":
      return "loading";
    case "fenced":
      return "fenced";
    case "promoting":
    case "stopped":
      return writeRefusal(role.from);
  }
}

export function heldBy(role: Role): Holding {
  switch (role.kind) {
    case "recovering":
      return "nothing";
    case "leading":
    case "following":
    case "seeding":
    case "reclaiming":
    case "resigned":
    case "fenced":
      return role.holds;
    case "paused":
      return role.from.holds;
    case "promoting":
    case "stopped":
      return heldBy(role.from);
  }
}

/** It has, or had, a state to answer from and to feed from. Asked for every command: leading comes first. */
export function hasState(role: Role): boolean {
  if (role.kind === "leading") return true;
  return heldBy(role) !== "nothing" && !isReclaiming(role);
}

/** Whom its session dials; null on a node that leads, and before a source is chosen. */
export function upstreamOf(role: Role): Address | null {
  switch (role.kind) {
    case "recovering":
      return upstreamOf(role.then);
    case "leading":
    case "paused":
      return null;
    case "following":
      return role.upstream;
    case "resigned":
      return role.resignation.upstream;
    case "seeding":
    case "reclaiming":
      return role.source;
    case "fenced":
      return role.fence.leader;
    case "promoting":
    case "stopped":
      return upstreamOf(role.from);
  }
}

/** What it may lose for what its upstream has. */
export function consentOf(role: Role): GivenConsent {
  return role.kind === "following" ? role.consent : NO_CONSENT;
}

/** It was started to lead, and has not got there: what it is, for people and restarts. */
export function seedingOf(role: Role): Seeding | null {
  switch (role.kind) {
    case "recovering":
      return seedingOf(role.then);
    case "leading":
    case "paused":
    case "following":
    case "reclaiming":
    case "resigned":
    case "fenced":
      return null;
    case "seeding":
      return role;
    case "promoting":
    case "stopped":
      return seedingOf(role.from);
  }
}

/** By whom it was fenced, as long as it is; null on any other node. */
export function fenceOf(role: Role): Fence | null {
  switch (role.kind) {
    case "recovering":
      return fenceOf(role.then);
    case "fenced":
      return role.fence;
    case "promoting":
    case "stopped":
      return fenceOf(role.from);
    default:
      return null;
  }
}

export const NEVER_SYNCED =
  "this node never had a state, and would be an empty primary; wait for its first sync, or say REPLICAOF NO ONE FORCE";
export const TORN =
  "the state is inside a batch that could not be applied whole; follow a node that has one (REPLICAOF host port), which sends a snapshot";
export const RECOVERING =
  "the state is still being recovered from the disk; say it again when it is (INFO persistence, loading:0)";
export const FAILING_OVER = "REPLICAOF not allowed while failing over.";
export const RESIGNED =
  "this node has resigned for another, which may lead: FAILOVER ABORT asks that one, REPLICAOF NO ONE FORCE asks nobody";
/** Why a lead round does not end. */
export function lackingText(lacks: string): string {
  return `${lacks}; REPLICAOF NO ONE FORCE leads without them, and loses what they alone confirmed`;
}

export const STOPPED = "this node was stopped";
export const SILENT =
  "the state has not answered for a minute, so nobody can say what of the log it has, and this node stays a replica; see what it waits for, and say it again";

/** Why it cannot be promoted, null when it can. `force` makes an empty primary of one without a state. */
export function promotionRefusal(role: Follower, force: boolean): string | null {
  if (role.kind === "reclaiming" && role.rounds.refusal !== null) return role.rounds.refusal;
  if (role.kind === "reclaiming" && role.rounds.lacks !== null && !force)
    return lackingText(role.rounds.lacks);
  switch (role.holds) {
    case "torn":
      return TORN;
    case "nothing":
      return force ? null : NEVER_SYNCED;
    case "whole":
      return null;
  }
}

/** What it appended may still be confirmed. */
export function isConfirming({ kind }: Role): boolean {
  return kind === "leading" || kind === "paused";
}
