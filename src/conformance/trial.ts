/**
 * One check under way: the states that it made, what it waits for at the moment, how it fails.
 *
 *   trial.open() --> Held --apply, freeze, stage, reopen--> the state, one call at a time
 *                         --expect(model)--> is it as a fresh state to which just that was written?
 *
 * What a state must have in it is told by a second one of the same kind, to which only the outcome was
 * written, key by key in small batches: the suite need not know what a record means.
 *
 * Owns: places and their end, calls and their words. Does not own: which checks there are (checks.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mark } from "../bridge/seam.ts";
import { type Content, difference } from "./content.ts";
import { cutWords } from "./cut-words.ts";
import { Draws } from "./draws.ts";
import { Held, type Host } from "./held.ts";
import { type Model, writesOf } from "./model.ts";
import type { AnyState, ConformanceOptions, Examples, Made } from "./subject.ts";

/** How long a state that is done with may take to end; then it is left behind. */
const END_MS = 5000;
/** Writes in each batch of a reference. */
const REFERENCE_BATCH = 500;
const MARK_BYTES_MAX = 2048;

/** What was seen is not what the contract says. */
export class Seen extends Error {}

export class Trial implements Host {
  readonly options: ConformanceOptions;
  readonly draws: Draws;
  readonly seed: number;
  /** The call that has not answered. */
  doing = "";
  #folder = "";
  #places = 0;
  #marks = 0;
  readonly #made: Made[] = [];
  readonly #open = new Set<AnyState>();
  readonly #endings = new Set<() => void>();

  constructor(options: ConformanceOptions, seed: number) {
    this.options = options;
    this.seed = seed;
    this.draws = new Draws(seed);
  }

  get examples(): Examples {
    return this.options.examples;
  }

  fail(seen: string): never {
    throw new Seen(seen);
  }

  /** An empty directory of this check. */
  async place(): Promise<string> {
    if (this.#folder === "")
      this.#folder = await mkdtemp(join(this.options.folder ?? tmpdir(), "hawser-conformance-"));
    const place = join(this.#folder, String(this.#places++));
    await mkdir(place);
    return place;
  }

  /** Calls the state; what it throws fails the check. */
  async call<T>(what: string, run: () => T | Promise<T>): Promise<T> {
    this.doing = what;
    try {
      return await run();
    } catch (cause) {
      throw new Seen(`${what} failed: ${cutWords(cause)}`, { cause });
    }
  }

  /** Calls the state, which may throw or reject: null when it did not. */
  async attempt(what: string, run: () => unknown): Promise<{ error: unknown; at: string } | null> {
    this.doing = what;
    let answer: unknown;
    try {
      answer = run();
    } catch (error) {
      return { error, at: "at once" };
    }
    try {
      await answer;
      return null;
    } catch (error) {
      return { error, at: "later" };
    }
  }

  /** A state at `place`, opened; without a place a fresh one. */
  async open(place?: string): Promise<Held> {
    const at = place ?? (await this.place());
    const made = await this.make(at);
    const { state } = made;
    const opened = await this.call("open()", () => state.open());
    this.#open.add(state);
    return new Held(this, at, made, opened);
  }

  async make(place: string): Promise<Made> {
    const made = await this.call("make()", () => this.options.make(place));
    this.#made.push(made);
    return made;
  }

  /** The suite is done with it. `isDropped`: without a word, as when its process dies. */
  async give(made: Made, isDropped = false): Promise<void> {
    const at = this.#made.indexOf(made);
    if (at < 0) return;
    this.#made.splice(at, 1);
    const { state } = made;
    const isOpen = this.#open.delete(state);
    if (isOpen && !isDropped) await this.call("close()", () => state.close?.());
    await this.call("end()", () => made.end?.());
  }

  /** What a state has in it to which just this was written. */
  async reference(model: Model): Promise<Content> {
    return this.#withModel(model, (held) => held.look());
  }

  /** The records of a snapshot of such a state, in the order in which they are read. */
  async snapshotOf(model: Model): Promise<Buffer[]> {
    const records = await this.#withModel(model, async (held) => {
      const frozen = await held.freeze();
      const all = await held.read(frozen);
      await held.close(frozen);
      return all;
    });
    return records.map((record) => Buffer.from(record, "latin1"));
  }

  async #withModel<T>(model: Model, use: (held: Held) => Promise<T>): Promise<T> {
    const held = await this.open();
    const writes = writesOf(model);
    for (let at = 0; at < writes.length; at += REFERENCE_BATCH)
      await held.apply(writes.slice(at, at + REFERENCE_BATCH));
    const result = await use(held);
    await this.give(held.made);
    return result;
  }

  /** Fails unless `seen` is what a state has to which just `model` was written. */
  async compare(seen: Content, model: Model, when: string): Promise<void> {
    const found = difference(await this.reference(model), seen);
    if (found !== null) this.fail(`${when}: ${found}`);
  }

  /** Another mark each time, of 1 byte to 2 KiB. */
  mark(): Mark {
    const number = this.#marks++;
    const bytes = Buffer.alloc(number % 7 === 6 ? MARK_BYTES_MAX : 4 + ((number * 37) % 200));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.draws.next() & 0xff;
    bytes.writeUInt32LE(number, 0);
    return bytes;
  }

  /** `ending` is called when the check is over, however it ended, unless what this returns is called before. */
  onEnd(ending: () => void): () => void {
    this.#endings.add(ending);
    return () => this.#endings.delete(ending);
  }

  /** Ends what is left, in bounded time, whatever that says; then its files are gone. */
  async end(): Promise<void> {
    for (const ending of this.#endings) ending();
    for (const made of [...this.#made].reverse()) await within(END_MS, this.give(made));
    if (this.#folder === "") return;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

async function within(ms: number, ending: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([ending.catch(() => undefined), late]);
  clearTimeout(timer);
}
