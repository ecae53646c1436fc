/**
 * Reads the log files of a folder from a checkpoint on, hands every verified batch to a sink, judges
 * what stopped it, and repairs: after it, a new file can begin at `verdict.end`.
 *
 *   reading   file after file, as long as each goes on where the one before ended: batches go to the
 *             sink. They are part of the log whatever the verdict is: it never cuts before E
 *   proving   the files behind the first gap, for their marks alone: nothing is judged before all were
 *             looked through
 *   done
 *
 * In steps of a block, for progress and for a loop that goes on meanwhile.
 * Owns: order of reading. Does not own: proof (proof.ts), repairs (log-repair.ts), checkpoints.
 */
import assert from "node:assert/strict";
import { DiskError, WireError } from "../../errors.ts";
import type { Id } from "../../wire/messages.ts";
import type { DiskFile } from "./files.ts";
import { LOG_HEAD_BYTES_MAX, decodeLogHead, type LogHead } from "./frames.ts";
import { LogFileScan, type BatchSink } from "./log-file-scan.ts";
import { logFileName, logFileNumber } from "./log-file-writer.ts";
import { repairLog, type Repair, type RepairOptions } from "./log-repair.ts";
import { judge, type FileReport, type LogStart, type Verdict } from "./proof.ts";

export interface RecoveryOptions extends RepairOptions {
  readonly storeId: Id;
  readonly generation: number;
  /** Number of the file that begins at `start`. */
  readonly first: number;
  readonly start: LogStart;
  readonly sink: BatchSink;
}

interface Found {
  readonly number: number;
  readonly file: DiskFile;
  readonly head: LogHead | null;
  readonly headBytes: number;
}

const NO_SINK: BatchSink = { batchHead: () => {}, batchBytes: () => {}, batchEnd: () => {} };

export class LogRecovery {
  readonly #options: RecoveryOptions;
  readonly #found: readonly Found[];
  readonly #reports: FileReport[] = [];
  #scan: LogFileScan | null = null;
  /** Batches go to the sink: no gap was met yet. */
  #isLinked = true;
  #next: LogStart;
  #syncedAt = 0;
  #readBytes = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#next = options.start;
    this.#found = findFiles(options);
  }

  /** Bytes of all files that are to be read. */
  get totalBytes(): number {
    return this.#found.reduce((sum, { file }) => sum + file.sizeBytes, 0);
  }

  /** Of these, so many were read. */
  get readBytes(): number {
    return this.#readBytes + (this.#scan?.readBytes ?? 0);
  }

  /** The newest head: what history, rank and lineage the log ends in. Null before any file. */
  get head(): LogHead | null {
    return this.#head;
  }

  #head: LogHead | null = null;

  /** Reads a block. @returns false once all is read: finish() is due */
  step(): boolean {
    if (this.#scan === null) {
      const found = this.#found[this.#reports.length];
      if (found === undefined) return false;
      this.#open(found);
      return true;
    }
    if (!this.#scan.step()) this.#report(this.#scan);
    return true;
  }

  /** Judges and repairs. @throws {DiskError} with the log as it was, or fit to be recovered again */
  finish(): { readonly verdict: Verdict; readonly repair: Repair; readonly nextNumber: number } {
    assert(this.#reports.length === this.#found.length, "finish() before all was read");
    for (const { file } of this.#found) file.close();
    const { first, start } = this.#options;
    const verdict = judge(this.#reports, first, start);
    const repair = repairLog(this.#reports, verdict, this.#syncedAt, this.#options);
    return { verdict, repair, nextNumber: first + verdict.last + 1 };
  }

  #open({ number, file, head, headBytes }: Found): void {
    if (head === null) {
      this.#isLinked = false;
      this.#reports.push(unreadable(number, file.sizeBytes));
      return;
    }
    const { offset, chain } = head.start;
    const isNext = number === this.#options.first + this.#reports.length;
    this.#isLinked &&= isNext && offset === this.#next.offset && chain === this.#next.chain;
    if (this.#isLinked) this.#head = head;
    const sink = this.#isLinked ? this.#options.sink : NO_SINK;
    this.#scan = new LogFileScan(file, head, headBytes, sink);
  }

  #report(scan: LogFileScan): void {
    const { number, file, head } = this.#found[this.#reports.length]!;
    this.#reports.push({
      number,
      head,
      end: scan.offset,
      chain: scan.chain,
      endAt: scan.fileAt,
      sizeBytes: file.sizeBytes,
      damage: scan.damage,
      marked: scan.mark?.durable ?? -1,
      clean: scan.mark?.clean ?? false,
    });
    if (this.#isLinked) {
      this.#next = { offset: scan.offset, chain: scan.chain };
      this.#syncedAt = scan.syncedAt;
    }
    this.#readBytes += scan.readBytes;
    this.#scan = null;
  }
}

function unreadable(number: number, sizeBytes: number): FileReport {
  return {
    number,
    head: null,
    end: 0,
    chain: 0,
    endAt: 0,
    sizeBytes,
    damage: null,
    marked: -1,
    clean: false,
  };
}

/** The log files from `first` on, by number. Files without a name of ours are left alone. */
function findFiles({ folder, first, storeId, generation }: RecoveryOptions): Found[] {
  const numbers = folder
    .list()
    .map(logFileNumber)
    .filter((number) => number >= first)
    .sort((a, b) => a - b);
  return numbers.map((number) => {
    const file = folder.open(logFileName(number));
    const start = readHead(file);
    const isOurs =
      start !== null &&
      start.head.number === number &&
      start.head.storeId === storeId &&
      start.head.generation === generation;
    return { number, file, head: isOurs ? start.head : null, headBytes: start?.bytes ?? 0 };
  });
}

function readHead(file: DiskFile): { readonly head: LogHead; readonly bytes: number } | null {
  const bytes = Buffer.alloc(LOG_HEAD_BYTES_MAX);
  const count = file.read(bytes, 0, bytes.length, 0);
  try {
    return decodeLogHead(bytes.subarray(0, count));
  } catch (error) {
    if (error instanceof WireError || error instanceof DiskError) return null;
    throw error;
  }
}
