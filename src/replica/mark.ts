/**
 * A position in the stream at which the state is to be digested (VERIFY): reached when exactly the
 * log up to it is applied. A newer mark replaces one that was not reached.
 */
import { WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Verify } from "../wire/messages.ts";

export class Mark {
  private message: Verify | null = null;
  private readonly onReached: (message: Verify) => void;

  constructor(onReached: (message: Verify) => void) {
    this.onReached = onReached;
  }

  /** Throws WireError ERR_WIRE_BODY when the answer would not fit. */
  set(message: Verify): void {
    if (message.buckets > LIMITS.digestBucketsMax)
      throw new WireError("ERR_WIRE_BODY", `VERIFY asks for ${message.buckets} buckets`);
    this.message = message;
  }

  /** Where the state is to be digested; Infinity for nowhere. */
  get offset(): number {
    return this.message?.position.offset ?? Number.POSITIVE_INFINITY;
  }

  clear(): void {
    this.message = null;
  }

  /** Between batches: tells of a mark that is reached. */
  look(applied: number): void {
    const message = this.reached(applied);
    if (message !== null) this.onReached(message);
  }

  /** The message when `applied` is its position, once; a mark that was passed is forgotten. */
  reached(applied: number): Verify | null {
    const { message } = this;
    if (message === null || applied < message.position.offset) return null;
    this.message = null;
    return applied === message.position.offset ? message : null;
  }
}
