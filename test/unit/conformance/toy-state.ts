/**
 * A correct state, as plain as one can be, that can be broken in one place: a Map of latin1 texts, which
 * answers later, has a mark, transactions and a method of its own. What it keeps outlives it in this process:
 * `disks`, by place.
 *
 * Records: 1 keyLength:u8 key value = write; 2 key = remove; 3 = clear. Snapshots are writes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type {
  Awaitable,
  Batch,
  Frozen,
  Mark,
  Part,
  Records,
  ReplicatedState,
  Staging,
  StateLog,
} from "../../../src/bridge/seam.ts";
import type { Made, Subject } from "../../../src/conformance/index.ts";

export type Content = Map<string, string>;

/** What outlives a state: its disk. */
export interface Kept {
  content: Content;
  mark: Mark | null;
  /** A staging that was never committed. */
  staged: Content | null;
}

export interface Tx {
  set(key: string, value: string): Promise<void>;
}

const disks = new Map<string, Kept>();
const PART_BYTES = 65_536;

export function writeRecord(key: string, value: string): Buffer {
  const head = Buffer.from([1, key.length]);
  return Buffer.concat([head, Buffer.from(key, "latin1"), Buffer.from(value, "latin1")]);
}

export const nameOf = (key: number): string => `key${key}`;
export const valueOf = (value: number): string => `value${value}`;

/** Each step that a flaw replaces is a method of its own. */
export class ToyState implements ReplicatedState<Tx> {
  readonly format = { name: "toy", version: 1 };
  readonly durability: "none" | "process" = "process";
  kept: Kept;
  protected frozen = new Set<ToyFrozen>();

  constructor(place: string) {
    this.kept = disks.get(place) ?? { content: new Map(), mark: null, staged: null };
    disks.set(place, this.kept);
  }

  protected async later(): Promise<void> {
    await Promise.resolve();
  }

  async open(): Promise<{ mark: Mark | null; empty: boolean }> {
    await this.later();
    this.kept.staged = null;
    return { mark: this.kept.mark, empty: this.kept.content.size === 0 };
  }

  check(bytes: Buffer, from: number, to: number): void {
    this.parse(bytes.subarray(from, to));
  }

  /** @throws at what is no record */
  parse(record: Buffer): (content: Content) => void {
    const [kind, length = 0] = record;
    if (kind === 3 && record.length === 1) return (content) => content.clear();
    if (kind === 2) {
      const key = this.text(record.subarray(1));
      return (content) => content.delete(key);
    }
    if (kind !== 1 || record.length < 2 + length) throw new Error("no record");
    const key = this.text(record.subarray(2, 2 + length));
    const value = record.toString("latin1", 2 + length);
    return (content) => content.set(key, value);
  }

  protected text(bytes: Buffer): string {
    return bytes.toString("latin1");
  }

  async apply(batch: Batch): Promise<void> {
    const changes = Array.from(batch, (record) => this.parse(record));
    await this.later();
    const next = new Map(this.kept.content);
    for (const change of changes) change(next);
    this.store(next, batch.end);
  }

  /** Content and mark in one step. */
  protected store(content: Content, mark: Mark | null): void {
    this.kept.content = content;
    this.kept.mark = mark;
  }

  async mark(): Promise<Mark | null> {
    await this.later();
    return this.kept.mark;
  }

  async transact(run: (tx: Tx) => Awaitable<Mark>): Promise<void> {
    const next = new Map(this.kept.content);
    const mark = await run({
      set: async (key, value) => {
        await this.later();
        next.set(key, value);
      },
    });
    this.store(next, mark);
  }

  async freeze(): Promise<Frozen> {
    await this.later();
    const frozen = new ToyFrozen(new Map(this.kept.content), () => this.frozen.delete(frozen));
    this.frozen.add(frozen);
    return frozen;
  }

  stage(about: { readonly records: number; readonly bytes: number }): Awaitable<Staging> {
    if (Number.isNaN(about.records)) throw new Error("an estimate is a number");
    this.kept.staged = new Map();
    return new ToyStaging(this);
  }

  async sync(): Promise<void> {
    await sleep(1);
  }

  async close(): Promise<void> {
    await this.later();
  }
}

