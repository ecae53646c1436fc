/**
 * What was written to the log on disk is read back, in a node: the reader thread beside the store, and
 * what retention is told of those who need old log.
 *
 * Owns: that wiring. Does not own: the thread (log-reader-thread.ts), who is fed from the disk
 * (primary/feeder.ts), which files go (log/disk/catalog.ts).
 */
import { join } from "node:path";
import type { DiskStore, ReadBack } from "../../log/disk/disk-store.ts";
import { generationName } from "../../log/disk/generation-names.ts";
import type { Journal } from "../../primary/journal.ts";
import type { Threads } from "../../threads.ts";
import type { Id } from "../../wire/messages.ts";
import { LogReaderThread } from "./log-reader-thread.ts";

export interface KeepSettings {
  /** --log-keep; 0 is four times the backlog. */
  readonly logKeepBytes: number;
  readonly backlogBytes: number;
}

export class DiskReading {
  readonly #store: DiskStore;
  readonly #dir: string;
  readonly #reader: LogReaderThread;
  /** As the store was told last. */
  #keepBytes = -1;
  #reading = -1;

  constructor(store: DiskStore, dir: string, journal: Journal, threads: Threads) {
    this.#store = store;
    this.#dir = dir;
    this.#reader = new LogReaderThread({
      threads,
      written: () => store.readable,
      moved: () => {
        store.looked();
      },
      damaged: (offset, what) => {
        journal("error", "log_damaged", { offset, what });
      },
      failed: (why) => {
        journal("error", "log_reader_failed", { why });
      },
    });
  }

  /** For DiskStore.begin(). `oldest` is the first log file that there is. */
  back(directoryId: Id, oldest: ReadBack["oldest"]): ReadBack {
    const pathOf = (generation: number): string => join(this.#dir, generationName(generation));
    return { reads: this.#reader.reads, directoryId, pathOf, oldest };
  }

  /** About ten times a second: what must stay on the disk for replicas. `reading`: Feeder.readingFrom. */
  review({ logKeepBytes, backlogBytes }: KeepSettings, reading: number): void {
    const keepBytes = logKeepBytes || 4 * backlogBytes;
    if (keepBytes === this.#keepBytes && reading === this.#reading) return;
    this.#keepBytes = keepBytes;
    this.#reading = reading;
    this.#store.keepFor({ keepBytes, reading });
  }

  setRef(isRef: boolean): void {
    this.#reader.setRef(isRef);
  }

  stop(): Promise<void> {
    return this.#reader.stop();
  }
}
