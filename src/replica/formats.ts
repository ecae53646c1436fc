/**
 * Formats of records: what a state writes, and older ones that it reads.
 *
 *   HELLO names the version that the state writes; refused for it (REJECT format), the next HELLO names one
 *   that it reads, and so on; when all were refused, that is a verdict. What was taken is asked for again
 *
 * Pure. Owns: which version is asked for, what can be read. Does not own: HELLO (handshake.ts).
 */
import type { RecordsFormat } from "../store/state.ts";
import type { Format } from "../wire/messages.ts";

/** Records and chunks in `given` can be applied by a state with the format `own`. */
export function canRead(own: RecordsFormat, { name, version }: Format): boolean {
  return name === own.name && (version === own.version || own.reads?.includes(version) === true);
}

export class Versions {
  readonly #all: readonly number[];
  #at = 0;
  /** Refused since the last one that was taken. */
  #refusals = 0;

  constructor({ version, reads = [] }: RecordsFormat) {
    this.#all = [version, ...reads.filter((other) => other !== version)];
  }

  /** What the next HELLO names. */
  get asked(): number {
    return this.#all[this.#at]!;
  }

  /** An upstream has another one. @returns whether there is one more to ask for */
  refused(): boolean {
    this.#at = (this.#at + 1) % this.#all.length;
    this.#refusals = (this.#refusals + 1) % this.#all.length;
    return this.#refusals > 0;
  }

  /** An upstream has this one. */
  taken(): void {
    this.#refusals = 0;
  }
}
