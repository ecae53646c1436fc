/**
 * What one writer sent and what was answered, kept outside of every node; and whether a state that came
 * back after a crash can be what is left of that.
 *
 *   changes   0 1 2 3 4 5 6 7 8     of one connection, in the order they were sent
 *                 ^ floor           promised to be there: the first `floor` of them
 *                     ^ answered    the first `answered` were answered
 *                           ^ sent  the others may have been executed, or not
 *
 * A node executes the changes of a connection in their order, so what it has after a crash is the state
 * after exactly some number of them: not less than the floor, not more than were sent. A tick is an INCR
 * of a key that all writers share: its answer says where the change stands among those of the others, so
 * that the states of all writers must come from one moment.
 *
 * Pure. Owns: the changes, the comparison. Does not own: connections (writer.ts), when it is asked.
 */
/** The key that all writers count up. */
export const TICK_KEY = "tick";

export type Change =
  | { readonly kind: "set"; readonly key: string; readonly number: number; readonly length: number }
  | { readonly kind: "append"; readonly key: string; readonly number: number }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "tick" };

/** What a node has: values by key, null where there is none. */
export type Found = ReadonlyMap<string, string | null>;

export interface Judgement {
  /** So many changes are there. -1: none of the possible numbers fits. */
  readonly kept: number;
  /** What is wrong, "" when nothing is. */
  readonly fault: string;
}

/** The value of a SET: its number, and padding that depends on it, so that no two look alike. */
export function valueOf(number: number, length: number): string {
  const letter = String.fromCharCode(97 + (number % 26));
  return `${number}:`.padEnd(length, letter);
}

/** What an APPEND adds. */
export function pieceOf(number: number): string {
  return `${number},`;
}

export class Ledger {
  readonly keys: readonly string[];
  answered = 0;
  /** See above; moved by whoever knows what was promised. */
  floor = 0;
  readonly #base = new Map<string, string | null>();
  readonly #changes: Change[] = [];
  /** Answers of ticks, by index of the change. */
  readonly #ticks = new Map<number, number>();

  constructor(keys: readonly string[]) {
    this.keys = keys;
    for (const key of keys) this.#base.set(key, null);
  }

  get sent(): number {
    return this.#changes.length;
  }

  send(change: Change): void {
    this.#changes.push(change);
  }

  /** The oldest change without an answer has one; `tick` is that of a tick. */
  answer(tick: number | null): void {
    if (tick !== null) this.#ticks.set(this.answered, tick);
    this.answered += 1;
  }

  /** What a node has of this writer after a crash, against what it may have. `tick` is of the same moment. */
  judge(found: Found, tick: number, floor: number): Judgement {
    const replay = new Replay(this.#base, found);
    const fits: number[] = [];
    for (let count = 0; ; count++) {
      if (replay.differing === 0) fits.push(count);
      const change = this.#changes[count];
      if (change === undefined) break;
      replay.make(change);
    }
    const least = Math.max(floor, this.#countTo(tick));
    const most = this.#countBefore(tick);
    const kept = fits.findLast((count) => count >= least && count <= most);
    if (kept !== undefined) return { kept, fault: "" };
    const newest = fits.at(-1) ?? -1;
    const range = `at least ${floor} of ${this.answered} answered and ${this.sent} sent`;
    if (newest < 0)
      return { kept: newest, fault: `no moment's state (${range}): ${this.#nearest(found)}` };
    if (newest < floor) return { kept: newest, fault: `${newest} changes are there, ${range}` };
    const fault = `${newest} changes are there, not ${least} to ${most} as the count of ${tick} says`;
    return { kept: newest, fault };
  }

  /** What was found is what there is: the next changes come after it. */
  adopt(found: Found): void {
    for (const key of this.keys) this.#base.set(key, found.get(key) ?? null);
    this.#changes.length = 0;
    this.#ticks.clear();
    this.answered = 0;
    this.floor = 0;
  }

  /** So many changes at least are there, when the count of all is at `tick`. */
  #countTo(tick: number): number {
    let least = 0;
    for (const [index, value] of this.#ticks) if (value <= tick) least = Math.max(least, index + 1);
    return least;
  }

  /** So many at most. */
  #countBefore(tick: number): number {
    let most = this.sent;
    for (const [index, value] of this.#ticks) if (value > tick) most = Math.min(most, index);
    return most;
  }

  /** For a failure text: the moment at which the fewest keys differ, and one of them. */
  #nearest(found: Found): string {
    const replay = new Replay(this.#base, found);
    let best = { differing: Number.POSITIVE_INFINITY, count: 0, text: "" };
    for (let count = 0; ; count++) {
      const { differing } = replay;
      if (differing < best.differing) best = { differing, count, text: replay.oneDifference() };
      const change = this.#changes[count];
      if (change === undefined) break;
      replay.make(change);
    }
    return `after ${best.count} changes ${best.differing} keys differ, as ${best.text}`;
  }
}

/** The state as changes make it, and in how many keys it differs from what was found. */
class Replay {
  differing = 0;
  readonly #state: Map<string, string | null>;
  readonly #found: Found;

  constructor(base: ReadonlyMap<string, string | null>, found: Found) {
    this.#state = new Map(base);
    this.#found = found;
    for (const key of this.#state.keys()) if (this.#differs(key)) this.differing += 1;
  }

  make(change: Change): void {
    if (change.kind === "tick") return;
    const { key } = change;
    const before = this.#differs(key);
    this.#state.set(key, this.#valueAfter(change));
    this.differing += Number(this.#differs(key)) - Number(before);
  }

  oneDifference(): string {
    for (const key of this.#state.keys())
      if (this.#differs(key))
        return `${key}: ${short(this.#found.get(key))} instead of ${short(this.#state.get(key))}`;
    return "";
  }

  #valueAfter(change: Exclude<Change, { kind: "tick" }>): string | null {
    switch (change.kind) {
      case "set":
        return valueOf(change.number, change.length);
      case "append":
        return (this.#state.get(change.key) ?? "") + pieceOf(change.number);
      case "delete":
        return null;
    }
  }

  #differs(key: string): boolean {
    return (this.#found.get(key) ?? null) !== this.#state.get(key);
  }
}

function short(value: string | null | undefined): string {
  if (value === null || value === undefined) return "nothing";
  return value.length <= 24 ? value : `${value.slice(0, 12)}...(${value.length} bytes)`;
}
