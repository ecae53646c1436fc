/**
 * Takes a copy of a node over its replication port: one snapshot, given to a receiver of checkpoints.
 *
 *   feeder: GREETING       WELCOME, SNAPSHOT, CHUNK ..., END       BYE copied
 *   copy:            HELLO                       ACK restoring ...  ACK streaming: it has all
 *
 * One connection and one try: whatever goes wrong ends it, and nothing is resumed. END is acknowledged when
 * the receiver has taken it. Pure core, as a session is: bytes, events and `now` in, bytes and one answer
 * out. Nothing the other end sends throws out of onBytes().
 *
 * Owns: one connection's worth of copying. Does not own: order and sums of what comes
 * (log/disk/checkpoint-frames.ts), where it is kept (daemon/backup.ts).
 */
import { HawserError, WireError } from "../errors.ts";
import { CheckpointFrames, type CheckpointSink } from "../log/disk/checkpoint-frames.ts";
import { NO_RANK } from "../log/history.ts";
import { encode } from "../wire/codec.ts";
import { Decoder, type DecoderSink } from "../wire/decoder.ts";
import {
  FRAME,
  PROTOCOL,
  type Ack,
  type Control,
  type Greeting,
  type Hello,
  type Id,
  type Welcome,
} from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import { printable } from "../wire/text.ts";
import type { SessionShell, SocketUser } from "./deps.ts";
import { judgeGreeting } from "./handshake.ts";

const ACCEPTS: ReadonlySet<number> = new Set([
  FRAME.greeting,
  FRAME.welcome,
  FRAME.reject,
  FRAME.ping,
  FRAME.snapshot,
  FRAME.chunk,
  FRAME.end,
  FRAME.bye,
]);

const HEARTBEAT_MS = 1_000;
/** Nothing heard for so long ends it; the feeder says PING every second. */
const SILENCE_MS = 60_000;
/** Chunk bytes that may be on their way. */
const ROOM_BYTES = 64 * 1024 * 1024;
const NO_ID = "0".repeat(32);

export interface CopyingDeps {
  readonly shell: SessionShell;
  /** "" without. */
  readonly password: string;
  readonly randomId: () => Id;
  /** It is of this node: the first that is heard of it, before anything arrives. */
  readonly welcomed: (welcome: Welcome) => void;
  /** What arrives, in order and right. After end() it has all, for good. */
  readonly sink: CheckpointSink;
  /** The receiver can take no more now: reading rests until a tick finds it changed. */
  readonly isFull: () => boolean;
  /** Called once; "" when the copy is whole, else why it is not. */
  readonly onDone: (error: string) => void;
}

export class Copying implements SocketUser, DecoderSink {
  readonly #deps: CopyingDeps;
  readonly #frames: CheckpointFrames;
  readonly #nonce: Id;
  #decoder: Decoder | null = null;
  /** Of the GREETING that was answered; "" before. */
  #feederNonce: Id = "";
  #isWelcome = false;
  #isWhole = false;
  #isOver = false;
  #isPaused = false;
  #heardMs = 0;
  #saidMs = 0;
  #echoUs = 0;
  #ackDue = false;

  constructor(deps: CopyingDeps) {
    this.#deps = deps;
    this.#frames = new CheckpointFrames(deps.sink);
    this.#nonce = deps.randomId();
  }

  start(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#deps.shell.dial();
  }

  /** Somebody wants it to end; it is whole if all is here. */
  stop(why: string): void {
    this.#finish(this.#isWhole ? "" : why);
  }

  // --- events from the shell -----------------------------------------------------------------

  onConnected(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#decoder = new Decoder(ACCEPTS, this);
  }

