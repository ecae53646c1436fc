/**
 * Whether what clients saw of single-key registers could have happened one operation at a time, each at a moment
 * between its call and its return: Wing and Gong's search with Lowe's memory of configurations, key by key.
 *
 * A write whose outcome nobody knows took effect at any moment after its call, or never. As no value is written
 * twice, it did when somebody read it, by the return of that read; else leaving it out is always right.
 * Owns: the judgement. Does not own: how a history is made (linear.ts).
 */

/** One operation. Times are of one clock, without equals: a count of events will do. */
export interface Operation {
  readonly key: string;
  readonly kind: "write" | "read";
  /** What was written, or read: null for no value, as before the first write. */
  readonly value: string | null;
  readonly calledAt: number;
  /** Infinity: nobody knows the outcome. */
  readonly returnedAt: number;
}

/** Configurations that are looked at for one key: so many need a history of very many operations at once. */
const CONFIGURATIONS_MAX = 2_000_000;
/** Operations of a failure text. */
const SHOWN = 12;

/** @returns why the history is not linearizable; null when it is. @throws when a value is written twice, or nothing is decided */
export function violation(history: readonly Operation[]): string | null {
  for (const key of new Set(history.map((each) => each.key))) {
    const operations = history.filter((each) => each.key === key);
    const why = new Search(mandatory(operations)).run();
    if (why !== null) return `key ${key}: ${why}`;
  }
  return null;
}

/** What has to have taken effect, and by when, in the order of the calls. */
function mandatory(operations: readonly Operation[]): Operation[] {
  const readBy = new Map<string | null, number>();
  const written = new Set<string | null>([null]);
  for (const { kind, value, returnedAt } of operations)
    if (kind === "read") readBy.set(value, Math.min(returnedAt, readBy.get(value) ?? Infinity));
    else if (written.has(value)) throw new Error(`written twice: ${String(value)}`);
    else written.add(value);
  return operations
    .map((each) => {
      if (each.kind === "read" || each.returnedAt !== Infinity) return each;
      return { ...each, returnedAt: readBy.get(each.value) ?? Infinity };
    })
    .filter(({ returnedAt }) => returnedAt !== Infinity)
    .sort((a, b) => a.calledAt - b.calledAt);
}

/** What has taken effect: all before `low`, and `beyond`, in order; the value that is there then. */
interface Configuration {
  readonly low: number;
  readonly beyond: readonly number[];
  readonly value: string | null;
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #seen = new Set<string>();
  #furthest: Configuration = { low: 0, beyond: [], value: null };

  /** @param operations in the order of their calls, each with a return */
  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
  }

  run(): string | null {
    const open = [this.#furthest];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const at = this.#withReads(next);
      if (at.low === this.#operations.length) return null;
      const name = `${at.low} ${at.value ?? ""} ${at.beyond.join(" ")}`;
      if (this.#seen.has(name)) continue;
      this.#seen.add(name);
      if (this.#seen.size > CONFIGURATIONS_MAX) throw new Error("too much at once to decide");
      if (sizeOf(at) > sizeOf(this.#furthest)) this.#furthest = at;
      for (const write of this.#nexts(at).reverse())
        if (this.#operations[write]!.kind === "write") open.push(this.#after(at, write));
    }
    return this.#why();
  }

  /** A read of the value that is there changes nothing: if it may be next, it may as well be now. */
  #withReads(from: Configuration): Configuration {
    let at = from;
    for (;;) {
      const read = this.#nexts(at).find((n) => {
        const { kind, value } = this.#operations[n]!;
        return kind === "read" && value === at.value;
      });
      if (read === undefined) return at;
      at = this.#after(at, read);
    }
  }

  /** Who may be next: called before any of those that are missing returned. */
  #nexts({ low, beyond }: Configuration): number[] {
    const nexts: number[] = [];
    let returnedAt = Infinity;
    let skip = 0;
    for (let n = low; n < this.#operations.length; n++) {
      const each = this.#operations[n]!;
      if (each.calledAt > returnedAt) break;
      if (beyond[skip] === n) {
        skip++;
        continue;
      }
      nexts.push(n);
      returnedAt = Math.min(returnedAt, each.returnedAt);
    }
    return nexts;
  }

  #after(at: Configuration, n: number): Configuration {
    const { kind, value: written } = this.#operations[n]!;
    const value = kind === "write" ? written : at.value;
    const beyond = [...at.beyond, n].sort((a, b) => a - b);
    let low = at.low;
    while (beyond[0] === low) {
      beyond.shift();
      low++;
    }
    return { low, beyond, value };
  }

  #why(): string {
    const at = this.#furthest;
    const missing = this.#nexts(at).slice(0, SHOWN);
    const before = this.#operations.slice(Math.max(0, at.low - SHOWN), at.low);
    return [
      `after ${sizeOf(at)} of ${this.#operations.length} operations the value is ${at.value ?? "(none)"}, and none of these can be next:`,
      ...missing.map((n) => `  ${line(this.#operations[n]!)}`),
      "before them:",
      ...before.map((each) => `  ${line(each)}`),
    ].join("\n");
  }
}

const sizeOf = ({ low, beyond }: Configuration): number => low + beyond.length;

function line({ kind, value, calledAt, returnedAt }: Operation): string {
  return `${calledAt} to ${returnedAt}: ${kind} ${value ?? "(none)"}`;
}
