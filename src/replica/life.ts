/**
 * The session as its parts see it: the connection, the clock, and the moves from state to state.
 *
 * Owns: an interface. Does not own: what implements it (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import type { Decoder } from "../wire/decoder.ts";
import type * as m from "../wire/messages.ts";
import type { StateCalls } from "./calls.ts";
import type { SessionDeps } from "./deps.ts";
import type { Lasting, SessionState } from "./session-state.ts";

export interface SessionLife {
  readonly deps: SessionDeps;
  readonly state: SessionState;
  /** The time of the event under way. */
  readonly nowMs: number;
  /** Reads the present connection; null without one. */
  readonly decoder: Decoder | null;
  /** The state is inside a batch that cannot be applied. */
  readonly torn: boolean;
  /** The calls of a state that answers later; null for one that answers at once. */
  readonly calls: StateCalls | null;
  /** The state may be called; always, where it answers at once. */
  readonly isStateFree: boolean;
  move(state: SessionState): void;
  /** What arrives from now on waits, also what is behind the message under way. */
  holdInput(): void;
  /** What waits is taken. */
  resumeInput(): void;
  /** Asks for step() at the end of this turn. */
  wantStep(): void;
  say(message: m.Control): void;
  /** An ACK goes out at the end of this turn. */
  wantAck(): void;
  /** The upstream is followed: the connection stands. */
  onWelcomed(): void;
  /** Something got on: the next delay is short. */
  gotOn(): void;
  /** The connection ends, and is tried again after a delay. */
  fail(why: string, nowMs: number, lasting?: Lasting): void;
  /** The upstream is not acceptable, and is told why. */
  turnDown(why: string, lasting: Lasting): void;
  /** The same, of what it has: consent, if any, was for this. */
  refuse(why: string, lasting: Lasting): void;
}