export class ToyStaging implements Staging {
  protected readonly state: ToyState;
  constructor(state: ToyState) {
    this.state = state;
  }
  async load(records: Records): Promise<void> {
    const changes = Array.from(records, (record) => this.state.parse(record));
    await Promise.resolve();
    for (const change of changes) change(this.state.kept.staged!);
  }
  async commit(end: Mark): Promise<void> {
    await Promise.resolve();
    const { kept } = this.state;
    kept.content = kept.staged!;
    kept.mark = end;
    kept.staged = null;
  }
  async abort(): Promise<void> {
    await Promise.resolve();
    this.state.kept.staged = null;
  }
}

export class ToyFrozen implements Frozen {
  readonly content: Content;
  readonly records: number;
  readonly #closed: () => void;

  constructor(content: Content, closed: () => void = () => undefined) {
    this.content = content;
    this.records = content.size;
    this.#closed = closed;
  }

  /** Tokens are the last key of a part. */
  *read(after: Uint8Array | null): Iterable<Part> {
    const from = after === null ? null : Buffer.from(after).toString("latin1");
    let isBefore = from !== null;
    let records: Buffer[] = [];
    let bytes = 0;
    let last = "";
    for (const [key, value] of this.content) {
      if (isBefore) {
        isBefore = key !== from;
        continue;
      }
      const record = writeRecord(key, value);
      if (bytes + record.length > PART_BYTES && bytes > 0) {
        yield { records, token: Buffer.from(last, "latin1") };
        [records, bytes] = [[], 0];
      }
      records.push(record);
      bytes += record.length;
      last = key;
    }
    if (records.length > 0) yield { records, token: Buffer.from(last, "latin1") };
  }

  pinned(): number {
    return 0;
  }

  close(): void {
    this.#closed();
  }
}

/** The same in memory alone: it answers at once, and is changed by its own method. */
export class BoundToy implements ReplicatedState {
  readonly format = { name: "toy", version: 1 };
  readonly durability = "none";
  content: Content = new Map();
  log: StateLog | null = null;
  protected readonly inner = new ToyState("nowhere");

  open(): { mark: null; empty: boolean } {
    return { mark: null, empty: this.content.size === 0 };
  }
  check(bytes: Buffer, from: number, to: number): void {
    this.inner.check(bytes, from, to);
  }
  apply(batch: Batch): Awaitable<void> {
    const changes = Array.from(batch, (record) => this.inner.parse(record));
    for (const change of changes) change(this.content);
  }
  freeze(): Frozen {
    return new ToyFrozen(new Map(this.content));
  }
  stage(): Staging {
    const staged: Content = new Map();
    return {
      load: (records) => {
        for (const record of records) this.inner.parse(record)(staged);
      },
      commit: () => {
        this.content = staged;
      },
      abort: () => undefined,
    };
  }
  bind(log: StateLog | null): void {
    this.log = log;
  }
  set(key: string, value: string): void {
    if (this.log === null) throw new Error("read only");
    this.log.append(writeRecord(key, value));
    this.content.set(key, value);
  }
}

const TOY_EXAMPLES = {
  write: (key: number, value: number) => writeRecord(nameOf(key), valueOf(value)),
  remove: (key: number) => Buffer.from(`\x02${nameOf(key)}`, "latin1"),
  clear: () => Buffer.from([3]),
  writeBytes: (key: Uint8Array, value: Uint8Array) =>
    writeRecord(Buffer.from(key).toString("latin1"), Buffer.from(value).toString("latin1")),
  refused: [Buffer.from([9]), Buffer.from([1, 200, 1]), Buffer.from([3, 3])],
};

export function toySubject(make: (place: string) => ToyState): Subject<ToyState> {
  return {
    make: (place): Made<ToyState> => ({ state: make(place) }),
    content: (state) => [...state.kept.content].map((entry) => entry.join("=")),
    examples: {
      ...TOY_EXAMPLES,
      transacted: (tx, key, value) => tx.set(nameOf(key), valueOf(value)),
    },
  };
}

export function boundSubject(make: () => BoundToy): Subject<BoundToy> {
  return {
    make: () => ({ state: make() }),
    content: (state) => [...state.content].map((entry) => entry.join("=")),
    examples: {
      ...TOY_EXAMPLES,
      own: (state, key, value) => state.set(nameOf(key), valueOf(value)),
    },
  };
}
