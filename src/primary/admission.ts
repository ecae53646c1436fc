/**
 * From HELLO to a fed link: who may come, and how it goes on.
 *
 *   1 version, password, format    4 duplicate of the same replica
 *   2 self, cycle                  5 the resume decision (resume.ts)
 *   3 ready, places                6 is it the store that it says it is (stores.ts)
 *                                  7 WELCOME: stream, wait, or ship (fresh or resumed)
 *
 * Every refusal and every decision is one log line with both sides' values, and a counter. The chain at
 * a position that only the store of the log has is asked of it; then the HELLO is judged again, whole.
 * Owns: that order, 5 and its log line. Does not own: the checks (hello-checks.ts), WELCOME
 * (welcome.ts), links afterwards (feeder.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import type { Hello, RejectCode } from "../wire/messages.ts";
import { ranksText } from "../log/discard.ts";
import { compareLeaders, compareRanks, lastWritten, logEndOf, rankText } from "../log/history.ts";
import type { FeederDeps, LedLog, NodeView } from "./deps.ts";
import {
  checkFormat,
  checkDuplicate,
  checkPeer,
  checkPlace,
  type ChecksOwner,
} from "./hello-checks.ts";
import type { Link } from "./link.ts";
import type { Quarantine } from "./quarantine.ts";
import { ANSWER, decideResume, type ResumeCase, type ResumeDecision } from "./resume.ts";
import type { StateSource } from "../store/state.ts";
import type { Stores } from "./stores.ts";
import { welcome, welcomeCopy, type WelcomeOwner } from "./welcome.ts";

/** What admission needs of the owner. */
export interface AdmissionOwner extends ChecksOwner, WelcomeOwner {
  readonly deps: Pick<
    FeederDeps,
    | "node"
    | "journal"
    | "now"
    | "onHello"
    | "onLeader"
    | "onRolledBack"
    | "onPromised"
    | "onWelcomed"
  >;
  readonly source: StateSource;
  readonly quarantine: Quarantine;
  readonly stores: Stores;
  /** Judges it again, with what the store of the log knows. */
  judge(link: Link, hello: Hello, stored: StoredChain, nowMs: number): void;
}

/** The chain at an offset that is not in memory, -1 when there is none. */
export interface StoredChain {
  readonly offset: number;
  readonly chain: number;
}

/** Judges a HELLO and answers it on the link, or later, when the store was asked. */
export function admit(
  owner: AdmissionOwner,
  link: Link,
  hello: Hello,
  stored: StoredChain | null,
  nowMs: number,
): void {
  const isCopy = hello.purpose === "copy";
  // Why not the format of a copy, nor whose it is: it is kept as it is, and belongs to no replica.
  const stranger = checkPeer(owner.options.replPassword, link, hello);
  if (stranger === null && !isCopy) owner.deps.onHello?.(hello);
  const refusal =
    stranger ??
    (isCopy ? null : checkFormat(owner, hello)) ??
    checkPlace(owner, hello) ??
    (isCopy ? null : checkDuplicate(owner, link, hello, nowMs));
  if (refusal !== null) {
    link.refuse(refusal.code, refusal.message, nowMs, refusal.retryAfterMs ?? 0);
    return;
  }
  if (isCopy) {
    welcomeCopy(owner, link, hello, nowMs);
    return;
  }
  const decision = decide(owner, hello, stored);
  if (decision === null) {
    askLogStore(owner, link, hello);
    return;
  }
  noticeLeader(owner, link, hello);
  if (!link.isClosed && isPromised(owner, link, hello, nowMs)) return;
  // Fenced by that, it feeds nobody any more.
  if (link.isClosed) return;
  report(owner, link, hello, decision);
  const outcome = ANSWER[decision.case];
  if ("reject" in outcome) {
    refuse(owner, link, hello, decision, outcome.reject, nowMs);
    return;
  }
  const quarantineMs = owner.quarantine.waitMs(hello.storeId, nowMs);
  if (quarantineMs > 0 && SHIPS.has(decision.case)) {
    const text = "its last sync failed; the next may start later";
    link.refuse("quarantined", text, nowMs, Math.ceil(quarantineMs));
    return;
  }
  noticeStore(owner, link, hello, !SHIPS.has(decision.case));
  welcome(owner, link, hello, decision, nowMs);
  owner.deps.onWelcomed(link);
}

/** Whether it is the store that it says it is. Why only a welcomed one: others change nothing. */
function noticeStore(owner: AdmissionOwner, link: Link, hello: Hello, goesOn: boolean): void {
  const { node, journal } = owner.deps;
  const { store, replaced } = owner.stores.welcomed(hello, node.history, goesOn);
  link.knownAs(store);
  if (replaced === null) return;
  owner.counters.bump("stores_replaced");
  journal("warn", "store_replaced", {
    remote: link.remote,
    replica: hello.storeId,
    why: replaced.why,
    incarnation: hello.incarnation,
    known_incarnation: replaced.incarnation,
    replica_history: hello.position.history,
    replica_offset: hello.position.offset,
    known_durable: replaced.durable,
  });
}

