/**
 * The session's shell: one outgoing connection after the other, the timers, the end of the turn.
 *
 * A connection opens with a question that any kind of port can answer (wire/opening.ts). A GREETING makes
 * it the session's; a node's client port says where its replication port is (TargetProbe), which is dialled
 * then. Both may take as long as a handshake may.
 *
 * Owns: which connection is the present one, timers. Does not own: sockets (net/), the session's state
 * (session.ts), what a client port says (target-probe.ts).
 */
import { performance } from "node:perf_hooks";
import { wordsOf } from "../errors.ts";
import { formatAddress, type Address } from "../net/address.ts";
import { dial } from "../net/dial.ts";
import type { Socket } from "../net/socket.ts";
import type { SessionShell, SocketUser } from "../replica/deps.ts";
import type { Lasting } from "../replica/session-state.ts";
import { answererOf, OPENING } from "../wire/opening.ts";

const TICK_MS = 100;
const READ_BYTES = 256 * 1024;
const CONNECT_MS = 5_000;
/** The longest answer of a client port that is looked at. */
const ANSWER_BYTES_MAX = 4096;

/** What answers can never be followed, as long as it is there. */
export class WrongTarget extends Error {}

/** How a client port's answer to the opening is read. */
export interface TargetProbe {
  /**
   * Null while `answer` is incomplete; throws an Error for people when it names no replication port, a
   * WrongTarget when that will not pass by itself.
   */
  read(answer: Buffer, target: Address): Address | null;
}

/** One connection: what was asked for, what was dialled, what has answered so far. */
interface Attempt {
  readonly asked: Address;
  readonly target: Address;
  /** What has answered the opening; null once the connection is the session's. */
  answer: Buffer | null;
}

export class SessionSocket implements SessionShell {
  private session: SocketUser | null = null;
  /** The present one; what happens on an earlier one is ignored. */
  private attempt: Attempt | null = null;
  private socket: Socket | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stepWanted = false;
  private isRef = true;
  /** For all reads of all connections; the decoder copies what it keeps. */
  private readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  private readonly nextTarget: () => Address;
  private readonly probe: TargetProbe;
  /** Where a target's replication port was found to be, by the target's address. */
  private readonly known = new Map<string, Address>();

  /** `nextTarget` says where to dial; asked again before every attempt. */
  constructor(nextTarget: () => Address, probe: TargetProbe) {
    this.nextTarget = nextTarget;
    this.probe = probe;
  }

  /** Binds a session, or an inquiry, and starts the clock; it is started by its owner. */
  attach(session: SocketUser): void {
    this.session = session;
    this.timer = setInterval(() => session.tick(performance.now()), TICK_MS).unref();
  }

  /** Whether its connections keep the process alive; they do at first. */
  setRef(isRef: boolean): void {
    this.isRef = isRef;
    this.socket?.setRef(isRef);
  }

  /** Stops the clock; the session was stopped before. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  dial(): void {
    const asked = this.nextTarget();
    this.open(asked, this.known.get(formatAddress(asked)) ?? asked);
  }

  private open(asked: Address, target: Address): void {
    const attempt: Attempt = { asked, target, answer: NO_BYTES };
    const isPresent = (): boolean => attempt === this.attempt;
    const options = { readyMs: CONNECT_MS, readBuffer: this.readBuffer };
    this.attempt = attempt;
    this.socket = dial(target, options, {
      onReady: () => {
        if (isPresent()) this.write(OPENING);
      },
      onBytes: (bytes, length) => {
        if (isPresent()) this.onRead(attempt, bytes, length);
      },
      onClosed: (failure) => {
        if (!isPresent()) return;
        this.forget();
        this.fail(attempt, failure || "the connection ended", performance.now());
      },
    });
    if (!this.isRef) this.socket.setRef(false);
  }

  private onRead(attempt: Attempt, bytes: Buffer, length: number): void {
    const nowMs = performance.now();
    if (attempt.answer === null) {
      this.session?.onBytes(bytes, 0, length, nowMs);
      return;
    }
    const answer = Buffer.concat([attempt.answer, bytes.subarray(0, length)]);
    attempt.answer = answer;
    const answerer = answererOf(answer);
    if (answerer === "feeder") {
      attempt.answer = null;
      this.session?.onConnected(nowMs);
      this.session?.onBytes(answer, 0, answer.length, nowMs);
    } else if (answerer !== "wait") this.onStranger(attempt, answer, nowMs);
  }

  /** What answers is no feeder: a node's client port, we hope. */
  private onStranger(attempt: Attempt, answer: Buffer, nowMs: number): void {
    const { asked, target } = attempt;
    try {
      const found = this.probe.read(answer, target);
      if (found === null && answer.length <= ANSWER_BYTES_MAX) return;
      if (found === null) throw new WrongTarget("it answers without end");
      // Why only once: two ports that name each other would be dialled for ever.
      if (target !== asked)
        throw new WrongTarget(
          `${formatAddress(asked)} names it as its replication port, and it is none`,
        );
      this.known.set(formatAddress(asked), found);
      this.destroy();
      this.open(asked, found);
    } catch (error) {
      const lasting = error instanceof WrongTarget ? "standing" : "passing";
      this.fail(attempt, wordsOf(error), nowMs, lasting);
    }
  }

  /** The address that was dialled may have been another node's once: it is asked again next time. */
  private fail(
    { asked, target }: Attempt,
    why: string,
    nowMs: number,
    lasting: Lasting = "passing",
  ): void {
    this.known.delete(formatAddress(asked));
    this.session?.onClosed(`${formatAddress(target)}: ${why}`, nowMs, lasting);
  }

  /** Nothing that happens on the connection is told any more. */
  private forget(): void {
    this.attempt = null;
    this.socket = null;
  }

  write(bytes: Buffer): void {
    this.socket?.write(bytes);
  }

  get pendingBytes(): number {
    return this.socket?.queued ?? 0;
  }

  end(): void {
    this.socket?.finish();
    this.forget();
  }

  destroy(): void {
    this.socket?.destroy();
    this.forget();
  }

  pauseReading(isPaused: boolean): void {
    if (isPaused) this.socket?.pause();
    else this.socket?.resume();
  }

  wantStep(): void {
    if (this.stepWanted) return;
    this.stepWanted = true;
    setImmediate(this.runStep);
  }

  private readonly runStep = (): void => {
    this.stepWanted = false;
    if (this.session?.step(performance.now()) === true) this.wantStep();
  };
}

const NO_BYTES = Buffer.alloc(0);
