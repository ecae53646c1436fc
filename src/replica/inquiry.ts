/**
 * One question to one node over its replication port: what state it has, and whom it follows.
 *
 *   GREETING -> ASK -> STATE            and the connection ends
 *            -> ANNOUNCE -> STATE       the same, of a node that says that it leads
 *
 * Pure core, as a session is: bytes, events and `now` in, bytes and one answer out. Nothing the other
 * end sends throws out of onBytes().
 * Owns: one connection's worth of asking. Does not own: whom to ask, what follows (node/seeding.ts).
 */
import { HawserError, WireError } from "../errors.ts";
import { encode } from "../wire/codec.ts";
import { ControlSink } from "../wire/control-sink.ts";
import { Decoder } from "../wire/decoder.ts";
import {
  FRAME,
  PROTOCOL,
  type Announce,
  type PromiseAsked,
  type Control,
  type Greeting,
  type Id,
  type StateAnswer,
} from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import { printable } from "../wire/text.ts";
import type { SessionShell, SocketUser } from "./deps.ts";
import { judgeGreeting } from "./handshake.ts";

const ACCEPTS: ReadonlySet<number> = new Set([
  FRAME.greeting,
  FRAME.state,
  FRAME.reject,
  FRAME.bye,
]);

/** That a node leads. */
export type Announcement = Omit<Announce, "type" | "version" | "nonce" | "proof">;

/** That a node is to lead, and asks for a promise. */
export type PromiseSaid = Omit<PromiseAsked, "version" | "nonce" | "proof">;

/** What is said instead of asking. */
export type Said = Announcement | PromiseSaid;

export interface InquiryDeps {
  readonly shell: SessionShell;
  /** "" without. */
  readonly password: string;
  readonly randomId: () => Id;
  /** The answer must be there within this, ms. */
  readonly timeoutMs: number;
  /** What it says instead of asking; null when it asks. */
  readonly announcement?: Said | null;
  /** Called once; without a state `error` says why. */
  readonly onAnswer: (state: StateAnswer | null, error: string) => void;
}

export class Inquiry extends ControlSink implements SocketUser {
  private readonly deps: InquiryDeps;
  private readonly nonce: Id;
  private decoder: Decoder | null = null;
  /** Of the GREETING that was answered; "" before. */
  private feederNonce: Id = "";
  private untilMs = Number.POSITIVE_INFINITY;
  private answered = false;

  constructor(deps: InquiryDeps) {
    super();
    this.deps = deps;
    this.nonce = deps.randomId();
  }

  start(nowMs: number): void {
    this.untilMs = nowMs + this.deps.timeoutMs;
    this.deps.shell.dial();
  }

  // --- events from the shell -----------------------------------------------------------------

  onConnected(): void {
    this.decoder = new Decoder(ACCEPTS, this);
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    if (this.answered) return;
    try {
      this.decoder?.push(bytes, from, to);
    } catch (error) {
      if (!(error instanceof HawserError)) throw error;
      this.finish(null, error.message);
    }
  }

  onClosed(detail: string): void {
    this.finish(null, detail);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.untilMs) this.finish(null, `no answer within ${this.deps.timeoutMs} ms`);
  }

  /** There is never anything left to do. */
  step(): boolean {
    return false;
  }

  // --- decoder events ------------------------------------------------------------------------

  control(message: Control): void {
    if (this.answered) return;
    if (message.type === "greeting") this.onGreeting(message);
    else if (message.type === "state") this.onState(message);
    else if (message.type === "reject" || message.type === "bye")
      this.finish(null, `${message.code}: ${message.message}`);
  }

  private onGreeting(greeting: Greeting): void {
    const { password, shell } = this.deps;
    // Why only one: each would be answered, before anybody has proved anything.
    if (this.feederNonce !== "") throw new WireError("ERR_WIRE_STATE", "a second GREETING");
    const refusal = judgeGreeting(password, greeting);
    if (refusal !== null) {
      this.finish(null, refusal);
      return;
    }
    if (greeting.authRequired && password === "") {
      this.finish(null, "it requires a password (--repl-password)");
      return;
    }
    this.feederNonce = greeting.nonce;
    const proof = password === "" ? "" : hmacProof(password, "replica", greeting.nonce, this.nonce);
    const opening = { version: PROTOCOL.max, nonce: this.nonce, proof };
    const { announcement = null } = this.deps;
    if (announcement === null) shell.write(encode({ type: "ask", ...opening }));
    else if ("type" in announcement) shell.write(encode({ ...opening, ...announcement }));
    else shell.write(encode({ type: "announce", ...opening, ...announcement }));
  }

  private onState(state: StateAnswer): void {
    const { password } = this.deps;
    if (this.feederNonce === "") {
      this.finish(null, "it answers before it was asked");
      return;
    }
    const proof =
      password === "" ? "" : hmacProof(password, "feeder", this.feederNonce, this.nonce);
    if (password !== "" && !proofMatches(proof, state.proof))
      this.finish(null, "it did not prove that it knows the password");
    else this.finish(state, "");
  }

  private finish(state: StateAnswer | null, error: string): void {
    if (this.answered) return;
    this.answered = true;
    this.deps.shell.destroy();
    // Why printable here: it goes to INFO, status and the log, and a peer wrote some of it.
    this.deps.onAnswer(state, printable(error));
  }
}
