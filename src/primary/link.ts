/**
 * The feeding end of one connection: what one replica has been sent, has applied, and may be sent.
 * States and moves: link-state.ts. How each state feeds: link-feed.ts.
 *
 * Pure core: takes bytes, "taken" and "closed" events and `now`; gives bytes to a LinkOut. Nothing a
 * peer sends throws out of onBytes().
 *
 * Owns: one connection's state, output and input, and the parts that count for it (flow.ts,
 * heartbeat.ts, movement.ts, link-sync.ts). Does not own: the resume decision, ships of other links, the budget
 * over all links (feeder.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import assert from "node:assert/strict";
import { WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { encode } from "../wire/codec.ts";
import { ControlSink } from "../wire/control-sink.ts";
import { Decoder } from "../wire/decoder.ts";
import {
  FRAME,
  PROTOCOL,
  type Ack,
  type Announce,
  type PromiseAsked,
  type Ask,
  type Bye,
  type ByeCode,
  type Control,
  type DigestAnswer,
  type Hello,
  type Id,
  type Prepared,
  type RejectCode,
  type Released,
  type Verify,
} from "../wire/messages.ts";
import { printable } from "../wire/text.ts";
import { Cursor } from "../log/cursor.ts";
import { Flow } from "./flow.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Hold } from "./holds.ts";
import { assertLinkMove, type CloseReason, type LinkState } from "./link-state.ts";
import { LinkSync } from "./link-sync.ts";
import { Movement } from "./movement.ts";
import type { FeederOptions } from "./options.ts";
import { Output, type Owner } from "./output.ts";
import type { Ship } from "./ship.ts";
import type { Store } from "./stores.ts";
import { SyncAsking } from "./sync-asking.ts";

/** The socket, as a link uses it. Memory given to write() must not change until it was taken. */
export interface LinkOut {
  write(bytes: Uint8Array, from: number, to: number): void;
  /** Hands everything written since the last flush to the kernel in one call. */
  flush(): void;
  /** Flushes, then ends the connection politely. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
  /** What the kernel still has to take of what it is taking: it changes as long as bytes flow. */
  readonly beingTaken: number;
}

/** What a link asks of the feeder that owns it. */
export interface LinkOwner {
  readonly options: FeederOptions;
  onHello(link: Link, hello: Hello, nowMs: number): void;
  onAsk(link: Link, ask: Ask | Announce | PromiseAsked, nowMs: number): void;
  onAck(link: Link, ack: Ack, nowMs: number): void;
  onDigest(link: Link, answer: DigestAnswer): void;
  onFailoverAnswer(link: Link, answer: Prepared | Released): void;
  /** The state is `closed` now; the socket may still have our memory. `cut` is the ship that is not over. */
  onLinkClosed(link: Link, cut: Ship | null, detail: string): void;
  /** Something may be sendable that was not before. */
  wantPump(): void;
}

/** Frame types a replica may send. */
const ACCEPTS: ReadonlySet<number> = new Set([
  FRAME.hello,
  FRAME.ask,
  FRAME.announce,
  FRAME.promise,
  FRAME.ack,
  FRAME.bye,
  FRAME.digest,
  FRAME.prepared,
  FRAME.released,
]);

export class Link extends ControlSink {
  readonly id: number;
  readonly remote: string;
  readonly out: LinkOut;
  readonly output: Output = new Output();
  readonly owner: LinkOwner;
  readonly nonce: Id;
  /** What of the log it was sent and has applied. */
  readonly flow: Flow = new Flow();
  readonly heartbeat: Heartbeat;
  readonly movement: Movement;
  readonly sync: LinkSync = new LinkSync();
  private readonly syncAsking = new SyncAsking();
  #state: LinkState = { kind: "greeting" };
  #hello: Hello | null = null;
  #claimedId: Id = "";
  #completeAt = Number.POSITIVE_INFINITY;
  #store: Store | null = null;
  #mark: Verify | null = null;
  #between: Control[] = [];
  private readonly decoder: Decoder;
  private inputBytes = 0;
  private socketGone = false;

