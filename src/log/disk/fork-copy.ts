/**
 * A copy of what a node discards: the log behind the fork, of the generation that is about to go.
 *
 *   log files   [ ... | batch | batch ] [ batch | batch ]      of the generation that goes
 *                       ^ fork
 *   the copy            [ batch | batch | batch | batch        as on the wire, without heads and marks, from the first
 *                                                              batch that begins at the fork or later, up to the cap
 *
 * It is kept beside what repairs cut off, under the same cap: the oldest copies go first. Nothing reads it but people,
 * who may look for a write that was lost. What of the log memory alone had, and files that retention took, is not in it.
 *
 * Pure but for folders. Owns: what is copied, the name. Does not own: when (catalog.ts), what was discarded for whom
 * (replica/restoring.ts).
 */
import { DiskError } from "../../errors.ts";
import { BATCH_HEAD_BYTES, batchOffset } from "../../wire/frame.ts";
import { type DiskFile, type DiskFolder, leaveFailed } from "./files.ts";
import { generationName } from "./generation-names.ts";
import { logFileName, logFileNumbers } from "./log-file-names.ts";
import { type BatchSink, LogFileScan } from "./log-file-scan.ts";
import { type LogPlace, readLogHead } from "./log-head.ts";
import { capBytes, QUARANTINE_BYTES_MAX } from "./quarantine.ts";

/** Bytes that are gathered before they are written. */
const WRITE_BYTES = 1024 * 1024;

/** What was copied. */
export interface ForkCopy {
  readonly name: string;
  readonly bytes: number;
  /** There was more than fits. */
  readonly isCapped: boolean;
}

/** Ends the name of a copy of this kind. */
export const FORK = ".fork";

/**
 * Copies the log of `place` from `fork` on; null when there is nothing, or no room for it.
 * @param folder its generation's
 */
export function copyFork(
  folder: DiskFolder,
  quarantine: DiskFolder,
  place: LogPlace,
  fork: number,
  bytesMax: number = QUARANTINE_BYTES_MAX / 2,
): ForkCopy | null {
  const name = `${generationName(place.generation)}-at-${fork}${FORK}`;
  try {
    leaveFailed(() => {
      capBytes(quarantine, quarantine.list(), QUARANTINE_BYTES_MAX - bytesMax);
    });
    const copied = copyTo(quarantine, name, new Sources(folder, place, fork), bytesMax);
    if (copied === null) quarantine.remove(name);
    quarantine.sync();
    return copied;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    // Half of one on a full disk would take the room that the new state needs.
    leaveFailed(() => quarantine.remove(name));
    return null;
  }
}

function copyTo(
  quarantine: DiskFolder,
  name: string,
  sources: Sources,
  bytesMax: number,
): ForkCopy | null {
  const target = quarantine.create(name);
  try {
    const copier = new Copier(target, sources.fork, bytesMax);
    sources.readTo(copier);
    copier.flush();
    if (copier.bytes === 0) return null;
    target.sync();
    return { name, bytes: copier.bytes, isCapped: copier.isFull };
  } finally {
    target.close();
  }
}

/** The log files of a generation that have something behind the fork. */
class Sources {
  readonly fork: number;
  readonly #folder: DiskFolder;
  readonly #place: LogPlace;

  constructor(folder: DiskFolder, place: LogPlace, fork: number) {
    this.#folder = folder;
    this.#place = place;
    this.fork = fork;
  }

  /** Each file up to its end, or to its first damage. */
  readTo(copier: Copier): void {
    const numbers = logFileNumbers(this.#folder, 0);
    for (const [n, number] of numbers.entries()) {
      const next = numbers[n + 1];
      if (copier.isFull) return;
      if (next !== undefined && this.#startOf(next) <= this.fork) continue;
      this.#read(number, copier);
    }
  }

  #startOf(number: number): number {
    const file = this.#folder.open(logFileName(number));
    try {
      return readLogHead(file, number, this.#place)?.head.start.offset ?? Number.POSITIVE_INFINITY;
    } finally {
      file.close();
    }
  }

  #read(number: number, copier: Copier): void {
    const file = this.#folder.open(logFileName(number));
    try {
      const read = readLogHead(file, number, this.#place);
      if (read === null) return;
      const scan = new LogFileScan(file, read.head, read.bytes, copier);
      while (scan.damage === null && !copier.isFull && scan.step());
    } finally {
      file.close();
    }
  }
}

/** Takes whole batches behind the fork, as many as fit. */
class Copier implements BatchSink {
  bytes = 0;
  isFull = false;
  readonly #target: DiskFile;
  readonly #fork: number;
  readonly #bytesMax: number;
  /** Whole batches that are not written, and the one under way. */
  #parts: Buffer[] = [];
  #gathered = 0;
  #batch: Buffer[] = [];
  #isTaken = false;

  constructor(target: DiskFile, fork: number, bytesMax: number) {
    this.#target = target;
    this.#fork = fork;
    this.#bytesMax = bytesMax;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.#isTaken = !this.isFull && batchOffset(head, at) >= this.#fork;
    if (this.#isTaken && this.bytes + this.#gathered + length > this.#bytesMax) {
      this.isFull = true;
      this.#isTaken = false;
    }
    this.#batch = [];
    this.#add(head, at, at + BATCH_HEAD_BYTES);
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.#add(bytes, from, to);
  }

  batchEnd(): void {
    for (const part of this.#batch) {
      this.#parts.push(part);
      this.#gathered += part.length;
    }
    this.#batch = [];
    if (this.#gathered >= WRITE_BYTES) this.flush();
  }

  flush(): void {
    if (this.#gathered === 0) return;
    this.#target.write(this.#parts, this.bytes);
    this.bytes += this.#gathered;
    this.#parts = [];
    this.#gathered = 0;
  }

  #add(bytes: Buffer, from: number, to: number): void {
    if (this.#isTaken) this.#batch.push(Buffer.from(bytes.subarray(from, to)));
  }
}
