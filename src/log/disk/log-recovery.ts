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
 * Owns: order of reading. Does not own: proof (verdict.ts), repairs (log-repair.ts), checkpoints.
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import type { DiskFile } from "./files.ts";
import type { LogHead } from "./frames.ts";
import { type BatchSink, LogFileScan, NO_SINK } from "./log-file-scan.ts";
import { logFileName, logFileNumbers } from "./log-file-names.ts";
import { readLogHead, type LogPlace, type ReadHead } from "./log-head.ts";
import { repairLog, type Repair, type RepairOptions } from "./log-repair.ts";
import { judge, type Claims, type FileReport, type LogStart, type Verdict } from "./verdict.ts";

export interface RecoveryOptions extends RepairOptions, LogPlace {
  readonly start: LogStart;
  readonly claims: Claims;
  readonly sink: BatchSink;
}

/** A log that was recovered, ready for a new file. */
export interface Recovered {
  readonly verdict: Verdict;
  readonly repair: Repair;
  /** Of the file to begin at `verdict.end`. It takes the place of one that has no batch. */
  readonly nextNumber: number;
}

/** Where in the log files a batch begins. */
export interface BatchPlace {
  /** Of the files that are read, from 0. */
  readonly file: number;
  /** Byte in that file. */
  readonly fileAt: number;
  readonly offset: number;
  readonly chain: number;
}

interface Opened {
  readonly file: DiskFile;
  readonly head: LogHead | null;
  readonly headBytes: number;
}

export class LogRecovery {
  /** The newest head: what history, rank and lineage the log ends in. Null before any file. */
  head: LogHead | null = null;
  readonly #options: RecoveryOptions;
  /** Numbers of the files, in order. */
  readonly #numbers: readonly number[];
  readonly #reports: FileReport[] = [];
  #opened: Opened | null = null;
  #scan: LogFileScan | null = null;
  /** Batches go to the sink: no gap was met yet. */
  #isLinked = true;
  #next: LogStart;
  #syncedAt = 0;
  #readBytes = 0;

  constructor(options: RecoveryOptions) {
    const { folder, claims, start } = options;
    this.#options = options;
    this.#next = start;
    this.#numbers = logFileNumbers(folder, claims.first);
  }

  /** What was found in the files that were read, in their order. */
  get reports(): readonly FileReport[] {
    return this.#reports;
  }

  /** Where the batch begins that the sink is told of now. */
  get place(): Pick<BatchPlace, "file" | "fileAt"> {
    return { file: this.#reports.length, fileAt: this.#scan?.fileAt ?? 0 };
  }

  /** Files that are to be read, and how many of them were. */
  get files(): { readonly total: number; readonly done: number } {
    return { total: this.#numbers.length, done: this.#reports.length };
  }

  get readBytes(): number {
    return this.#readBytes + (this.#scan?.readBytes ?? 0);
  }

  /** Reads a block. What the sink throws passes through. @returns false once all is read */
  step(): boolean {
    if (this.#scan === null) {
      if (this.#reports.length === this.#numbers.length) return false;
      this.#open(this.#numbers[this.#reports.length]!);
    } else if (!this.#scan.step()) this.#close(this.#scan);
    return true;
  }

  /**
   * Judges and repairs. `refused`, in the last file: what begins there is no part of the log, which ends
   * there, whatever proves that it was synced.
   * @throws {DiskError} then it can be recovered again, with the same verdict
   */
  finish(refused: BatchPlace | null = null): Recovered {
    assert(this.#reports.length === this.#numbers.length, "finish() before all was read");
    if (refused !== null) this.#endAt(refused);
    const { start, claims } = this.#options;
    const verdict = judge(this.#reports, start, claims);
    const repair = repairLog(this.#reports, verdict, this.#syncedAt, this.#options);
    const last = this.#reports[verdict.last];
    const isEmpty = last?.head?.start.offset === verdict.end;
    return { verdict, repair, nextNumber: claims.first + verdict.last + (isEmpty ? 0 : 1) };
  }

  #endAt({ file, fileAt, offset, chain }: BatchPlace): void {
    const report = this.#reports[file];
    assert(report !== undefined && file === this.#reports.length - 1, "a cut before the last file");
    const marked = Math.min(report.marked, offset);
    const end = { end: offset, chain, endAt: fileAt, marked, clean: false };
    this.#reports[file] = { ...report, ...end, damage: { kind: "refused", fileAt, offset } };
    this.#syncedAt = Math.min(this.#syncedAt, fileAt);
  }

  /** For one that is not finished. */
  abandon(): void {
    this.#opened?.file.close();
  }

  #open(number: number): void {
    const opened = openLog(number, this.#options);
    const { file, head, headBytes } = opened;
    if (head === null) {
      this.#isLinked = false;
      this.#reports.push(unreadable(number, file.sizeBytes));
      file.close();
      return;
    }
    const { offset, chain } = head.start;
    const isNext = number === this.#options.claims.first + this.#reports.length;
    this.#isLinked &&= isNext && offset === this.#next.offset && chain === this.#next.chain;
    if (this.#isLinked) this.head = head;
    const sink = this.#isLinked ? this.#options.sink : NO_SINK;
    this.#opened = opened;
    this.#scan = new LogFileScan(file, head, headBytes, sink);
  }

  #close(scan: LogFileScan): void {
    const { file, head } = this.#opened!;
    this.#reports.push({
      number: this.#numbers[this.#reports.length]!,
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
    this.#opened = null;
    file.close();
  }
}

function unreadable(number: number, sizeBytes: number): FileReport {
  const end = { end: 0, chain: 0, endAt: 0 };
  return { number, head: null, ...end, sizeBytes, damage: null, marked: -1, clean: false };
}

/** A log file; its head is null when it is damaged, cannot be read, or is not where it belongs. */
function openLog(number: number, options: RecoveryOptions): Opened {
  const file = options.folder.open(logFileName(number));
  const start = headOf(file, number, options);
  return { file, head: start?.head ?? null, headBytes: start?.bytes ?? 0 };
}

function headOf(file: DiskFile, number: number, place: LogPlace): ReadHead | null {
  try {
    return readLogHead(file, number, place);
  } catch (error) {
    if (isReadError(error)) return null;
    throw error;
  }
}

function isReadError(error: unknown): boolean {
  return error instanceof DiskError && error.code === "ERR_DISK_READ";
}
