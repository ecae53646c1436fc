/**
 * The session's shell: one outgoing socket, its read buffer, the timers, the end of the turn.
 *
 * Reads go through `onread` into one buffer that is used again for every read: no allocation for
 * what arrives, and the decoder copies what it keeps.
 *
 * A feeder speaks first. A target that stays silent may be a node's client port: then it is asked
 * where the replication port is (TargetProbe), on the same connection, and dialled there.
 *
 * Owns: the socket, timers. Does not own: the session's state (session.ts), the question (target-probe.ts).
 */
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { SessionShell, SocketUser } from "../replica/deps.ts";

const TICK_MS = 100;
const READ_BYTES = 256 * 1024;
const CONNECT_MS = 5_000;
/** A feeder on this network has greeted by then. */
const SILENCE_MS = 300;
const ANSWER_BYTES_MAX = 4096;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How a silent target is asked for its replication port. */
export interface TargetProbe {
  readonly question: Buffer;
  /** Null while `answer` is incomplete; throws an Error for people when it is of no use. */
  read(answer: Buffer, target: Target): Target | null;
}

export class SessionSocket implements SessionShell {
  private session: SocketUser | null = null;
  private socket: Socket | null = null;
  private timer: NodeJS.Timeout | null = null;
  private silenceTimer: NodeJS.Timeout | null = null;
  private stepWanted = false;
  private readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  private readonly nextTarget: () => Target;
  private readonly probe: TargetProbe;
  /** Where a target's replication port was found to be, by "host:port". */
  private readonly known = new Map<string, Target>();
  /** What a probed target has answered so far; null while it is not being probed. */
  private answer: Buffer | null = null;
  /** The session was told of this connection. */
  private opened = false;
  /** Counts connections: events of an earlier one are ignored. */
  private generation = 0;

  /** `nextTarget` says where to dial; asked again before every attempt. */
  constructor(nextTarget: () => Target, probe: TargetProbe) {
    this.nextTarget = nextTarget;
    this.probe = probe;
  }

  /** Binds a session, or an inquiry, and starts the clock; it is started by its owner. */
  attach(session: SocketUser): void {
    this.session = session;
    this.timer = setInterval(() => session.tick(performance.now()), TICK_MS).unref();
  }

  /** Stops the clock; the session was stopped before. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  dial(): void {
    const asked = this.nextTarget();
    this.open(asked, this.known.get(keyOf(asked)) ?? asked);
  }

  private open(asked: Target, target: Target): void {
    const generation = ++this.generation;
    const current = (): boolean => generation === this.generation;
    this.opened = false;
    this.answer = null;
    const socket = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      onread: {
        buffer: this.readBuffer,
        callback: (length: number) => {
          if (current()) this.onRead(length, asked);
          return true;
        },
      },
    });
    this.socket = socket;
    let failure = "the connection ended";
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error("connecting took too long")));
    socket.on("connect", () => {
      socket.setTimeout(0);
      if (current()) this.watchSilence();
    });
    socket.on("error", (error) => {
      failure = error.message;
    });
    socket.on("close", () => {
      if (!current()) return;
      this.forget();
      this.known.delete(keyOf(asked));
      this.session?.onClosed(`${target.host}:${target.port}: ${failure}`, performance.now());
    });
  }

  private onRead(length: number, asked: Target): void {
    const nowMs = performance.now();
    if (this.answer !== null) {
      this.onAnswer(length, asked, nowMs);
      return;
    }
    if (!this.opened) {
      this.opened = true;
      this.stopSilence();
      this.session?.onConnected(nowMs);
    }
    this.session?.onBytes(this.readBuffer, 0, length, nowMs);
  }

  // --- a target that does not greet ------------------------------------------------------------

  private watchSilence(): void {
    this.silenceTimer = setTimeout(() => {
      this.answer = Buffer.alloc(0);
      this.socket?.write(this.probe.question);
    }, SILENCE_MS).unref();
  }

  private stopSilence(): void {
    if (this.silenceTimer !== null) clearTimeout(this.silenceTimer);
    this.silenceTimer = null;
  }

  private onAnswer(length: number, asked: Target, nowMs: number): void {
    const answer = Buffer.concat([this.answer!, this.readBuffer.subarray(0, length)]);
    this.answer = answer;
    try {
      const found = this.probe.read(answer, asked);
      if (found === null && answer.length <= ANSWER_BYTES_MAX) return;
      if (found === null) throw new Error("it answers without end");
      this.known.set(keyOf(asked), found);
      this.destroy();
      this.open(asked, found);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.session?.onClosed(`${keyOf(asked)}: ${why}`, nowMs);
    }
  }

  private forget(): void {
    this.stopSilence();
    this.socket = null;
  }

  write(bytes: Buffer): void {
    this.socket?.write(bytes);
  }

  get pendingBytes(): number {
    return this.socket?.writableLength ?? 0;
  }

  end(): void {
    this.generation += 1;
    const { socket } = this;
    this.forget();
    socket?.end(() => socket.destroy());
  }

  destroy(): void {
    this.generation += 1;
    this.socket?.destroy();
    this.forget();
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

function keyOf(target: Target): string {
  return `${target.host}:${target.port}`;
}
