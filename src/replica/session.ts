/**
 * The replica's end of its one connection to an upstream: dials, reads, acknowledges, ends, and tries
 * again. States and moves: session-state.ts. What is done in each state is a part of its own:
 *
 *   handshake   handshaking.ts   GREETING, HELLO, WELCOME, REJECT
 *   streaming   streaming.ts     batches -> log -> state
 *   restoring   restoring.ts     SNAPSHOT, chunks -> staged state, END: swap
 *
 * Pure core: takes bytes, events and `now`; acts through SessionShell. Nothing the upstream sends
 * throws out of onBytes().
 *
 * Owns: state, decoder, clocks, when an ACK is said. Does not own: sockets, roles (node/), the parts.
 */
import { HawserError, WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { encode } from "../wire/codec.ts";
import { Decoder } from "../wire/decoder.ts";
import type * as m from "../wire/messages.ts";
import type { StageEstimate } from "../store/state.ts";
import { printable } from "../wire/text.ts";
import { ACCEPTS } from "./accepts.ts";
import { AckClock } from "./ack-clock.ts";
import { Backoff } from "./backoff.ts";
import { StateCalls } from "./calls.ts";
import { lateBecause } from "./clocks.ts";
import type { SessionDeps, SessionShell } from "./deps.ts";
import { Handshaking } from "./handshaking.ts";
import { Input } from "./input.ts";
import { LateLoading } from "./late-loading.ts";
import type { SessionLife } from "./life.ts";
import { type Loading, PromptLoading } from "./loading.ts";
import type { SessionOptions } from "./options.ts";
import { reportTorn } from "./reports.ts";
import type { Restore } from "./restore.ts";
import { Restorer } from "./restorer.ts";
import { Restoring } from "./restoring.ts";
import { RootView } from "./root-view.ts";
import { assertSessionMove, type Lasting, type SessionState } from "./session-state.ts";
import { SessionSink } from "./sink.ts";
import { Streaming } from "./streaming.ts";

/** Between two dials that somebody else's questions bring about. */
const HASTEN_MS = 1_000;

export class Session implements SessionLife {
  state: SessionState = { kind: "stopped", why: "not started" };
  readonly deps: SessionDeps;
  readonly options: SessionOptions;
  /** Why the newest connection ended, "" while all is well. */
  lastError = "";
  /** Why no attempt can get on while both ends are as they were at the newest one; "" when one may. */
  verdict = "";
  /** When anything was last received, -1 for never. */
  lastReceivedMs = -1;
  /** Since when there is no standing connection, -1 while there is one. */
  downSinceMs = -1;
  /** What the upstream last said of itself and of the root. */
  readonly root: RootView = new RootView();
  nowMs = 0;
  /** When it was hastened last. */
  private hastenedMs = Number.NEGATIVE_INFINITY;
  decoder: Decoder | null = null;
  private readonly shell: SessionShell;
  private readonly backoff: Backoff;
  private readonly acks: AckClock;
  private readonly restorer: Restorer;
  private readonly streaming: Streaming;
  private readonly restoring: Restoring;
  private readonly handshaking: Handshaking;
  private readonly sink: SessionSink;
  readonly calls: StateCalls | null;
  private readonly input: Input;

  constructor(deps: SessionDeps) {
    const { log, state, options, keeper } = deps;
    this.deps = deps;
    this.options = options;
    this.shell = deps.shell;
    this.backoff = new Backoff(options, deps.random);
    const { answers } = state;
    this.calls = answers === "at once" ? null : new StateCalls(state, deps.afterTurn, this.onFree);
    this.restorer = new Restorer((estimate) => this.stage(estimate), options, keeper);
    this.acks = new AckClock(log, this.restorer, options);
    this.input = new Input(deps.shell);
    this.streaming = new Streaming(this, {
      mayApply: () => this.mayApply(),
      applied: () => this.onRunApplied(),
      failed: this.onLateFault,
    });
    this.restoring = new Restoring(this, this.restorer, this.streaming);
    const { backoff, root, streaming, restoring } = this;
    this.handshaking = new Handshaking(this, { backoff, root, streaming, restoring });
    this.sink = new SessionSink(this, this.handshaking, streaming, restoring, log);
    this.backoff.gotTo(log.next);
  }

  /** The state is inside a batch that cannot be applied: it is at no position, and needs a snapshot. */
  get torn(): boolean {
    return this.streaming.applier.torn;
  }

  /**
   * A state that answers later has not: it can be asked for nothing else, and this node cannot become a
   * primary.
   */
  get isBusy(): boolean {
    return (this.calls !== null && !this.calls.isFree) || this.restorer.isLeaving;
  }

  /** The state is at a batch boundary of the log. */
  get atBoundary(): boolean {
    return this.streaming.applier.atBoundary;
  }

  /** The snapshot being received, kept while the connection is away. */
  get restore(): Restore | null {
    return this.restorer.current;
  }

  /** A snapshot was announced and is not swapped in. */
  get owesSnapshot(): boolean {
    return this.restoring.owesSnapshot;
  }

  get connected(): boolean {
    const { kind } = this.state;
    return kind === "streaming" || kind === "restoring" || kind === "swapping";
  }

  // --- commands ------------------------------------------------------------------------------

  /** Dials the shell's target; `isSame`: it is the one of before. */
  start(nowMs: number, isSame = false): void {
    this.downSinceMs = nowMs;
    // What one upstream said, and how it was with it, says nothing of the next.
    this.root.forget();
    this.backoff.reset();
    this.lastError = "";
    this.verdict = "";
    this.lastReceivedMs = -1;
    this.streaming.start(isSame);
    if (this.restorer.isCommitting) {
      // What is swapped in is what the next upstream hears of.
      this.move({ kind: "retrying", atMs: nowMs });
      return;
    }
    this.restorer.takeUpKept(nowMs, (error) => this.onKeptLoaded(error));
    this.dial(nowMs);
  }

  /** What an earlier process had received is loaded, or cannot be. */
  private onKeptLoaded(error: Error | null): void {
    if (error !== null) {
      this.giveUpStaged();
      this.deps.journal("warn", "part_file_unusable", { why: error.message });
      // Why after HELLO too: it has promised those chunks, and what answers it builds on them.
      const { kind } = this.state;
      if (kind === "restoring" || (kind === "handshake" && this.handshaking.saidHello))
        this.fail(`the part file cannot be used: ${error.message}`, this.nowMs);
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
    this.move({ kind: "stopped", why });
    // Why last: a state that cannot give it up says so to a session that is stopped.
    if (!keep) this.giveUpStaged();
  }

  /** The log was written by others, or cut, while this session was stopped; or replaced. */
  resetToLog(): void {
    this.streaming.resetToLog();
  }

  /** A write of the node failed, and its state may be anywhere: it needs a snapshot. */
  tear(): void {
    this.streaming.tear();
  }

  /** The node leads: a snapshot that an earlier process received in part will not be gone on with. */
  forgetKept(): void {
    this.restorer.forgetKept();
  }

  /**
   * Somebody asks what this node has: the upstream may be back, or somebody in its place. Dials at once when it is
   * away, but not more than once a second.
   */
  hasten(nowMs: number): void {
    const { state } = this;
    if (state.kind !== "retrying" || nowMs - this.hastenedMs < HASTEN_MS) return;
    this.hastenedMs = nowMs;
    this.state = { ...state, atMs: Math.min(state.atMs, nowMs) };
  }

  // --- events from the shell -----------------------------------------------------------------

  onConnected(nowMs: number): void {
    this.nowMs = nowMs;
    this.lastReceivedMs = nowMs;
    this.decoder = new Decoder(ACCEPTS, this.sink);
    this.move({ kind: "handshake", sinceMs: nowMs, nonce: this.deps.randomId() });
  }

  onBytes(bytes: Buffer, from: number, to: number, nowMs: number): void {
    if (this.decoder === null) return;
    this.nowMs = nowMs;
    this.lastReceivedMs = nowMs;
    try {
      this.input.take(this.decoder, bytes, from, to);
      // Why at once: a reader on this loop must not overtake what has arrived. One read is bounded,
      // and so is what is applied for it; the rest waits for step().
      this.streaming.applier.step();
    } catch (error) {
      this.onFault(error, nowMs);
    }
    this.applied();
    this.lookAtInput();
    this.shell.wantStep();
  }

  private applied(): void {
    this.backoff.gotTo(this.deps.log.next);
    this.deps.onApplied();
  }

  /** The connection ended, or dialling failed. */
  onClosed(detail: string, nowMs: number, lasting: Lasting = "passing"): void {
    if (this.state.kind === "stopped" || this.state.kind === "retrying") return;
    this.fail(detail, nowMs, lasting);
  }

  /**
   * Applies one slice and acknowledges. Called once at the end of each turn with input.
   * @returns true when there is more to apply at once
   */
  step(nowMs: number): boolean {
    this.nowMs = nowMs;
    let more = false;
    try {
      more = this.streaming.applier.step();
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
    const heardMs = this.input.heardMs(this.lastReceivedMs, nowMs);
    const late = lateBecause(state, heardMs, options, nowMs);
    if (late !== null) this.fail(late, nowMs);
    else if (this.connected && (this.acks.due || this.acks.heartbeatDue(nowMs))) this.ack(nowMs);
    else if (state.kind === "retrying") {
      this.guard(() => this.restorer.expire(nowMs));
      // Why compared: a state that could not give it up has stopped the session.
      const isDue = nowMs >= state.atMs && this.state === state;
      if (isDue && !this.restorer.isCommitting) this.dial(nowMs);
    }
  }

  // --- what the upstream says in every state ---------------------------------------------------

  onPing(ping: m.Ping): void {
    if (!this.connected) throw new WireError("ERR_WIRE_STATE", `a PING while ${this.state.kind}`);
    this.acks.echoUs = ping.sentUs;
    this.root.onPing(ping, this.nowMs);
    // Why always: the echo is the feeder's round trip, and one ACK a second costs nothing.
    this.acks.due = true;
  }

  onBye(bye: m.Bye): void {
    this.backoff.isPlanned = bye.code === "history_changed";
    this.fail(`upstream said bye: ${bye.code}: ${bye.message}`, this.nowMs);
  }

  /** Who leads in its place: between two batches, so that it is about the log that was said before. */
  onFailover(message: m.Prepare | m.Take | m.Release): void {
    const { kind } = this.state;
    if (kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `${message.type} while ${kind}`);
    this.deps.onFailover(message);
  }

  /** Somebody waits until our disk has the log. */
  onSyncRequest(request: m.SyncRequest): void {
    if (this.state.kind === "streaming") this.deps.onSyncRequest(request);
    else if (!this.connected)
      throw new WireError("ERR_WIRE_STATE", `a SYNC while ${this.state.kind}`);
  }

  /** Who else follows the upstream. */
  onPeers({ peers }: m.PeersTold): void {
    const { kind } = this.state;
    if (kind !== "streaming") throw new WireError("ERR_WIRE_STATE", `PEERS while ${kind}`);
    this.deps.node.onPeers(peers);
  }

  onWelcomed(): void {
    this.downSinceMs = -1;
    this.lastError = "";
    this.verdict = "";
  }

  // --- what it is told -------------------------------------------------------------------------

  say(message: m.Control): void {
    this.shell.write(encode(message));
  }

  /** Answers a VERIFY, when the connection still stands and the upstream reads. */
  answerVerify(answer: m.DigestAnswer): void {
    if (this.state.kind === "streaming" && !this.unread) this.say(answer);
  }

  answerFailover(answer: m.Prepared | m.Released): void {
    if (this.state.kind === "streaming") this.say(answer);
  }

  /** The upstream has left so much unread that it is told no more. */
  private get unread(): boolean {
    return this.shell.pendingBytes > LIMITS.sessionOutputBytesMax;
  }

  wantAck(): void {
    this.acks.due = true;
  }

  private ack(nowMs: number): void {
    // Why skipped: the next says all that this one would, and more of them only wait.
    if (this.unread) {
      this.acks.due = true;
      return;
    }
    this.say(this.acks[this.state.kind === "streaming" ? "streaming" : "restoring"](nowMs));
  }

  // --- a state that answers later --------------------------------------------------------------

  private stage(estimate: StageEstimate): Loading {
    const { state } = this.deps;
    if (state.answers === "at once") return new PromptLoading(state, estimate);
    return new LateLoading(state, this.calls!, estimate, {
      failed: this.onLateFault,
      abortFailed: () => this.streaming.tear(),
      swapped: (error) => this.onSwapAnswered(error),
    });
  }

  get isStateFree(): boolean {
    return this.calls === null || this.calls.isFree;
  }

  /** A batch waits to be applied. */
  private mayApply(): boolean {
    // Why dropped: the upstream goes on with the stream, and beside a staged state nothing is applied.
    if (this.state.kind === "streaming") this.restorer.drop();
    return !this.restorer.holdsState;
  }

  private onRunApplied(): void {
    this.nowMs = this.deps.now();
    this.applied();
    this.shell.wantStep();
  }

  private onSwapAnswered(error: HawserError | null): void {
    this.nowMs = this.deps.now();
    this.guard(() => this.restoring.onSwapAnswered(error));
    this.shell.wantStep();
  }

  /** The state may be called again. */
  private readonly onFree = (): void => {
    this.nowMs = this.deps.now();
    this.guard(() => {
      this.restoring.advance();
      this.streaming.applier.step();
    });
    this.lookAtInput();
    this.deps.onMoved();
    this.shell.wantStep();
  };

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof HawserError)) throw error;
      this.onLateFault(error as HawserError);
    }
  }

  /** What was received of a snapshot is not gone on with. */
  private giveUpStaged(): void {
    this.guard(() => this.restorer.drop());
  }

  private readonly onLateFault = (error: HawserError): void => {
    this.nowMs = this.deps.now();
    this.onFault(error, this.nowMs);
  };

  holdInput(): void {
    this.decoder!.suspend();
    this.lookAtInput();
  }

  resumeInput(): void {
    if (this.decoder === null) return;
    this.decoder.resume();
    this.guard(() => this.input.release(this.decoder));
    this.lookAtInput();
  }

  /** Reads no more while too much waits for the state. */
  private lookAtInput(): void {
    if (this.calls === null || this.decoder === null) return;
    const waiting = this.restore?.loading.waitingBytes ?? 0;
    const isFull = this.streaming.applier.isFull || waiting > this.options.windowBytes;
    this.input.pause(isFull || this.state.kind === "swapping", this.deps.now());
  }

  wantStep(): void {
    this.shell.wantStep();
  }

  // --- ending and trying again ---------------------------------------------------------------

  gotOn(): void {
    this.backoff.reset();
  }

  private onFault(error: unknown, nowMs: number): void {
    if (!(error instanceof HawserError)) throw error;
    if (error instanceof WireError) this.streaming.onWireFault(error);
    if (error.remedy === "stop") this.refuse(error.message, "for_good");
    else {
      if (error.remedy === "resync" || !this.mayFail) this.giveUpStaged();
      // Why asked again: a state that could not give it up has stopped the session.
      if (this.mayFail) this.fail(error.message, nowMs);
      else this.lastError = printable(error.message);
    }
    if (this.torn) this.lastError = reportTorn(this.deps, error.message);
  }

  /** There is a connection that can end: what the state answers may come when there is none. */
  private get mayFail(): boolean {
    const { kind } = this.state;
    return kind !== "stopped" && kind !== "retrying";
  }

  refuse(why: string, lasting: Lasting): void {
    this.deps.node.onRefused();
    this.turnDown(why, lasting);
  }

  turnDown(why: string, lasting: Lasting): void {
    this.deps.journal("error", "upstream_refused", { why });
    this.deps.counters.bump("upstream_refused");
    // Why said: the operator of the other end sees why its replica goes, too.
    if (this.decoder !== null) {
      this.say({ type: "bye", code: "protocol", message: why });
      this.shell.end();
    }
    if (lasting === "for_good") {
      this.lastError = printable(why);
      this.leaveConnection(this.nowMs);
      this.stop(why, this.nowMs);
    } else this.fail(why, this.nowMs, lasting);
  }

  fail(why: string, nowMs: number, lasting: Lasting = "passing"): void {
    this.shell.destroy();
    this.leaveConnection(nowMs);
    // Why made printable here: it goes to INFO, status and the log, and a peer wrote some of it.
    this.lastError = printable(why);
    this.verdict = lasting === "passing" ? "" : this.lastError;
    const delayMs = this.backoff.delay();
    this.move({ kind: "retrying", atMs: nowMs + delayMs });
    this.deps.counters.bump("upstream_disconnects");
    this.deps.journal("warn", "upstream_lost", { why, retry_ms: Math.round(delayMs) });
  }

  /** The connection is over; the log and a half loaded snapshot stay. */
  private leaveConnection(nowMs: number): void {
    this.decoder?.stop();
    this.decoder = null;
    this.handshaking.forget();
    this.streaming.leave();
    this.restoring.leave();
    this.input.forget();
    this.acks.echoUs = 0;
    if (this.downSinceMs < 0) this.downSinceMs = nowMs;
    this.restorer.park(nowMs);
  }

  private dial(nowMs: number): void {
    this.move({ kind: "connecting", sinceMs: nowMs });
    this.shell.dial();
  }

  move(state: SessionState): void {
    assertSessionMove(this.state.kind, state.kind);
    this.state = state;
    this.deps.onMoved();
  }
}
