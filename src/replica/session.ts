/**
 * The replica's end of its one connection to an upstream: dials, says who it is, applies batches,
 * restores snapshots, acknowledges, and tries again. States and moves: session-state.ts.
 *
 * Pure core: takes bytes, events and `now`; acts through SessionShell. Nothing the upstream sends
 * throws out of onBytes().
 *
 *   bytes -> decoder -> log (received) -> step(): records -> state, batch -> log (visible) -> ACK
 *                    -> restore (staged state) -> END: swap
 *
 * Invariants: the state is the log up to `next` plus the first `appliedInBatch` bytes of the batch
 * after it, unless it is torn (apply.ts); a swap happens only with everything verified; the old state answers until then.
 *
 * Owns: state, decoder, clocks, ACKs. Does not own: sockets, roles (node/), the sums of a
 * snapshot (restore.ts), cutting batches into slices (apply.ts).
 */
import { HawserError, WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { encode } from "../wire/codec.ts";
import { Decoder, type DecoderSink } from "../wire/decoder.ts";
import type * as m from "../wire/messages.ts";
import { printable } from "../wire/text.ts";
import { ACCEPTS } from "./accepts.ts";
import { AckClock } from "./ack-clock.ts";
import { Applier } from "./apply.ts";
import { Backoff } from "./backoff.ts";
import { lateBecause } from "./clocks.ts";
import { Damage } from "./damage.ts";
import type { ReplicaNode, SessionDeps, SessionShell } from "./deps.ts";
import * as handshake from "./handshake.ts";
import { Mark } from "./mark.ts";
import type { SessionOptions } from "./options.ts";
import {
  reportDamaged,
  reportRestoreBegins,
  reportRestored,
  reportTorn,
  reportWelcomed,
} from "./reports.ts";
import type { Restore } from "./restore.ts";
import { Restorer } from "./restorer.ts";
import { RootView } from "./root-view.ts";
import { assertSessionMove, type SessionState } from "./session-state.ts";

export class Session implements DecoderSink {
  state: SessionState = { kind: "stopped", why: "not started" };
  readonly deps: SessionDeps;
  readonly options: SessionOptions;
  /** Why the newest connection ended, "" while all is well. */
  lastError = "";
  /** When anything was last received, -1 for never. */
  lastReceivedMs = -1;
  /** Since when there is no standing connection, -1 while there is one. */
  downSinceMs = -1;
  /** What the upstream last said of itself and of the root. */
  readonly root: RootView = new RootView();
  /** A snapshot was announced and is not swapped in. */
  owesSnapshot = false;
  private readonly node: ReplicaNode;
  private readonly shell: SessionShell;
  private readonly applier: Applier;
  private readonly restorer: Restorer;
  private readonly backoff: Backoff;
  private decoder: Decoder | null = null;
  /** The welcome this connection runs under. */
  private welcome: m.Welcome | null = null;
  /** Chain at the end of the last completely received batch. */
  private receivedChain = 0;
  private nowMs = 0;
  private readonly acks: AckClock;
  private readonly mark: Mark;
  private readonly damage = new Damage();

  constructor(deps: SessionDeps) {
    const { log, state, options, keeper } = deps;
    this.deps = deps;
    this.options = options;
    this.node = deps.node;
    this.shell = deps.shell;
    this.restorer = new Restorer(state, options, keeper);
    this.acks = new AckClock(log, this.restorer, options);
    this.mark = new Mark(deps.onVerify);
    this.applier = new Applier(log, state, options, () => this.mark.look(log.next));
    this.backoff = new Backoff(options, deps.random);
    this.receivedChain = log.chain;
    this.backoff.gotTo(log.next);
  }

  /** The state is inside a batch that cannot be applied: it is at no position, and needs a snapshot. */
  get torn(): boolean {
    return this.applier.torn;
  }

  /** The state is at a batch boundary of the log. */
  get atBoundary(): boolean {
    return this.applier.atBoundary;
  }

  /** The snapshot being received, kept while the connection is away. */
  get restore(): Restore | null {
    return this.restorer.current;
  }

  get connected(): boolean {
    return this.state.kind === "streaming" || this.state.kind === "restoring";
  }

  // --- commands ------------------------------------------------------------------------------

  /** Dials the shell's target. */
  start(nowMs: number): void {
    this.downSinceMs = nowMs;
    // What one upstream said, and how it was with it, says nothing of the next.
    this.root.forget();
    this.damage.forget();
    this.backoff.reset();
    this.lastError = "";
    this.lastReceivedMs = -1;
    this.applier.retry();
    this.restorer.takeUpKept(nowMs, (error) => this.onKeptLoaded(error));
    this.dial(nowMs);
  }

  /** What an earlier process had received is loaded, or of no use. */
  private onKeptLoaded(error: Error | null): void {
    if (error !== null) {
      this.deps.journal("warn", "part_file_unusable", { why: error.message });
      // Why after HELLO too: it has promised those chunks, and what answers it builds on them.
      const { kind } = this.state;
      if (kind === "restoring" || (kind === "handshake" && this.feederNonce !== ""))
        this.fail(`the part file is of no use: ${error.message}`, this.nowMs);
      return;
    }
    this.acks.due = true;
    this.shell.wantStep();
  }

  /**
   * Ends for good, says BYE; what was received stays to be applied by step(). A half loaded snapshot
   * is dropped, unless the process ends and the next may go on with it (`keep`).
   */
  stop(why: string, nowMs: number, keep = false): void {
    if (this.state.kind === "stopped") return;
    if (this.decoder !== null && this.state.kind !== "connecting") {
      this.say({ type: "bye", code: "shutdown", message: why });
      this.shell.end();
    } else this.shell.destroy();
    this.leaveConnection(nowMs);
    if (!keep) this.restorer.drop();
    this.move({ kind: "stopped", why });
  }

  /** The log was written by others, or cut, while this session was stopped; or replaced. */
  resetToLog(): void {
    this.applier.reset();
    this.receivedChain = this.deps.log.chain;
  }

  // --- events from the shell -----------------------------------------------------------------

  onConnected(nowMs: number): void {
    this.nowMs = nowMs;
    this.lastReceivedMs = nowMs;
    this.decoder = new Decoder(ACCEPTS, this);
    this.move({ kind: "handshake", sinceMs: nowMs, nonce: this.deps.randomId() });
  }

  onBytes(bytes: Buffer, from: number, to: number, nowMs: number): void {
    if (this.decoder === null) return;
    this.nowMs = nowMs;
    this.lastReceivedMs = nowMs;
    try {
      this.decoder.push(bytes, from, to);
      // Why at once: a reader on this loop must not overtake what has arrived. One read is bounded,
      // and so is what is applied for it; the rest waits for step().
      this.applier.step();
    } catch (error) {
      this.onFault(error, nowMs);
    }
    this.applied();
    this.shell.wantStep();
  }

  private applied(): void {
    this.backoff.gotTo(this.deps.log.next);
    this.deps.onApplied();
  }

  /** The connection ended, or dialling failed. */
  onClosed(detail: string, nowMs: number): void {
    if (this.state.kind === "stopped" || this.state.kind === "retrying") return;
    this.fail(detail, nowMs);
  }

  /**
   * Applies one slice and acknowledges. Called once at the end of each turn with input.
   * @returns true when there is more to apply at once
   */
  step(nowMs: number): boolean {
    this.nowMs = nowMs;
    let more = false;
    try {
      more = this.applier.step();
    } catch (error) {
      this.onFault(error, nowMs);
      return false;
    }
    this.applied();
    if (this.connected && this.acks.turnDue(more)) this.ack(nowMs);
    return more;
  }

  /** About ten times a second. */
  tick(nowMs: number): void {
    const { state, options } = this;
    this.nowMs = nowMs;
    const late = lateBecause(state, this.lastReceivedMs, options, nowMs);
    if (late !== null) this.fail(late, nowMs);
    else if (this.connected && (this.acks.due || this.acks.heartbeatDue(nowMs))) this.ack(nowMs);
    else if (state.kind === "retrying") {
      this.restorer.expire(nowMs);
      if (nowMs >= state.atMs) this.dial(nowMs);
    }
  }

  // --- decoder events ------------------------------------------------------------------------

  control(message: m.Control): void {
    switch (message.type) {
      case "greeting":
        this.onGreeting(message);
        return;
      case "welcome":
        this.onWelcome(message);
        return;
      case "reject":
        this.onReject(message);
        return;
      case "ping":
        this.onPing(message);
        return;
      case "snapshot":
        this.onSnapshot(message);
        return;
      case "end":
        this.onEnd(message);
        return;
      case "bye":
        this.backoff.isPlanned = message.code === "history_changed";
        this.fail(`upstream said bye: ${message.code}: ${message.message}`, this.nowMs);
        return;
      case "verify":
        if (this.state.kind !== "streaming")
          throw new WireError("ERR_WIRE_STATE", `a VERIFY while ${this.state.kind}`);
        this.mark.set(message);
        return;
      default:
        throw new WireError("ERR_WIRE_STATE", `${message.type} from an upstream`);
    }
  }

  /** Answers a VERIFY, when the connection still stands and the upstream reads. */
  answerVerify(answer: m.DigestAnswer): void {
    if (this.state.kind === "streaming" && !this.unread) this.say(answer);
  }

  /** The upstream has left so much unread that it is told no more. */
  private get unread(): boolean {
    return this.shell.pendingBytes > LIMITS.sessionOutputBytesMax;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    if (this.state.kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `a batch while ${this.state.kind}`);
    this.deps.log.receiveHead(head, at, length);
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.deps.log.receiveBytes(bytes, from, to);
  }

  batchEnd(): void {
    this.deps.log.receiveEnd();
    this.receivedChain = this.decoder!.chain;
    this.damage.passed(this.decoder!.offset);
  }

  chunkHead(number: number, payloadBytes: number): void {
    this.restorer.chunkHead(this.restoring(), number, payloadBytes);
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.restore!.chunkBytes(bytes, from, to);
  }

  chunkEnd(digest: number): void {
    this.restorer.chunkEnd(digest);
    this.deps.counters.bump("snapshot_chunks_received");
  }

  /** The restore that this connection feeds. */
  private restoring(): Restore {
    const { state, restore } = this;
    if (state.kind !== "restoring" || state.begin === null || restore === null)
      throw new WireError("ERR_WIRE_STATE", `snapshot bytes while ${state.kind}`);
    return restore;
  }

  // --- handshake -----------------------------------------------------------------------------

  private onGreeting(greeting: m.Greeting): void {
    const { state } = this;
    // Why only one: each is answered with a HELLO, before anybody has proved anything.
    if (state.kind !== "handshake" || this.feederNonce !== "")
      throw new WireError("ERR_WIRE_STATE", `a second GREETING, or one while ${state.kind}`);
    this.feederNonce = greeting.nonce;
    const refusal = handshake.judgeGreeting(this.options.replPassword, greeting);
    if (refusal !== null) {
      this.turnDown(refusal, false);
      return;
    }
    const { node, options, receivedChain, restorer } = this;
    const shipWanted = this.torn ? "torn" : this.damage.shipWanted;
    const claim = { log: this.deps.log, receivedChain, restore: restorer.current, shipWanted };
    this.say(handshake.answerGreeting(node, options, greeting, state.nonce, claim));
  }

  private feederNonce = "";

  private onWelcome(welcome: m.Welcome): void {
    const { state } = this;
    if (state.kind !== "handshake" || this.feederNonce === "")
      throw new WireError("ERR_WIRE_STATE", `a WELCOME while ${state.kind}`);
    const { node, options, feederNonce, torn } = this;
    const refusal = handshake.judgeWelcome(node, options, welcome, feederNonce, state.nonce, torn);
    if (refusal !== null) {
      this.refuse(refusal.why, refusal.forGood);
      return;
    }
    this.welcome = welcome;
    this.root.onWelcome(welcome);
    this.downSinceMs = -1;
    this.lastError = "";
    this.node.onWelcome(welcome.nodeId, [...welcome.path, this.node.nodeId]);
    reportWelcomed(this.deps, welcome);
    this.owesSnapshot = welcome.decision !== "continue" && welcome.decision !== "wait";
    if (!this.owesSnapshot) this.beginStream(welcome);
    else this.move({ kind: "restoring", begin: null });
    this.acks.due = true;
  }

  private beginStream(welcome: m.Welcome): void {
    const { log } = this.deps;
    const decoder = this.decoder!;
    if (welcome.decision === "continue") {
      this.node.adopt(welcome.position.history, welcome.lineage);
      this.restorer.drop();
    }
    this.move({ kind: "streaming" });
    decoder.expect(log.tail - log.partialBytes, this.receivedChain);
    if (welcome.skipBytes === 0) log.dropIncoming();
    else if (welcome.skipBytes === log.partialBytes)
      decoder.resumeBatch(log.bytes, log.partialAt, log.partialBytes);
    else throw new WireError("ERR_WIRE_BODY", `WELCOME skips ${welcome.skipBytes} bytes`);
  }

  private onReject(reject: m.Reject): void {
    const { state, options } = this;
    if (state.kind !== "handshake")
      throw new WireError("ERR_WIRE_STATE", `a REJECT while ${state.kind}`);
    this.deps.counters.bump(`rejected_${reject.code}`);
    this.backoff.atLeastMs = Math.min(reject.retryAfterMs, handshake.longestRetryMs(options));
    if (handshake.isVerdict(reject)) this.node.onRefused();
    this.fail(`rejected: ${reject.code}: ${reject.message}`, this.nowMs);
  }

  /** What the upstream has is not acceptable: consent, if any, was for this. */
  private refuse(why: string, forGood: boolean): void {
    this.node.onRefused();
    this.turnDown(why, forGood);
  }

  private turnDown(why: string, forGood: boolean): void {
    this.deps.journal("error", "upstream_refused", { why });
    this.deps.counters.bump("upstream_refused");
    // Why said: the operator of the other end sees why its replica goes, too.
    if (this.decoder !== null) {
      this.say({ type: "bye", code: "protocol", message: why });
      this.shell.end();
    }
    if (forGood) {
      this.lastError = printable(why);
      this.leaveConnection(this.nowMs);
      this.stop(why, this.nowMs);
    } else this.fail(why, this.nowMs);
  }

  // --- streaming -----------------------------------------------------------------------------

  private onPing(ping: m.Ping): void {
    if (!this.connected) throw new WireError("ERR_WIRE_STATE", `a PING while ${this.state.kind}`);
    this.acks.echoUs = ping.sentUs;
    this.root.onPing(ping, this.nowMs);
    // Why always: the echo is the feeder's round trip, and one ACK a second costs nothing.
    this.acks.due = true;
  }

  private ack(nowMs: number): void {
    // Why skipped: the next says all that this one would, and more of them only wait.
    if (this.unread) {
      this.acks.due = true;
      return;
    }
    this.say(this.acks[this.state.kind === "restoring" ? "restoring" : "streaming"](nowMs));
  }

  // --- restoring -----------------------------------------------------------------------------

  private onSnapshot(begin: m.SnapshotBegin): void {
    const { state } = this;
    if (state.kind !== "restoring" && state.kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `a SNAPSHOT while ${state.kind}`);
    this.restorer.begin(begin, this.node.format, this.nowMs);
    this.owesSnapshot = true;
    this.move({ kind: "restoring", begin });
    this.acks.due = true;
    reportRestoreBegins(this.deps, begin);
  }

  private onEnd(end: m.SnapshotEnd): void {
    this.restoring();
    const restore = this.restorer.verify(end);
    const refusal = handshake.judgeEmpty(this.node, this.welcome!, end);
    if (refusal === null) this.swap(restore, end);
    else {
      this.restorer.drop();
      this.refuse(refusal, false);
    }
  }

  /** All verified: from here to the end nothing can fail. */
  private swap(restore: Restore, end: m.SnapshotEnd): void {
    const { position, lineage } = restore.begin;
    const { log, state } = this.deps;
    state.swap(restore.staging);
    log.reset(position.offset, position.chain);
    this.resetToLog();
    this.damage.passed(position.offset);
    this.backoff.reset();
    this.decoder!.expect(position.offset, position.chain);
    this.restorer.swapped();
    this.owesSnapshot = false;
    this.move({ kind: "streaming" });
    reportRestored(this.deps, restore, end, this.nowMs);
    this.node.onSwapped(position.history, lineage);
    this.acks.due = true;
  }

  // --- ending and trying again ---------------------------------------------------------------

  private onFault(error: unknown, nowMs: number): void {
    if (!(error instanceof HawserError)) throw error;
    if (error instanceof WireError) this.onWireFault(error);
    if (error.remedy === "resync") this.restorer.drop();
    if (error.remedy === "stop") this.refuse(error.message, true);
    else this.fail(error.message, nowMs);
    if (this.torn) this.lastError = reportTorn(this.deps, error.message);
  }

  private onWireFault(error: WireError): void {
    if (error.code === "ERR_WIRE_CHAIN") this.deps.log.dropIncoming();
    if (this.state.kind === "streaming" && this.damage.failed(this.decoder!.offset, error))
      reportDamaged(this.deps, this.damage.offset, error.message);
  }

  private fail(why: string, nowMs: number): void {
    this.shell.destroy();
    this.leaveConnection(nowMs);
    // Why made printable here: it goes to INFO, status and the log, and a peer wrote some of it.
    this.lastError = printable(why);
    const delayMs = this.backoff.delay();
    this.move({ kind: "retrying", atMs: nowMs + delayMs });
    this.deps.counters.bump("upstream_disconnects");
    this.deps.journal("warn", "upstream_lost", { why, retry_ms: Math.round(delayMs) });
  }

  /** The connection is over; the log and a half loaded snapshot stay. */
  private leaveConnection(nowMs: number): void {
    this.decoder?.stop();
    this.decoder = null;
    this.welcome = null;
    this.mark.clear();
    this.feederNonce = "";
    this.acks.echoUs = 0;
    if (this.downSinceMs < 0) this.downSinceMs = nowMs;
    this.restorer.park(nowMs);
  }

  private dial(nowMs: number): void {
    this.move({ kind: "connecting", sinceMs: nowMs });
    this.shell.dial();
  }

  private say(message: m.Control): void {
    this.shell.write(encode(message));
  }

  private move(state: SessionState): void {
    assertSessionMove(this.state.kind, state.kind);
    this.state = state;
    this.deps.onMoved();
  }
}
