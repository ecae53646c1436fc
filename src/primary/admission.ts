/**
 * From HELLO to a fed link: who may come, and how it goes on.
 *
 *   1 version, password, format    4 duplicate of the same replica
 *   2 self, cycle                  5 the resume decision (resume.ts)
 *   3 ready, places                6 WELCOME: stream, wait, or ship (fresh or resumed)
 *
 * Every refusal and every decision is one log line with both sides' values, and a counter.
 * Owns: that order. Does not own: links afterwards (feeder.ts).
 */
import { LIMITS } from "../limits.ts";
import { PROTOCOL, type Decision, type Hello, type RejectCode } from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import { Cursor } from "../log/cursor.ts";
import type { Feeder } from "./feeder.ts";
import type { Link } from "./link.ts";
import type { Parked } from "./parking.ts";
import { ANSWER, decideResume, type ResumeCase, type ResumeDecision } from "./resume.ts";
import { Ship } from "./ship.ts";

interface Refusal {
  readonly code: RejectCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Judges a HELLO and answers it on the link. */
export function admit(feeder: Feeder, link: Link, hello: Hello, nowMs: number): void {
  const refusal =
    checkPeer(feeder, link, hello) ??
    checkFormat(feeder, hello) ??
    checkPlace(feeder, hello) ??
    checkDuplicate(feeder, link, hello, nowMs);
  if (refusal !== null) {
    link.refuse(refusal.code, refusal.message, nowMs, refusal.retryAfterMs ?? 0);
    return;
  }
  noticeSuccessor(feeder, link, hello);
  const decision = decide(feeder, hello);
  report(feeder, link, hello, decision);
  const outcome = ANSWER[decision.case];
  if ("reject" in outcome) {
    link.refuse(outcome.reject, rejectText(decision.case), nowMs);
    return;
  }
  const quarantineMs = feeder.quarantine.waitMs(hello.replicaId, nowMs);
  if (quarantineMs > 0 && SHIPS.has(decision.case)) {
    const text = "its last sync failed; the next may start later";
    link.refuse("quarantined", text, nowMs, Math.ceil(quarantineMs));
    return;
  }
  welcome(feeder, link, hello, decision, nowMs);
}

// --- checks ------------------------------------------------------------------------------------

/** Version and password, of HELLO and ASK alike. */
export function checkPeer(
  feeder: Feeder,
  link: Link,
  peer: Pick<Hello, "version" | "nonce" | "proof">,
): Refusal | null {
  const { version } = peer;
  if (version < PROTOCOL.min || version > PROTOCOL.max)
    return refusal("version", `protocol ${version}; ${PROTOCOL.min} to ${PROTOCOL.max} are spoken`);
  const { password } = feeder.options;
  if (password !== "") {
    const proof = hmacProof(password, "replica", link.nonce, peer.nonce);
    if (!proofMatches(proof, peer.proof))
      return refusal(
        "auth",
        `${peer.proof === "" ? "a password is required" : "wrong password"}; ` +
          "both ends need the same --repl-password",
      );
  }
  return null;
}

function checkFormat(feeder: Feeder, { format }: Hello): Refusal | null {
  const own = feeder.deps.node.format;
  if (format.name !== own.name || format.version !== own.version)
    return refusal(
      "format",
      `format ${format.name}/${format.version}; this node has ${own.name}/${own.version}`,
    );
  return null;
}

function checkPlace(feeder: Feeder, hello: Hello): Refusal | null {
  const { node } = feeder.deps;
  if (hello.nodeId === node.nodeId) return refusal("self", "a node cannot follow itself");
  if (node.path.includes(hello.nodeId))
    return refusal("cycle", `this node follows ${hello.nodeId} already`, 1_000);
  if (node.path.length >= LIMITS.pathNodesMax)
    return refusal("cycle", `more than ${LIMITS.pathNodesMax} nodes in a row`);
  if (node.torn) return refusal("not_ready", "this node's state is inside a batch", 5_000);
  if (!node.ready) return refusal("not_ready", "this node has no state to offer yet", 500);
  const welcomed = feeder.links.filter((other) => other.welcomed).length;
  if (welcomed >= LIMITS.linksMax)
    return refusal("too_many_replicas", `${LIMITS.linksMax} replicas are connected`, 5_000);
  return null;
}

/** The same process comes back: its old link ends. Another process with the same id: only after silence. */
function checkDuplicate(feeder: Feeder, link: Link, hello: Hello, nowMs: number): Refusal | null {
  const older = feeder.links.find(
    (other) => other !== link && other.welcomed && other.hello?.replicaId === hello.replicaId,
  );
  if (older === undefined) return null;
  const silentMs = nowMs - older.lastReceivedMs;
  const sameProcess = older.hello?.instanceId === hello.instanceId;
  if (!sameProcess && silentMs < feeder.options.duplicateSilenceMs)
    return refusal(
      "duplicate_id",
      `replica ${hello.replicaId} is connected from ${older.remote}`,
      feeder.options.duplicateSilenceMs,
    );
  older.close("superseded", `by ${link.remote}`);
  return null;
}

function refusal(code: RejectCode, message: string, retryAfterMs = 0): Refusal {
  return { code, message, retryAfterMs };
}

function rejectText(name: ResumeCase): string {
  return name === "unrelated_empty"
    ? "this node is empty and you hold data of another history; start with --allow-reset to discard it"
    : "you hold data of a history this node knows nothing of; use --allow-reset or REPLICAOF to discard it";
}

/** A replica that descends from our current history past us: a newer primary exists. */
function noticeSuccessor(feeder: Feeder, link: Link, hello: Hello): void {
  const { node } = feeder.deps;
  if (node.role !== "primary") return;
  if (hello.lineage.some((entry) => entry.history === node.history))
    feeder.deps.onSuperseded(hello.position.history, link.remote);
}

// --- decision ----------------------------------------------------------------------------------

function decide(feeder: Feeder, hello: Hello): ResumeDecision {
  const { node } = feeder.deps;
  feeder.backlog.seal();
  return decideResume(
    {
      role: node.role,
      history: node.history,
      lineage: node.lineage,
      first: feeder.backlog.first,
      next: feeder.backlog.next,
      empty: feeder.source.isEmpty(),
      chainAt: (offset) => feeder.backlog.chainAt(offset),
    },
    hello,
  );
}

function report(feeder: Feeder, link: Link, hello: Hello, decision: ResumeDecision): void {
  const { node } = feeder.deps;
  feeder.counters.bump(`resume_${decision.case}`);
  if (FAILED_PARTIAL.has(decision.case)) feeder.counters.bump("sync_partial_err");
  feeder.deps.journal(LOUD.has(decision.case) ? "warn" : "info", "resume", {
    case: decision.case,
    remote: link.remote,
    replica: hello.replicaId,
    replica_history: hello.position.history,
    replica_offset: hello.position.offset,
    replica_chain: hello.position.chain,
    replica_has_data: hello.hasData,
    ship_wanted: hello.shipWanted,
    history: node.history,
    first: feeder.backlog.first,
    next: feeder.backlog.next,
    common: decision.common,
    fork: Number.isFinite(decision.fork) ? decision.fork : -1,
    discard_bytes: decision.discardBytes,
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
]);

// --- welcome -----------------------------------------------------------------------------------

function welcome(
  feeder: Feeder,
  link: Link,
  hello: Hello,
  decision: ResumeDecision,
  nowMs: number,
): void {
  link.hello = hello;
  feeder.crowd.welcomed(link.remote);
  // What the replica knows of the root's clock is as old as its last connection.
  link.pingDue = true;
  const parked = feeder.parking.take(hello.replicaId);
  link.hold =
    parked !== null && parked.hold !== null && feeder.holds.has(parked.hold) ? parked.hold : null;
  if (parked !== null && link.hold !== null && parked.snapshot === null) {
    // Why: a cut neither ends its probation nor makes it one that never caught up.
    link.shippedAtMs = parked.shippedAtMs;
    link.caughtUp = parked.caughtUp;
  }
  const { offset } = hello.position;
  switch (decision.case) {
    case "continue": {
      const cursor = new Cursor(feeder.backlog, offset);
      const skip = cursor.skipHeld(hello.partialBytes, hello.partialCrc);
      parked?.snapshot?.release();
      feeder.counters.bump("sync_partial_ok");
      sayWelcome(feeder, link, hello, "continue", skip, 0, nowMs);
      link.stream(cursor, offset, nowMs);
      break;
    }
    case "ahead_of_replica":
      parked?.snapshot?.release();
      sayWelcome(feeder, link, hello, "wait", 0, 0, nowMs);
      link.move({ kind: "waiting", offset, sinceMs: nowMs });
      break;
    default:
      welcomeShip(feeder, link, hello, decision, parked, nowMs);
  }
  feeder.wantPump();
}

function welcomeShip(
  feeder: Feeder,
  link: Link,
  hello: Hello,
  decision: ResumeDecision,
  parked: Parked | null,
  nowMs: number,
): void {
  const { resume } = hello;
  const snapshot = parked?.snapshot ?? null;
  // A snapshot that is before a damaged batch leads to it again.
  const after = hello.shipWanted === "damaged" ? hello.position.offset : -1;
  const holdStands =
    link.hold !== null || (snapshot !== null && snapshot.offset >= feeder.backlog.first);
  const leadsOn = snapshot !== null && snapshot.offset > after && holdStands;
  if (resume !== null && leadsOn && snapshot.id === resume.snapshotId) {
    sayWelcome(feeder, link, hello, "ship_resume", 0, decision.discardBytes, nowMs);
    const ship = new Ship(link.id, nowMs);
    ship.resumed = true;
    // It says when it is ready: it may have to read what it kept first.
    ship.room = 0;
    link.ship = ship;
    link.move({ kind: "shipping", ship });
    feeder.shipping.resume(ship, snapshot, resume.nextChunk);
    snapshot.release();
    return;
  }
  snapshot?.release();
  if (link.hold !== null) feeder.holds.drop(link.hold);
  link.hold = null;
  const outcome = ANSWER[decision.case];
  const code = "welcome" in outcome ? outcome.welcome : "ship_new";
  sayWelcome(feeder, link, hello, code, 0, decision.discardBytes, nowMs);
  feeder.requestShip(link, nowMs, after);
}

function sayWelcome(
  feeder: Feeder,
  link: Link,
  hello: Hello,
  decision: Decision,
  skipBytes: number,
  discardBytes: number,
  nowMs: number,
): void {
  const { node } = feeder.deps;
  const { password } = feeder.options;
  const { next: offset, chain } = feeder.backlog;
  link.say(
    {
      type: "welcome",
      decision,
      proof: password === "" ? "" : hmacProof(password, "feeder", link.nonce, hello.nonce),
      nodeId: node.nodeId,
      path: node.path,
      position: { history: node.history, offset, chain },
      lineage: node.lineage,
      skipBytes,
      discardBytes,
      windowBytes: feeder.options.windowBytes,
    },
    nowMs,
  );
}
