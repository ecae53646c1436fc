/**
 * PING and ACK of one link: whether a PING is due, when the last ones were, and how long the way to
 * the replica and back takes.
 *
 * Owns: those times. Does not own: how often (feeder.ts), what PING says (pump.ts), what an ACK
 * changes beside them (acks.ts).
 */
export class Heartbeat {
  #isDue = false;
  #isAckWanted = false;
  #pingMs: number;
  #ackMs = -1;
  #echoUs = 0;
  #roundTripMs = -1;

  constructor(nowMs: number) {
    this.#pingMs = nowMs;
  }

  /** A PING is to be said as soon as the stream is between batches. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** That PING asks for an ACK at once. */
  get isAckWanted(): boolean {
    return this.#isAckWanted;
  }

  /** When the last PING was said, or the connection began. */
  get pingMs(): number {
    return this.#pingMs;
  }

  /** When the last ACK was heard; -1 for never. */
  get ackMs(): number {
    return this.#ackMs;
  }

  /** Newest echo, us. */
  get echoUs(): number {
    return this.#echoUs;
  }

  /** How long the newest echo took; -1 unknown. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Wants a PING soon. */
  ask(): void {
    this.#isDue = true;
  }

  /** Wants a PING soon that is answered at once. */
  askForAck(): void {
    this.#isDue = true;
    this.#isAckWanted = true;
  }

  pinged(nowMs: number): void {
    this.#isDue = false;
    this.#isAckWanted = false;
    this.#pingMs = nowMs;
  }

  /** An ACK with the newest PING's time that the replica had heard, us. */
  acknowledged(echoUs: number, nowMs: number): void {
    this.#ackMs = nowMs;
    // Why not above: nobody can have heard a PING that was not said.
    if (echoUs <= this.#echoUs || echoUs > Math.round(this.#pingMs * 1000)) return;
    this.#echoUs = echoUs;
    this.#roundTripMs = Math.max(0, nowMs - echoUs / 1000);
  }
}
