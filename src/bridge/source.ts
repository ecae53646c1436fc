/**
 * A public state as one that is fed from (store/state.ts): freeze() of the state behind a frozen state that
 * is there at once.
 *
 *   freeze() --> the state's freeze(), in its line: nothing is applied before it has answered
 *     read(n)    waits for it, then chunks (part-reader.ts)
 *     digest()   waits for it, then reads all records, a slice in a turn of the loop
 *     close()    the state's Frozen is closed when nobody reads it any more
 *
 * How large a state is, is what it says, or what a whole reading or loading counted last; else 0: unknown.
 * Owns: open snapshots and what they pin. Does not own: one reading, the line (line.ts).
 */
import { StoreError, wordsOf } from "../errors.ts";
import type {
  ChunkEvents,
  ChunkReader,
  Digest,
  DigestOptions,
  FrozenState,
  StateMemory,
} from "../store/state.ts";
import { ChunkPlaces } from "./chunk-places.ts";
import { isLater, type StateLine } from "./line.ts";
import { PartReader, RECORD_COST_BYTES, type RingSizes } from "./part-reader.ts";
import { RecordsDigest } from "./records-digest.ts";
import type { Frozen, ReplicatedState } from "./seam.ts";

/** Summed in one turn of the loop, bytes: about a millisecond. */
const DIGEST_SLICE_BYTES = 256 * 1024;

export interface SourceDeps {
  readonly sizes: RingSizes;
  /** Runs something in a later turn of the loop. */
  readonly nextTurn: (run: () => void) => void;
}

/** Estimates. */
export interface StateSize {
  readonly records: number;
  readonly bytes: number;
}

export class BridgeSource {
  /** As far as is known. */
  size: StateSize = { records: 0, bytes: 0 };
  readonly deps: SourceDeps;
  readonly #state: ReplicatedState;
  readonly #line: StateLine;
  readonly #open = new Set<BridgeFrozen>();

  constructor(state: ReplicatedState, line: StateLine, deps: SourceDeps) {
    this.#state = state;
    this.#line = line;
    this.deps = deps;
  }

  freeze(): FrozenState {
    const frozen = new BridgeFrozen(this);
    this.#open.add(frozen);
    frozen.wait(() => this.#line.call(() => this.#state.freeze()));
    return frozen;
  }

  memory(): StateMemory {
    let pinnedBytes = 0;
    for (const frozen of this.#open) pinnedBytes += frozen.pinnedBytes;
    return { dataBytes: this.size.bytes, pinnedBytes };
  }

  reclaimableBytes(frozen: readonly FrozenState[]): number {
    let bytes = 0;
    for (const each of frozen)
      if (each instanceof BridgeFrozen && this.#open.has(each)) bytes += each.pinnedBytes;
    return bytes;
  }

  /** All snapshots are closed: who reads one hears that it failed. */
  close(): void {
    for (const frozen of [...this.#open]) frozen.close();
  }

  closed(frozen: BridgeFrozen): void {
    this.#open.delete(frozen);
  }
}

export class BridgeFrozen implements FrozenState {
  readonly #source: BridgeSource;
  readonly #places = new ChunkPlaces();
  readonly #readers = new Set<PartReader>();
  /** Set when the state has answered, with what. */
  #frozen: Frozen | null = null;
  #failure: string | null = null;
  #waiting: (() => void)[] | null = [];
  /** Who reads, and who has it open. */
  #users = 1;
  #isClosed = false;

  constructor(source: BridgeSource) {
    this.#source = source;
  }

  /** Called once, by whoever made it. */
  wait(ask: () => Frozen | Promise<Frozen>): void {
    try {
      const answer = ask();
      if (isLater(answer)) answer.then(this.#answered, this.#failed);
      else this.#answered(answer);
    } catch (error) {
      this.#failed(error);
    }
  }

  readonly #answered = (frozen: Frozen): void => {
    this.#frozen = frozen;
    const { records, bytes } = frozen;
    if (records !== undefined || bytes !== undefined)
      this.#source.size = { records: records ?? 0, bytes: bytes ?? 0 };
    this.#tell();
    if (this.#users === 0) this.#closeFrozen();
  };

  readonly #failed = (error: unknown): void => {
    this.#failure = `it could not be frozen: ${wordsOf(error)}`;
    this.#tell();
  };

  #tell(): void {
    const waiting = this.#waiting!;
    this.#waiting = null;
    for (const run of waiting) run();
  }

  /** `run` once the state has answered, which may be at once. */
  #onAnswered(run: () => void): void {
    if (this.#waiting === null) run();
    else this.#waiting.push(run);
  }

  get records(): number {
    return this.#frozen?.records ?? this.#source.size.records;
  }

  get bytes(): number {
    return this.#frozen?.bytes ?? this.#source.size.bytes;
  }

  get pinnedBytes(): number {
    try {
      return this.#frozen?.pinned?.() ?? 0;
    } catch {
      return 0;
    }
  }

  read(fromChunk: number, events: ChunkEvents): ChunkReader {
    this.#needOpen();
    const { sizes, nextTurn } = this.#source.deps;
    const reader = new PartReader(
      {
        sizes,
        places: this.#places,
        nextTurn,
        over: (it) => {
          if (this.#readers.delete(it)) this.#release();
        },
        read: ({ records, bytes }) => {
          this.#source.size = { records, bytes };
        },
      },
      fromChunk,
      events,
    );
    this.#readers.add(reader);
    this.#users += 1;
    this.#onAnswered(() => {
      if (this.#failure !== null) reader.fail(this.#failure);
      else reader.begin(this.#frozen!);
    });
    return reader;
  }

  async digest(options: DigestOptions): Promise<Digest> {
    this.#needOpen();
    this.#users += 1;
    try {
      await new Promise<void>((resolve) => {
        this.#onAnswered(resolve);
      });
      if (this.#failure !== null) throw new StoreError("ERR_STORE_FAILED", this.#failure);
      return await this.#sum(this.#frozen!, new RecordsDigest(options));
    } finally {
      this.#release();
    }
  }

  async #sum(frozen: Frozen, digest: RecordsDigest): Promise<Digest> {
    let budget = DIGEST_SLICE_BYTES;
    for await (const { records } of frozen.read(null))
      for (const record of records) {
        digest.add(record);
        budget -= record.length + RECORD_COST_BYTES;
        if (budget > 0) continue;
        await new Promise<void>((resolve) => {
          this.#source.deps.nextTurn(resolve);
        });
        budget = DIGEST_SLICE_BYTES;
      }
    return digest.result;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#source.closed(this);
    for (const reader of [...this.#readers]) reader.fail("closed");
    this.#release();
  }

  #needOpen(): void {
    if (this.#isClosed) throw new StoreError("ERR_STORE_SNAPSHOT_CLOSED", "the snapshot is closed");
  }

  #release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#closeFrozen();
  }

  #closeFrozen(): void {
    const frozen = this.#frozen;
    if (frozen === null) return;
    this.#frozen = null;
    try {
      // What a state cannot close is its own.
      Promise.resolve(frozen.close()).catch(() => undefined);
    } catch {
      // As above.
    }
  }
}
