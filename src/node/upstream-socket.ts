/**
 * The session's shell: one outgoing socket, its read buffer, the timers, the end of the turn.
 *
 * Reads go through `onread` into one buffer that is used again for every read: no allocation for
 * what arrives, and the decoder copies what it keeps.
 *
 * The connection opens with a question that any kind of port can answer (wire/opening.ts). A GREETING
 * makes it the session's; a node's client port says where its replication port is (TargetProbe), which
 * is dialled then. Both may take as long as a handshake may.
 *
 * Owns: the socket, timers. Does not own: the session's state (session.ts), what a client port says
 * (target-probe.ts).
 */
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { answererOf, OPENING } from "../wire/opening.ts";
import type { SessionShell, SocketUser } from "../replica/deps.ts";

const TICK_MS = 100;
const READ_BYTES = 256 * 1024;
const CONNECT_MS = 5_000;
/** The longest answer of a client port that is looked at. */
const ANSWER_BYTES_MAX = 4096;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How a client port's answer to the opening is read. */
export interface TargetProbe {
  /** Null while `answer` is incomplete; throws an Error for people when it is of no use. */
  read(answer: Buffer, target: Target): Target | null;
}

export class SessionSocket implements SessionShell {
  private session: SocketUser | null = null;
  private socket: Socket | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stepWanted = false;
  private readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  private readonly nextTarget: () => Target;
  private readonly probe: TargetProbe;
  /** Where a target's replication port was found to be, by "host:port". */
  private readonly known = new Map<string, Target>();
  /** What has answered the opening so far; null once it is the session's. */
  private answer: Buffer | null = null;
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
    this.answer = NO_BYTES;
    const socket = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      onread: {
        buffer: this.readBuffer,
        callback: (length: number) => {
          if (current()) this.onRead(length, asked, target);
          return true;
        },
      },
    });
    this.socket = socket;
    let failure = "the connection ended";
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error("connecting took too long")));
    socket.on("connect", () => {
      socket.setTimeout(0);
      if (current()) socket.write(OPENING);
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

  private onRead(length: number, asked: Target, target: Target): void {
    const nowMs = performance.now();
    if (this.answer === null) {
      this.session?.onBytes(this.readBuffer, 0, length, nowMs);
      return;
    }
    const answer = Buffer.concat([this.answer, this.readBuffer.subarray(0, length)]);
    this.answer = answer;
    const answerer = answererOf(answer);
    if (answerer === "feeder") {
      this.answer = null;
      this.session?.onConnected(nowMs);
      this.session?.onBytes(answer, 0, answer.length, nowMs);
    } else if (answerer !== "wait") this.onStranger(answer, asked, target, nowMs);
  }

  /** What answers is no feeder: a node's client port, we hope. */
  private onStranger(answer: Buffer, asked: Target, target: Target, nowMs: number): void {
    try {
      const found = this.probe.read(answer, target);
      if (found === null && answer.length <= ANSWER_BYTES_MAX) return;
      if (found === null) throw new Error("it answers without end");
      // Why only once: two ports that name each other would be dialled for ever.
      if (target !== asked)
        throw new Error(`${keyOf(asked)} names it as its replication port, and it is none`);
      this.known.set(keyOf(asked), found);
      this.destroy();
      this.open(asked, found);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.known.delete(keyOf(asked));
      this.session?.onClosed(`${keyOf(target)}: ${why}`, nowMs);
    }
  }

  private forget(): void {
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

const NO_BYTES = Buffer.alloc(0);

function keyOf(target: Target): string {
  return `${target.host}:${target.port}`;
}