  constructor(
    id: number,
    remote: string,
    out: LinkOut,
    owner: LinkOwner,
    nonce: Id,
    nowMs: number,
  ) {
    super();
    this.id = id;
    this.remote = remote;
    this.out = out;
    this.owner = owner;
    this.nonce = nonce;
    this.heartbeat = new Heartbeat(nowMs);
    this.movement = new Movement(nowMs);
    this.decoder = new Decoder(ACCEPTS, this);
    this.say(
      {
        type: "greeting",
        versionMin: PROTOCOL.min,
        versionMax: PROTOCOL.max,
        nonce,
        authRequired: owner.options.replPassword !== "",
      },
      nowMs,
    );
    out.flush();
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Set once welcomed. */
  get hello(): Hello | null {
    return this.#hello;
  }

  /** Its HELLO came; it may be judged later. */
  private get saidHello(): boolean {
    return this.#claimedId !== "";
  }

  /** The replica id that its HELLO named, welcomed or not: for log lines. */
  get claimedId(): Id {
    return this.#claimedId;
  }

  /** What is remembered of its store, once welcomed; null for one that counts for nothing. */
  get store(): Store | null {
    return this.#store;
  }

  /** VERIFY to be said when exactly the log up to its position has been sent. */
  get mark(): Verify | null {
    return this.#mark;
  }

  get isClosed(): boolean {
    return this.state.kind === "closed";
  }

  /** Something has come back. */
  get spoke(): boolean {
    return this.state.kind !== "greeting";
  }

  /** HELLO was accepted and the connection stands. */
  get welcomed(): boolean {
    return this.hello !== null && this.state.kind !== "closed";
  }

  /** It takes one snapshot, and counts for nobody: its purpose is copy. */
  get isCopy(): boolean {
    return this.#hello?.purpose === "copy";
  }

  /** Log offset after the last byte given to the socket. */
  get sent(): number {
    return this.flow.sent;
  }

  get received(): number {
    return this.flow.received;
  }

  get applied(): number {
    return this.flow.applied;
  }

  /** What WAIT may count: see Flow. */
  get confirmed(): number {
    return this.flow.confirmed;
  }

  get hold(): Hold | null {
    return this.sync.hold;
  }

  /** The ship that is queued or on its way. */
  get ship(): Ship | null {
    return this.#state.kind === "shipping" ? this.#state.ship : null;
  }

  /** The ship whose END is out and whose swap is not confirmed. */
  get finishing(): Ship | null {
    return this.#state.kind === "streaming" ? this.#state.finishing : null;
  }

  /** The ship that is not over: one of the two, or null. */
  get currentShip(): Ship | null {
    return this.ship ?? this.finishing;
  }

  /** When it last got further: see Movement. */
  get progressMs(): number {
    return this.movement.progressMs;
  }

  // --- events from the shell -----------------------------------------------------------------

  onBytes(bytes: Buffer, from: number, to: number, nowMs: number): void {
    if (this.isClosed) return;
    this.movement.received(nowMs);
    if (this.state.kind === "greeting") this.move({ kind: "handshake" });
    this.inputBytes += to - from;
    if (this.hello === null && this.inputBytes > LIMITS.handshakeBytesMax) {
      this.refuse("malformed", `more than ${LIMITS.handshakeBytesMax} bytes before HELLO`, nowMs);
      return;
    }
    try {
      this.decoder.push(bytes, from, to);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.onProtocolError(error, nowMs);
    }
  }

  /** The oldest piece of output is with the kernel. */
  onTaken(nowMs: number): void {
    if (this.socketGone) return;
    this.output.taken();
    this.movement.taken(nowMs);
    if (!this.isClosed && this.output.bytes < this.owner.options.outputCapBytes / 2)
      this.owner.wantPump();
  }

  /** Asks the socket: a piece may be taken bit by bit for longer than any clock allows. */
  lookAtSocket(nowMs: number): void {
    this.movement.looked(this.out.beingTaken, nowMs);
  }

  /** The socket is gone; its memory is ours again. */
  onSocketClosed(reason: CloseReason, detail: string): void {
    this.socketGone = true;
    this.output.releaseAll();
    if (!this.isClosed) this.close(reason, detail);
  }

  // --- decoder events ------------------------------------------------------------------------

  control(message: Control): void {
    if (this.isClosed) return;
    switch (message.type) {
      case "hello":
        if (this.saidHello) throw new WireError("ERR_WIRE_STATE", "a second HELLO");
        this.#claimedId = message.storeId;
        this.owner.onHello(this, message, this.movement.receivedMs);
        return;
      case "ask":
      case "announce":
      case "promise":
        if (this.saidHello)
          throw new WireError("ERR_WIRE_STATE", `an ${message.type.toUpperCase()} after HELLO`);
        this.owner.onAsk(this, message, this.movement.receivedMs);
        return;
      case "ack":
        if (this.hello === null) throw new WireError("ERR_WIRE_STATE", "an ACK before HELLO");
        this.owner.onAck(this, message, this.movement.receivedMs);
        return;
      case "digest":
        if (this.hello === null) throw new WireError("ERR_WIRE_STATE", "a DIGEST before HELLO");
        this.owner.onDigest(this, message);
        return;
      case "prepared":
      case "released":
        if (this.hello === null)
          throw new WireError("ERR_WIRE_STATE", `${message.type} before HELLO`);
        this.owner.onFailoverAnswer(this, message);
        return;
      case "bye":
        this.onBye(message);
        return;
      default:
        assert.fail(`the decoder let ${message.type} through`);
    }
  }

  private onBye(message: Bye): void {
    const reason = message.code === "protocol" ? "replica_refused" : "bye_received";
    this.close(reason, printable(`${message.code}: ${message.message}`));
  }

  // --- sending -------------------------------------------------------------------------------

  /** Queues a control frame; the caller knows that the stream is between batches. */
  say(message: Control, nowMs: number): void {
    const bytes = encode(message);
    this.give(bytes, 0, bytes.length, null, nowMs);
  }

  /** Queues bytes whose memory `owner` keeps. */
  give(bytes: Uint8Array, from: number, to: number, owner: Owner | null, nowMs: number): void {
    if (this.output.bytes === 0) this.movement.taken(nowMs);
    this.output.push(to - from, owner);
    this.out.write(bytes, from, to);
  }

  /** Its HELLO is accepted. With the log up to `completeAt`, -1 for already, it has all that it ever acknowledged. */
  welcome(hello: Hello, completeAt: number): void {
    this.#hello = hello;
    this.#completeAt = completeAt;
  }

  /** The replica has all that it ever acknowledged, as far as this node knows. */
  get isComplete(): boolean {
    return this.confirmed >= this.#completeAt;
  }

  /** Its HELLO is accepted, of a store that counts. */
  knownAs(store: Store): void {
    this.#store = store;
  }

  /** VERIFY is to be said once the log up to its position has been sent; it takes an older one's place. */
  verify(mark: Verify): void {
    this.#mark = mark;
  }

  /** VERIFY is said, as far as sent is what it names. */
  sayMark(nowMs: number): void {
    const mark = this.#mark;
    if (mark === null || mark.position.offset !== this.flow.sent) return;
    this.#mark = null;
    this.say(mark, nowMs);
  }

  /** Says it between two batches, as soon as the link streams, or waits. */
  sayBetween(message: Control): void {
    this.#between.push(message);
  }

  /** Somebody waits until the replica's disk has the log up to `to`. @returns whether there is something to say */
  askToSync(to: number): boolean {
    return this.saySync(this.syncAsking.want(to, this.flow.durable));
  }

  /** It has said how far its disk is. @returns whether there is something to say */
  syncsOn(): boolean {
    return !this.syncAsking.isIdle && this.saySync(this.syncAsking.said(this.flow.durable));
  }

  private saySync(offset: number): boolean {
    if (offset >= 0) this.sayBetween({ type: "sync", offset });
    return offset >= 0;
  }

  /** Something is to be said between two batches. */
  get hasToSay(): boolean {
    return this.#between.length > 0;
  }

  /** Says it: the stream is between batches. */
  sayNow(nowMs: number): void {
    for (const message of this.#between) this.say(message, nowMs);
    this.#between = [];
  }

  /** Starts feeding from the log at `offset`, a batch boundary, after `skip` bytes held already. */
  stream(cursor: Cursor, offset: number, nowMs: number): void {
    this.move({ kind: "streaming", cursor, finishing: this.ship });
    this.flow.began(offset, cursor.offset);
    this.movement.progressed(nowMs);
    // Why: a ship may have jumped over it, and the stream stops at a mark until it was said.
    if (this.#mark !== null && this.#mark.position.offset < this.sent) this.#mark = null;
  }

  /** A ship is queued for it: a new one, or one that goes on where it was cut. */
  beginShip(ship: Ship, nowMs: number): void {
    // Why: the state that it finished is not the one it gets now.
    this.finishing?.swapped();
    this.move({ kind: "shipping", ship });
    if (ship.resumed) return;
    this.sync.begun();
    this.movement.progressed(nowMs);
    this.flow.startedOver();
    this.syncAsking.startedOver();
  }

  /** The replica streams from its new state. Returns the ship that is over, or null. */
  swapped(nowMs: number): Ship | null {
    const state = this.#state;
    if (state.kind !== "streaming" || state.finishing === null) return null;
    this.#state = { kind: "streaming", cursor: state.cursor, finishing: null };
    this.sync.swapped(nowMs);
    // Why again: between END and its swap it may have passed over what was asked.
    this.syncAsking.startedOver();
    return state.finishing;
  }

  move(state: LinkState): void {
    const before = this.#state;
    assertLinkMove(before.kind, state.kind);
    if (before.kind === "streaming") before.cursor.close();
    this.#state = state;
  }

  // --- ending --------------------------------------------------------------------------------

  /** REJECT, then close. */
  refuse(code: RejectCode, message: string, nowMs: number, retryAfterMs = 0): void {
    this.say({ type: "reject", code, message, retryAfterMs }, nowMs);
    this.close("rejected", `${code}: ${message}`);
  }

  /** BYE when the stream is between batches, then close. */
  bye(code: ByeCode, message: string, reason: CloseReason, nowMs: number): void {
    if (this.isClosed) return;
    if (this.state.kind !== "streaming" || this.state.cursor.atBoundary)
      this.say({ type: "bye", code, message }, nowMs);
    this.close(reason, message);
  }

  /** Ends the link; the reason is recorded once. Polite unless the peer does not take bytes. */
  close(reason: CloseReason, detail: string): void {
    if (this.isClosed) return;
    const cut = this.currentShip;
    this.move({ kind: "closed", reason });
    // Why: what is behind the frame under way would be answered once more, if it breaks the protocol.
    this.decoder.stop();
    this.owner.onLinkClosed(this, cut, detail);
    if (this.socketGone) return;
    if (RUDE.has(reason)) this.out.destroy();
    else this.out.end();
  }

  private onProtocolError(error: WireError, nowMs: number): void {
    if (this.hello === null) {
      this.refuse("malformed", error.message, nowMs);
      return;
    }
    this.bye("protocol", error.message, "protocol", nowMs);
  }
}

/** Ends that do not wait for the socket to take what it was given. */
const RUDE: ReadonlySet<CloseReason> = new Set<CloseReason>([
  "silence",
  "stall_socket",
  "stall_apply",
  "handshake_timeout",
  "socket_error",
  "superseded",
]);
