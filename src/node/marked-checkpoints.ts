/**
 * What a checkpoint is of a state that keeps its data and its mark by itself: nothing of the state is
 * written, but it is made to outlive a loss of power, and from then on no log before the checkpoint is needed.
 *
 *   freeze at a boundary --> sync() of the state --answered--> no chunks, totals of 0
 *
 * So a log file is kept as long as a state that lost power could need it, by the rule that keeps log for
 * checkpoints (log/disk/file-retention.ts), and a log that was replaced counts once the state is synced.
 * Owns: that source. Does not own: when there is one (checkpointer.ts), its file.
 * Tested in: test/unit/node/marked-checkpoints.test.ts.
 */
import { StoreError, wordsOf } from "../errors.ts";
import type {
  ChunkEvents,
  ChunkReader,
  ChunkTotals,
  Digest,
  FrozenState,
  StateFormat,
  StateSource,
} from "../store/state.ts";

/** A state that can be synced. */
export interface SyncedState extends StateFormat {
  sync(): Promise<void>;
}

export class MarkedSource implements Pick<StateSource, "freeze">, StateFormat {
  readonly format: StateFormat["format"];
  readonly #state: SyncedState;

  constructor(state: SyncedState) {
    this.#state = state;
    this.format = state.format;
  }

  freeze(): FrozenState {
    return new Synced(this.#state.sync());
  }
}

/** Nothing to read, once the state is synced. */
class Synced implements FrozenState {
  readonly records = 0;
  readonly bytes = 0;
  readonly #synced: Promise<void>;
  readonly #readers = new Set<SyncedReader>();

  constructor(synced: Promise<void>) {
    this.#synced = synced;
    // Who reads hears of it; nobody may.
    synced.catch(() => undefined);
  }

  read(_fromChunk: number, events: ChunkEvents): ChunkReader {
    const reader = new SyncedReader(this.#synced, events);
    this.#readers.add(reader);
    return reader;
  }

  digest(): Promise<Digest> {
    return Promise.reject(new StoreError("ERR_STORE_FAILED", "there is nothing to sum"));
  }

  close(): void {
    for (const reader of this.#readers) reader.fail("closed");
    this.#readers.clear();
  }
}

class SyncedReader implements ChunkReader {
  totals: ChunkTotals | null = null;
  readonly #events: ChunkEvents;
  #isOver = false;

  constructor(synced: Promise<void>, events: ChunkEvents) {
    this.#events = events;
    synced.then(
      () => {
        if (this.#isOver) return;
        this.totals = { chunks: 0, records: 0 };
        events.ready();
      },
      (error: unknown) => this.fail(wordsOf(error)),
    );
  }

  take(): null {
    return null;
  }

  release(): void {
    // Nothing was taken.
  }

  close(): void {
    this.#isOver = true;
  }

  fail(reason: string): void {
    if (this.#isOver || this.totals !== null) return;
    this.#isOver = true;
    setImmediate(() => this.#events.failed(reason));
  }
}
