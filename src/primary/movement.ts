/**
 * When something last moved on one link, in each of its ways: what its clocks judge (clocks.ts).
 *
 * Owns: those times. Does not own: how long is too long.
 */
export class Movement {
  readonly connectedAtMs: number;
  #receivedMs: number;
  #takenMs: number;
  #progressMs: number;
  #beingTaken = 0;

  constructor(nowMs: number) {
    this.connectedAtMs = nowMs;
    this.#receivedMs = nowMs;
    this.#takenMs = nowMs;
    this.#progressMs = nowMs;
  }

  /** When bytes last arrived. */
  get receivedMs(): number {
    return this.#receivedMs;
  }

  /** When the socket last took something, or was given something while it had nothing. */
  get takenMs(): number {
    return this.#takenMs;
  }

  /** When received, applied or a chunk ACK last moved, or the first byte after a pause was sent. */
  get progressMs(): number {
    return this.#progressMs;
  }

  received(nowMs: number): void {
    this.#receivedMs = nowMs;
  }

  taken(nowMs: number): void {
    this.#takenMs = nowMs;
  }

  progressed(nowMs: number): void {
    this.#progressMs = nowMs;
  }

  /** What the kernel still has to take of the piece that it is taking: less of it is movement too. */
  looked(beingTaken: number, nowMs: number): void {
    if (beingTaken !== this.#beingTaken) this.#takenMs = nowMs;
    this.#beingTaken = beingTaken;
  }
}
