/**
 * Reads the log from files for those who are behind memory: the part that waits for the disk, and so
 * has a thread of its own.
 *
 *   hears     begin      the files of a generation, those before are closed
 *             files      older ones were dropped, or one has begun
 *             memory     a block to read into; forget: none any more
 *             read       fills a block from an offset on
 *             chain      looks for the chain at an offset
 *   tells     block, gone, damaged, chain: once for each question
 *             first: the log begins elsewhere
 *
 * A file that is damaged is of no use any more, nor are those before it: the log begins with the file
 * behind it.
 *
 * Pure but for folders: the thread and the simulator give it messages.
 * Owns: answers, where the log begins. Does not own: files by offset (log-files.ts), which questions
 * are open, memory of blocks (log-reads.ts).
 * Tested in: test/unit/log/disk/log-reads.test.ts, test/unit/log/disk/read-back.test.ts.
 */
import { DiskError } from "../../errors.ts";
import type { Id } from "../../wire/messages.ts";
import type { DiskFolder } from "./files.ts";
import { LogFiles } from "./log-files.ts";

/** Where the files of a log are. */
export interface StoredPlace {
  /** The folder of the generation. */
  readonly path: string;
  readonly directoryId: Id;
  readonly generation: number;
  /** Number of the first file that counts. */
  readonly first: number;
}

export type ToStoredLog =
  /** `life` counts how often it began: what is told is of one of them. Null: there are no files. */
  | { readonly kind: "begin"; readonly life: number; readonly place: StoredPlace | null }
  | { readonly kind: "files"; readonly first: number }
  | { readonly kind: "memory"; readonly block: number; readonly memory: SharedArrayBuffer }
  | { readonly kind: "forget" }
  | {
      readonly kind: "read";
      readonly id: number;
      readonly block: number;
      readonly offset: number;
      readonly end: number;
    }
  | { readonly kind: "chain"; readonly id: number; readonly offset: number };

export type FromStoredLog =
  | { readonly kind: "block"; readonly id: number; readonly bytes: number }
  | { readonly kind: "gone"; readonly id: number }
  | {
      readonly kind: "damaged";
      readonly id: number;
      readonly offset: number;
      readonly what: string;
    }
  | { readonly kind: "chain"; readonly id: number; readonly chain: number }
  | { readonly kind: "first"; readonly life: number; readonly offset: number };

export interface StoredLogDeps {
  readonly folder: (path: string) => DiskFolder;
  readonly tell: (message: FromStoredLog) => void;
}

type Question = Extract<ToStoredLog, { readonly id: number }>;

export class StoredLog {
  readonly #deps: StoredLogDeps;
  #files: LogFiles | null = null;
  #life = 0;
  /** As it was told last. */
  #first = Number.NaN;
  readonly #blocks = new Map<number, Buffer>();

  constructor(deps: StoredLogDeps) {
    this.#deps = deps;
  }

  hear(message: ToStoredLog): void {
    switch (message.kind) {
      case "begin":
        this.#begin(message.life, message.place);
        break;
      case "files":
        this.#files?.dropBefore(message.first);
        break;
      case "memory":
        this.#blocks.set(message.block, Buffer.from(message.memory));
        return;
      case "forget":
        this.#blocks.clear();
        return;
      default: {
        const answer = this.#answer(message);
        // Why before it: whoever hears that it is gone looks where the log begins.
        this.#tellFirst();
        this.#deps.tell(answer);
        return;
      }
    }
    this.#tellFirst();
  }

  close(): void {
    this.#files?.close();
    this.#files = null;
  }

  #begin(life: number, place: StoredPlace | null): void {
    this.close();
    this.#life = life;
    this.#first = Number.NaN;
    if (place !== null)
      this.#files = new LogFiles({ folder: this.#deps.folder(place.path), ...place });
  }

  #answer(question: Question): FromStoredLog {
    const { id, offset } = question;
    const files = this.#files;
    if (files === null) return { kind: "gone", id };
    try {
      if (question.kind === "chain") return { kind: "chain", id, chain: files.chainAt(offset) };
      const into = this.#blocks.get(question.block)!;
      const bytes = files.read(into, offset, question.end);
      return bytes > 0 ? { kind: "block", id, bytes } : { kind: "gone", id };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      files.dropDamaged(offset);
      return { kind: "damaged", id, offset, what: error.message };
    }
  }

  #tellFirst(): void {
    const offset = this.#firstNow();
    if (offset === this.#first) return;
    this.#first = offset;
    this.#deps.tell({ kind: "first", life: this.#life, offset });
  }

  #firstNow(): number {
    try {
      return this.#files?.start ?? Number.POSITIVE_INFINITY;
    } catch (error) {
      // A folder that cannot be read has no log for anybody.
      if (error instanceof DiskError) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }
}