  onBytes(bytes: Buffer, from: number, to: number, nowMs: number): void {
    if (this.#isOver) return;
    this.#heardMs = nowMs;
    try {
      this.#decoder?.push(bytes, from, to);
    } catch (error) {
      if (!(error instanceof HawserError)) throw error;
      this.#finish(error.message);
    }
    if (this.#ackDue) this.#ack(nowMs);
    this.#lookAtReceiver(nowMs);
  }

  onClosed(detail: string): void {
    // Why not what it said: all is here, and that is all that counts.
    this.#finish(this.#isWhole ? "" : detail);
  }

  tick(nowMs: number): void {
    if (this.#isOver) return;
    this.#lookAtReceiver(nowMs);
    if (nowMs - this.#heardMs >= SILENCE_MS) this.onClosed(`nothing heard for ${SILENCE_MS} ms`);
    else if (this.#isWelcome && nowMs - this.#saidMs >= HEARTBEAT_MS) this.#ack(nowMs);
  }

  /** There is never anything left to do. */
  step(): boolean {
    return false;
  }

  #lookAtReceiver(nowMs: number): void {
    const isFull = !this.#isOver && this.#deps.isFull();
    // What is not read is not heard.
    if (this.#isPaused) this.#heardMs = nowMs;
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    this.#deps.shell.pauseReading(isFull);
  }

  // --- decoder events ------------------------------------------------------------------------

  control(message: Control): void {
    if (this.#isOver) return;
    switch (message.type) {
      case "greeting":
        this.#onGreeting(message);
        return;
      case "welcome":
        this.#onWelcome(message);
        return;
      case "ping":
        this.#echoUs = message.sentUs;
        this.#ackDue = this.#isWelcome;
        return;
      case "reject":
        this.#finish(`${message.code}: ${message.message}`);
        return;
      case "bye":
        this.#finish(this.#isWhole ? "" : `${message.code}: ${message.message}`);
        return;
      default:
        this.#mustBeWelcome();
        this.#frames.control(message);
        this.#isWhole = this.#frames.isWhole;
        this.#ackDue = true;
    }
  }

  chunkHead(number: number, payloadBytes: number): void {
    this.#mustBeWelcome();
    this.#frames.chunkHead(number, payloadBytes);
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.#frames.chunkBytes(bytes, from, to);
  }

  chunkEnd(digest: number): void {
    this.#frames.chunkEnd(digest);
    this.#ackDue = true;
  }

  batchHead(): void {
    this.#frames.batchHead();
  }

  batchBytes(): void {
    this.#frames.batchBytes();
  }

  batchEnd(): void {
    this.#frames.batchEnd();
  }

  #mustBeWelcome(): void {
    if (!this.#isWelcome) throw new WireError("ERR_WIRE_STATE", "a snapshot before WELCOME");
  }

  // --- what is said --------------------------------------------------------------------------

  #onGreeting(greeting: Greeting): void {
    const { password, shell } = this.#deps;
    if (this.#feederNonce !== "") throw new WireError("ERR_WIRE_STATE", "a second GREETING");
    const refusal = judgeGreeting(password, greeting);
    if (refusal !== null) this.#finish(refusal);
    else if (greeting.authRequired && password === "")
      this.#finish("it requires a password (--repl-password)");
    else {
      this.#feederNonce = greeting.nonce;
      shell.write(encode(this.#hello()));
    }
  }

  /** Of nobody: new ids, and nothing that it holds. */
  #hello(): Hello {
    const { password, randomId } = this.#deps;
    const storeId = randomId();
    const nonce = this.#nonce;
    return {
      type: "hello",
      version: PROTOCOL.max,
      nonce,
      proof: password === "" ? "" : hmacProof(password, "replica", this.#feederNonce, nonce),
      format: { name: "copy", version: 0 },
      storeId,
      instanceId: randomId(),
      nodeId: randomId(),
      clusterId: null,
      incarnation: 0,
      purpose: "copy",
      complete: false,
      address: { host: "", clientPort: 0, replPort: 0 },
      position: { history: storeId, offset: 0, chain: 0 },
      rank: NO_RANK,
      lineage: [],
      promised: NO_RANK,
      hasData: false,
      consent: "none",
      partialBytes: 0,
      partialCrc: 0,
      resume: null,
      shipWanted: "no",
    };
  }

  #onWelcome(welcome: Welcome): void {
    const { password } = this.#deps;
    if (this.#feederNonce === "" || this.#isWelcome)
      throw new WireError("ERR_WIRE_STATE", "a WELCOME that answers no HELLO");
    const proof =
      password === "" ? "" : hmacProof(password, "feeder", this.#feederNonce, this.#nonce);
    if (password !== "" && !proofMatches(proof, welcome.proof))
      this.#finish("it did not prove that it knows the password");
    else {
      this.#isWelcome = true;
      this.#deps.welcomed(welcome);
    }
  }

  #ack(nowMs: number): void {
    if (this.#isOver) return;
    this.#ackDue = false;
    this.#saidMs = nowMs;
    this.#deps.shell.write(encode(this.#isWhole ? this.#wholeAck() : this.#chunksAck()));
  }

  #chunksAck(): Ack {
    const { begin, chunks } = this.#frames;
    const snapshotId = begin?.snapshotId ?? NO_ID;
    const echo = this.#echoUs;
    return {
      type: "ack",
      mode: "restoring",
      snapshotId,
      nextChunk: chunks,
      room: ROOM_BYTES,
      echo,
    };
  }

  #wholeAck(): Ack {
    const { offset } = this.#frames.begin!.position;
    const at = { received: offset, applied: offset, durable: 0 };
    return { type: "ack", mode: "streaming", ...at, room: 0, echo: this.#echoUs };
  }

  #finish(error: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#decoder?.stop();
    this.#deps.shell.destroy();
    // Why printable here: it is shown, and a peer wrote some of it.
    this.#deps.onDone(printable(error));
  }
}
