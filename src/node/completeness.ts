/**
 * Whether this node has all that it ever acknowledged: `complete`, as it says in HELLO and STATE.
 *
 *   what happens                              complete then
 *   a start                                   if it was when it was stopped, and all of that came back
 *   it leads                                  yes: what it has is what counts
 *   a root welcomes it, and names its end     once it has applied the log up to there
 *   the same with a ship                      no; then once it has swapped, and applied up to there
 *   a replica welcomes it                     as before, if its history is this node's or descends from that;
 *                                             else no, and with a ship no
 *
 * What it acknowledged, the root had sent it: so a root's end, named after the start, has all of it. A
 * replica's end need not: before its death this node may have followed the root itself, and been ahead of
 * that replica. Nor is it complete by another history than it was: it may have followed the leader of that one
 * before, and then discarded what it had acknowledged there for what another leader had.
 *
 * Log that its own disk proves to be missing has to be there too, up to where it was proven.
 *
 * Pure. Owns: that state. Does not own: what is kept of it over a stop (node-memory.ts), what feeders make
 * of it.
 */
import type { Missing } from "../log/disk/manifest.ts";
import type { WelcomedEnd } from "../replica/deps.ts";

const NOBODY = Number.POSITIVE_INFINITY;

export class Completeness {
  #isComplete = false;
  /** The end that a root named; Infinity before. */
  #end = NOBODY;
  /** It is being given another state. */
  #owesSwap = false;
  /** Up to where its disk had the log, and has it no more. */
  #missing = 0;

  /** A state came back from the disk. `wasComplete`: it was when it was stopped, and all came back. */
  recovered(wasComplete: boolean, missing: Missing | null): void {
    this.#isComplete = wasComplete && missing === null;
    // Why 0 when nobody knows how far: then the end that a root names is all that there is to go by.
    this.#missing = typeof missing === "number" ? missing : 0;
  }

  leads(): void {
    this.#isComplete = true;
    this.#missing = 0;
  }

  /** `applied` is where its log ends now. */
  welcomed({ byRoot, isOurs, offset, isShip }: WelcomedEnd, applied: number): void {
    this.#isComplete = this.has(applied) && !isShip && isOurs;
    this.#owesSwap = isShip;
    this.#end = byRoot ? offset : NOBODY;
  }

  /** The snapshot is its state: what was missing was of the log before. */
  swapped(): void {
    this.#owesSwap = false;
    this.#missing = 0;
  }

  /** It has applied the log up to `applied`. @returns whether it is complete */
  has(applied: number): boolean {
    if (!this.#owesSwap && applied >= this.#end && applied >= this.#missing)
      this.#isComplete = true;
    return this.#isComplete;
  }
}
