/**
 * WELCOME: what a replica that may come is told, and how its link goes on: the stream, waiting, or
 * a ship, a new one or the one that was cut.
 *
 * Owns: WELCOME, the use of what was parked. Does not own: the decision (resume.ts), links
 * afterwards (feeder.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import { Cursor } from "../log/cursor.ts";
import type { Backlog } from "../log/backlog.ts";
import type { Decision, Hello } from "../wire/messages.ts";
import { hmacProof } from "../wire/proof.ts";
import type { Ahead } from "./ahead.ts";
import type { Crowd } from "./crowd.ts";
import type { FeederDeps } from "./deps.ts";
import type { Holds } from "./holds.ts";
import type { Counters } from "./journal.ts";
import type { Link } from "./link.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { FeederOptions } from "./options.ts";
import type { Parked, Parking } from "./parking.ts";
import { ANSWER, type ResumeDecision } from "./resume.ts";
import { Ship } from "./ship.ts";
import type { Shipping } from "./shipping.ts";

/** What a welcome needs of the owner. */
export interface WelcomeOwner {
  readonly deps: Pick<FeederDeps, "journal" | "node">;
  readonly options: FeederOptions;
  readonly backlog: Backlog;
  readonly counters: Counters;
  readonly ahead: Ahead;
  readonly crowd: Crowd;
  readonly holds: Holds;
  readonly parking: Parking;
  readonly shipping: Shipping;
  /** Queues a ship of a snapshot beyond the offset `after`. */
  requestShip(link: Link, nowMs: number, after: number): void;
  wantPump(): void;
}

/** Welcomes the replica as `decision` says. */
export function welcome(
  owner: WelcomeOwner,
  link: Link,
  hello: Hello,
  decision: ResumeDecision,
  nowMs: number,
): void {
  const goesOn = decision.case === "continue" || decision.case === "ahead_of_replica";
  link.welcome(hello, hello.complete && goesOn ? -1 : endNamed(owner));
  owner.crowd.welcomed(link.remote);
  // What the replica knows of the root's clock is as old as its last connection.
  link.heartbeat.ask();
  const parked = owner.parking.take(hello.storeId);
  link.sync.keep(
    parked !== null && parked.hold !== null && owner.holds.has(parked.hold) ? parked.hold : null,
  );
  if (parked !== null && link.hold !== null && parked.snapshot === null) {
    // Why: a cut neither ends its probation nor makes it one that never caught up.
    link.sync.goOn(parked);
  }
  const { offset } = hello.position;
  switch (decision.case) {
    case "continue": {
      const cursor = new Cursor(owner.backlog, offset);
      const skip = cursor.skipHeld(hello.partialBytes, hello.partialCrc);
      parked?.snapshot?.release();
      owner.counters.bump("sync_partial_ok");
      sayWelcome(owner, link, hello, "continue", skip, 0, nowMs);
      link.stream(cursor, offset, nowMs);
      break;
    }
    case "ahead_of_replica":
      parked?.snapshot?.release();
      sayWelcome(owner, link, hello, "wait", 0, 0, nowMs);
      link.move({ kind: "waiting", offset, sinceMs: nowMs });
      owner.ahead.add(offset);
      break;
    default:
      welcomeShip(owner, link, hello, decision, parked, nowMs);
  }
  owner.wantPump();
}

/** A copy gets a snapshot of its own, whatever it has, and nothing is kept for it. */
export function welcomeCopy(owner: WelcomeOwner, link: Link, hello: Hello, nowMs: number): void {
  link.welcome(hello, Number.POSITIVE_INFINITY);
  sayWelcome(owner, link, hello, "ship_new", 0, 0, nowMs);
  owner.requestShip(link, nowMs, -1);
  owner.wantPump();
}

/** Up to where a replica has all that it acknowledged; Infinity when only the root could say. */
function endNamed({ backlog, deps }: WelcomeOwner): number {
  return deps.node.role === "primary" ? backlog.next : Number.POSITIVE_INFINITY;
}

function welcomeShip(
  owner: WelcomeOwner,
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
    link.hold !== null || (snapshot !== null && snapshot.offset >= owner.backlog.oldest);
  const leadsOn = snapshot !== null && snapshot.offset > after && holdStands;
  if (resume !== null && leadsOn && mayResume(snapshot, resume)) {
    sayWelcome(owner, link, hello, "ship_resume", 0, decision.discardBytes, nowMs);
    const ship = new Ship(link.id, nowMs, { resumed: true });
    link.beginShip(ship, nowMs);
    owner.shipping.resume(ship, snapshot, resume.nextChunk);
    snapshot.release();
    return;
  }
  snapshot?.release();
  owner.holds.drop(link.sync.releaseHold());
  const outcome = ANSWER[decision.case];
  const code = "welcome" in outcome ? outcome.welcome : "ship_new";
  sayWelcome(owner, link, hello, code, 0, decision.discardBytes, nowMs);
  owner.requestShip(link, nowMs, after);
}

/** Why also by chunks: nobody was sent a chunk that nobody took. */
function mayResume({ id, tally }: OpenSnapshot, resume: NonNullable<Hello["resume"]>): boolean {
  return id === resume.snapshotId && resume.nextChunk <= tally.chunks;
}

function sayWelcome(
  owner: WelcomeOwner,
  link: Link,
  hello: Hello,
  decision: Decision,
  skipBytes: number,
  discardBytes: number,
  nowMs: number,
): void {
  const { journal, node } = owner.deps;
  const { replPassword: password } = owner.options;
  const { next: offset, chain } = owner.backlog;
  const { remote } = link;
  if (!link.isCopy) journal("debug", "link_welcomed", { remote, replica: hello.storeId, decision });
  link.say(
    {
      type: "welcome",
      decision,
      proof: password === "" ? "" : hmacProof(password, "feeder", link.nonce, hello.nonce),
      nodeId: node.nodeId,
      clusterId: node.clusterId,
      path: node.path,
      rootId: node.rootId,
      position: { history: node.history, offset, chain },
      rank: node.rank,
      lineage: node.lineage,
      skipBytes,
      discardBytes,
    },
    nowMs,
  );
}