function refuse(
  owner: AdmissionOwner,
  link: Link,
  hello: Hello,
  decision: ResumeDecision,
  code: RejectCode,
  nowMs: number,
): void {
  if (code !== "rank") {
    link.refuse(code, STRANGER_TEXT[code] ?? code, nowMs);
    return;
  }
  const { node, onLeader, onRolledBack } = owner.deps;
  link.refuse(code, rankRefusal(node, hello, decision), nowMs, RANK_RETRY_MS);
  if (decision.case === "outranked") onLeader(ledAbove(hello), link.remote);
  else onRolledBack(hello, decision.discardBytes);
}

/** Ranks move: whoever feeds may be led anew, or be told to follow somebody else. */
const RANK_RETRY_MS = 1_000;

const STRANGER_TEXT: Readonly<Partial<Record<RejectCode, string>>> = {
  unrelated:
    "you hold data of a history this node knows nothing of; use --allow-reset or REPLICAOF to discard it",
  unrelated_empty:
    "this node is empty and you hold data of another history; start with --allow-reset to discard it",
};

/** For people, with both ranks. */
function rankRefusal(node: NodeView, hello: Hello, { discardBytes }: ResumeDecision): string {
  const what = discardBytes > 0 ? `${discardBytes} bytes of your log` : "your log";
  const led = `this node's log is led with ${ranksText(node, logEndOf(hello))}`;
  return `${what} would be discarded, which takes a higher rank: ${led}; follow whoever leads with the higher one, or promote here`;
}

/** The log that `hello` is of, led by somebody else. */
function ledAbove({ clusterId, position, rank, lineage }: Hello): LedLog {
  return { clusterId, history: position.history, rank, lineage, leader: null };
}

/** A replica that has promised to follow no rank as low as this node's, which is told. */
function isPromised(owner: AdmissionOwner, link: Link, hello: Hello, nowMs: number): boolean {
  const { node, onPromised } = owner.deps;
  const { promised, clusterId } = hello;
  if (clusterId !== node.clusterId || compareRanks(promised, node.rank) <= 0) return false;
  const [theirs, ours] = [rankText(promised), rankText(node.rank)];
  const text = `you have promised to follow nobody below rank ${theirs}, and this node's log is of rank ${ours}`;
  owner.counters.bump("resume_promised");
  link.refuse("rank", text, nowMs, RANK_RETRY_MS);
  onPromised(promised, link.remote);
  return true;
}

/** A replica of somebody who leads with a higher rank than this node. */
function noticeLeader({ deps }: AdmissionOwner, link: Link, hello: Hello): void {
  const led = ledAbove(hello);
  if (deps.node.role === "primary" && compareLeaders(led, deps.node) > 0)
    deps.onLeader(led, link.remote);
}

// --- decision ----------------------------------------------------------------------------------

/** Null when it depends on a chain that only the store has, and that is not known yet. */
function decide(
  owner: AdmissionOwner,
  hello: Hello,
  stored: StoredChain | null,
): ResumeDecision | null {
  const { backlog, source } = owner;
  const { node } = owner.deps;
  backlog.seal();
  const missing = { chain: false };
  const chainAt = (offset: number): number => {
    if (offset >= backlog.first) return backlog.chainAt(offset);
    if (stored?.offset === offset) return stored.chain;
    missing.chain = true;
    return -1;
  };
  const { role, history, rank, lineage } = node;
  const { oldest: first, next } = backlog;
  const empty = source.isEmpty();
  const decision = decideResume(
    { role, history, rank, lineage, first, next, empty, chainAt },
    hello,
  );
  return missing.chain ? null : decision;
}

function askLogStore(owner: AdmissionOwner, link: Link, hello: Hello): void {
  const { offset } = hello.position;
  owner.backlog.store.chainAt(offset, (chain) => {
    if (!link.isClosed) owner.judge(link, hello, { offset, chain }, owner.deps.now());
  });
}

function report(owner: AdmissionOwner, link: Link, hello: Hello, decision: ResumeDecision): void {
  const { node } = owner.deps;
  owner.counters.bump(`resume_${decision.case}`);
  if (FAILED_PARTIAL.has(decision.case)) owner.counters.bump("sync_partial_err");
  owner.deps.journal(LOUD.has(decision.case) ? "warn" : "info", "resume", {
    case: decision.case,
    remote: link.remote,
    replica: hello.storeId,
    replica_history: hello.position.history,
    replica_offset: hello.position.offset,
    replica_chain: hello.position.chain,
    replica_has_data: hello.hasData,
    replica_complete: hello.complete,
    ship_wanted: hello.shipWanted,
    history: node.history,
    first: owner.backlog.oldest,
    next: owner.backlog.next,
    common: decision.common,
    fork: Number.isFinite(decision.fork) ? decision.fork : -1,
    discard_bytes: decision.discardBytes,
    rank: rankText(node.rank),
    replica_rank: rankText(lastWritten(logEndOf(hello)).rank),
  });
}

/** A position was asked for and could not be continued. */
const FAILED_PARTIAL: ReadonlySet<ResumeCase> = new Set<ResumeCase>([
  "too_old",
  "ahead_of_primary",
  "chain_differs",
  "diverged",
  "reset",
  "asked",
]);

/** Cases that cost a ship. */
const SHIPS: ReadonlySet<ResumeCase> = new Set<ResumeCase>([...FAILED_PARTIAL, "new"]);

const LOUD: ReadonlySet<ResumeCase> = new Set<ResumeCase>([
  "ahead_of_primary",
  "chain_differs",
  "diverged",
  "unrelated",
  "unrelated_empty",
  "reset",
  "asked",
  "outranked",
  "rolled_back",
]);
