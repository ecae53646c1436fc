/**
 * The public seam: what any replicated state is, and what a node offers whoever embeds one.
 *
 *   ReplicatedState   written by the embedder, or one of the adapters (src/adapters)
 *   ReplicatedNode    what replicate() gives back (src/embed/replicate.ts)
 *
 * A record is one opaque change. The state applies records, and gives them back as a snapshot; the node
 * orders, logs, sends and recovers them. Calls of a state never overlap, but for reads of a Frozen and
 * sync(). Bytes that are lent are overwritten once the call has answered.
 *
 * Interfaces alone. Owns: their shapes and contract. Does not own: the seam inside hawser (store/state.ts),
 * the bridge between the two (this folder).
 * Tested in: test/unit/embed/waits.test.ts.
 */

/** A call may answer at once, without a promise: the fast path of states in memory. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Where a state is: position, lineage, term, boot id and a checksum, as bytes that only hawser reads. A
 * state with a durability keeps the newest one with its data, in one transaction. At most 2 KiB.
 */
export type Mark = Uint8Array;

/** Records in order, lent until the call that got them has answered. */
export interface Records extends Iterable<Buffer> {
  readonly count: number;
  /** Of all records together. */
  readonly bytes: number;
  /** The same without an object for each: record i is `bytes[from, to)` of its call. */
  each(visit: (bytes: Buffer, from: number, to: number) => void): void;
}

/** One or more batches of the log, to be applied whole or not at all. */
export interface Batch extends Records {
  /** Where the state is once the batch is applied: to be stored with it. The state's own, not lent. */
  readonly end: Mark;
  /** Wall clock of the primary when the last batch was made, ms since 1970. Never decreases. */
  readonly clockMs: number;
}

/** What outlives the answer of apply() by itself: nothing, an end of the process, or of the machine too. */
export type StateDurability = "none" | "process" | "power";

/** What a state says of its records. */
export interface RecordFormat {
  readonly name: string;
  /** What this state writes. */
  readonly version: number;
  /** Further versions that it can apply. */
  readonly reads?: readonly number[];
}

/**
 * A key-value state that can be replicated.
 *
 * @typeParam Tx what transact() hands to its body; never when the state has no transactions of its own
 */
export interface ReplicatedState<Tx = never> {
  readonly format: RecordFormat;
  readonly durability: StateDurability;
  /** Called first, once: removes stagings that an earlier process left half done. */
  open(): Awaitable<{ readonly mark: Mark | null; readonly empty: boolean }>;
  /** Throws when the record `bytes[from, to)` could never be applied. Called before it is logged. */
  check?(bytes: Buffer, from: number, to: number): void;
  /** Applies records and keeps `batch.end`, or changes nothing. */
  apply(batch: Batch): Awaitable<void>;
  /** The mark that is stored now. Required unless durability is "none". */
  mark?(): Awaitable<Mark | null>;
  /** Runs `run` in a transaction of the state; its changes and the mark it returns are stored together. */
  transact?(run: (tx: Tx) => Awaitable<Mark>): Awaitable<void>;
  /** Fixes the state of this moment. Nothing is applied before it has answered. */
  freeze(): Awaitable<Frozen>;
  /** Begins a second, empty state beside this one, which goes on to answer. The numbers are estimates. */
  stage(about: { readonly records: number; readonly bytes: number }): Awaitable<Staging>;
  /** Everything applied before the call outlives a loss of power. Never writes the mark. */
  sync?(): Awaitable<void>;
  /**
   * For states that are changed through methods of their own. While `log` is not null, each change is
   * appended to it in the same turn. null: refuse changes. Who has it promises a synchronous apply().
   */
  bind?(log: StateLog | null): void;
  /** The node is done with it. Never closes what the embedder gave. */
  close?(): Awaitable<void>;
}

/** The state of one moment. */
export interface Frozen {
  /** Estimates. */
  readonly records?: number;
  readonly bytes?: number;
  /**
   * All records, as parts of about 64 KiB, or what comes after a part whose `token` this is. Each read
   * brings the same records in the same order. Records depend on the content alone.
   */
  read(after: Uint8Array | null): Iterable<Part> | AsyncIterable<Part>;
  /** Bytes that only it keeps. */
  pinned?(): number;
  close(): Awaitable<void>;
}

/** Lent until the next part is asked for. */
export interface Part {
  readonly records: Iterable<Uint8Array>;
  /** Where a later read may go on after this part. At most 64 KiB. */
  readonly token?: Uint8Array;
}

/** A snapshot that is being loaded beside the state that answers. */
export interface Staging {
  load(records: Records): Awaitable<void>;
  /** Replaces the state by this one, at `end`, whole or not at all. Open Frozens survive it. */
  commit(end: Mark): Awaitable<void>;
  abort(): Awaitable<void>;
}

/** The log, for a state that is bound: what is appended is the same turn's as the change. */
export interface StateLog {
  /** Of what reserve() returned, until the next reserve(). */
  readonly memory: Buffer;
  /** @returns where in `memory` one record of so many bytes is to be put. Throws with nothing done. */
  reserve(bytes: number): number;
  /** Forgets the newest reserve(). */
  undo(): void;
  /** Appends a copy of `record`. Throws with nothing done. */
  append(record: Uint8Array): void;
}

/** A place in a log. */
export interface LogPosition {
  readonly history: string;
  readonly offset: number;
}

/** Every wait takes these; it rejects with the signal's reason, or ERR_TIMEOUT. */
export interface Wait {
  readonly signal?: AbortSignal;
  /** ms; a wait without it has no end of its own. */
  readonly timeoutMs?: number;
}

/** Appends a record, which is copied at once, to the write that is under way. */
export type Log = (record: Uint8Array) => void;
