/**
 * One opened state in a check: the calls of a node, with the words for what goes wrong.
 *
 * Owns: the newest mark, which the state must have. Does not own: the check (trial.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Frozen, Mark, Staging } from "../bridge/seam.ts";
import { type Content, latin1, readRecords, showBytes } from "./content.ts";
import { LentBatch, LentRecords } from "./lent.ts";
import { type Model, type Op, recordsOf } from "./model.ts";
import type { AnyState, ConformanceOptions, Examples, Made } from "./subject.ts";

/** Records in one call of load(). */
const LOAD_RECORDS = 100;
/** 2026-01-01; each batch is 1 ms later. */
const CLOCK_START_MS = 1_767_225_600_000;

export interface Opened {
  readonly mark: Mark | null;
  readonly empty: boolean;
}

/** What it needs of its check. */
export interface Host {
  readonly options: ConformanceOptions;
  readonly examples: Examples;
  call<T>(what: string, run: () => T | Promise<T>): Promise<T>;
  fail(seen: string): never;
  compare(seen: Content, model: Model, when: string): Promise<void>;
  mark(): Mark;
  give(made: Made, isDropped?: boolean): Promise<void>;
  open(place?: string): Promise<Held>;
}

export class Held {
  readonly place: string;
  readonly made: Made;
  readonly opened: Opened;
  /** The end of all that was applied. */
  end: Mark | null;
  readonly #trial: Host;
  #clockMs = CLOCK_START_MS;

  constructor(trial: Host, place: string, made: Made, opened: Opened) {
    this.#trial = trial;
    this.place = place;
    this.made = made;
    this.opened = opened;
    this.end = opened.mark;
  }

  get state(): AnyState {
    return this.made.state;
  }

  get isDurable(): boolean {
    return this.state.durability !== "none";
  }

  /** A batch of these, at a mark of its own. */
  batch(records: readonly Uint8Array[], end: Mark = this.#trial.mark()): LentBatch {
    return new LentBatch(records, end, this.#clockMs++);
  }

  /** Applies `ops` as one batch, which has to succeed. */
  async apply(ops: readonly Op[], end?: Mark): Promise<void> {
    await this.applyRecords(recordsOf(this.#trial.examples, ops), end);
  }

  async applyRecords(records: readonly Uint8Array[], end?: Mark): Promise<LentBatch> {
    const batch = this.batch(records, end);
    await this.#trial.call(`apply() of ${records.length} records`, () => this.state.apply(batch));
    this.end = batch.end;
    return batch;
  }

  async freeze(): Promise<Frozen> {
    return this.#trial.call("freeze()", () => this.state.freeze());
  }

  /** Records of `frozen`, in order. */
  async read(frozen: Frozen, after: Uint8Array | null = null): Promise<string[]> {
    return this.#trial.call("read()", () => readRecords(frozen, after));
  }

  async close(frozen: Frozen): Promise<void> {
    await this.#trial.call("close() of a Frozen", () => frozen.close());
  }

  /** What is in it now. */
  async look(): Promise<Content> {
    const frozen = await this.freeze();
    const records = (await this.read(frozen)).sort();
    await this.close(frozen);
    const { content } = this.#trial.options;
    if (content === undefined) return { records, own: null };
    const entries = await this.#trial.call("content()", () => content(this.state));
    const own = [...entries].map((each) => (typeof each === "string" ? each : latin1(each)));
    return { records, own: own.sort() };
  }

  /** Fails unless it is as a state to which just `model` was written, at the newest mark. */
  async expect(model: Model, when: string): Promise<void> {
    await this.#trial.compare(await this.look(), model, when);
    await this.expectMark(when);
  }

  /** Fails unless mark() is the newest one. */
  async expectMark(when: string): Promise<void> {
    if (!this.isDurable) return;
    const { state } = this;
    if (state.mark === undefined)
      this.#trial.fail(`durability is "${state.durability}", and there is no mark()`);
    const seen = await this.#trial.call("mark()", () => state.mark!());
    this.#compareMark("mark()", seen, when);
  }

  /** Fails unless it was opened at `mark`. */
  expectOpened(mark: Mark | null, isEmpty: boolean, when: string): void {
    this.end = mark;
    this.#compareMark("the mark of open()", this.opened.mark, when);
    if (this.opened.empty !== isEmpty)
      this.#trial.fail(`${when}: open() says empty: ${this.opened.empty}, expected ${isEmpty}`);
  }

  #compareMark(what: string, seen: Mark | null, when: string): void {
    const [is, expected] = [seen, this.end].map((mark) => (mark === null ? null : latin1(mark)));
    if (is === expected) return;
    const words = [is, expected].map((text) => (text === null ? "null" : showBytes(text!)));
    this.#trial.fail(`${when}: ${what} is ${words[0]!}, expected ${words[1]!}`);
  }

  /** Begins a staging and loads the records into it. */
  async stage(records: readonly Uint8Array[], about?: StageAbout): Promise<Staging> {
    const estimate = about ?? { records: records.length, bytes: 0 };
    const staging = await this.#trial.call("stage()", () => this.state.stage(estimate));
    await this.load(staging, records);
    return staging;
  }

  /** `answered` gets what was lent, once the call has answered. */
  async load(
    staging: Staging,
    records: readonly Uint8Array[],
    answered: (lent: LentRecords) => void = () => undefined,
  ): Promise<void> {
    for (let at = 0; at < records.length; at += LOAD_RECORDS) {
      const lent = new LentRecords(records.slice(at, at + LOAD_RECORDS));
      await this.#trial.call("load()", () => staging.load(lent));
      answered(lent);
    }
  }

  async commit(staging: Staging): Promise<void> {
    const end = this.#trial.mark();
    await this.#trial.call("commit()", () => staging.commit(end));
    this.end = end;
  }

  async abort(staging: Staging): Promise<void> {
    await this.#trial.call("abort()", () => staging.abort());
  }

  /** Ends it, and opens what is kept at its place. `isDropped`: as if its process had died. */
  async reopen(isDropped = false): Promise<Held> {
    await this.#trial.give(this.made, isDropped);
    return this.#trial.open(this.place);
  }
}

interface StageAbout {
  readonly records: number;
  readonly bytes: number;
}
