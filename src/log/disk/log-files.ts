/**
 * The log as one piece over its files, for links that are behind memory: bytes from any offset on, and
 * the chain at a boundary.
 *
 *   files     3 [ ..... ]  4 [ ..... ]  5 [ ....       a new one shows when it is looked for
 *   readers   each link reads on where it was: a reader stays open where the last block ended
 *
 * A file that does not begin where the one before ended is damage, as is a batch whose chain is wrong:
 * then the log begins behind it.
 *
 * Owns: files by offset, open readers. Does not own: reading one file (log-reader.ts), which files there
 * are (file-retention.ts), the thread.
 */
import { DiskError } from "../../errors.ts";
import type { DiskFile, DiskFolder } from "./files.ts";
import { logFileName, logFileNumbers } from "./log-file-names.ts";
import { readLogHead, type LogPlace } from "./log-head.ts";
import { LogReader } from "./log-reader.ts";

/** Readers that stay open; more links than that seek again. */
const READERS_MAX = 16;

interface KnownFile {
  readonly number: number;
  readonly start: number;
}

interface OpenReader {
  readonly number: number;
  readonly file: DiskFile;
  readonly reader: LogReader;
}

export interface LogFilesOptions extends LogPlace {
  readonly folder: DiskFolder;
  /** Number of the first file that counts. */
  readonly first: number;
}

export class LogFiles {
  readonly #options: LogFilesOptions;
  /** Files before this number do not count. */
  #first: number;
  /** By number. */
  #files: KnownFile[] = [];
  /** The one that was used last is the last. */
  readonly #readers: OpenReader[] = [];

  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#first = options.first;
  }

  /** Where the log begins, Infinity without a file. @throws {DiskError} ERR_DISK_READ */
  get start(): number {
    if (this.#files.length === 0) this.#lookForNew();
    return this.#files[0]?.start ?? Number.POSITIVE_INFINITY;
  }

  /** The file that has `offset` is of no use, nor are those before it: the log begins behind it. */
  dropDamaged(offset: number): void {
    const known = this.#files.findLast(({ start }) => start <= offset);
    if (known !== undefined) this.dropBefore(known.number + 1);
  }

  /** Files before this number are gone. */
  dropBefore(number: number): void {
    this.#first = Math.max(this.#first, number);
    this.#files = this.#files.filter((file) => file.number >= number);
    for (const open of [...this.#readers]) if (open.number < number) this.#close(open);
  }

  /**
   * Fills `into` with the log from `offset` on, up to `end`, which is written. @returns bytes, at least
   * one; 0 when no file has it: it is gone
   * @throws {DiskError} ERR_DISK_DAMAGED, ERR_DISK_READ
   */
  read(into: Buffer, offset: number, end: number): number {
    for (let open = this.#readerAt(offset); open !== null; open = this.#after(open, offset)) {
      const count = open.reader.read(into, end);
      if (count > 0) return count;
    }
    return 0;
  }

  /** The chain at `offset`, -1 when that is no boundary, or gone. @throws {DiskError} as read() */
  chainAt(offset: number): number {
    const open = this.#open(this.#fileWith(offset));
    if (open === null) return -1;
    return open.reader.seek(offset) === offset ? open.reader.chain : -1;
  }

  close(): void {
    for (const open of [...this.#readers]) this.#close(open);
  }

  // --- readers ------------------------------------------------------------------------------------

  #readerAt(offset: number): OpenReader | null {
    const there = this.#readers.find(({ reader }) => reader.offset === offset);
    if (there !== undefined) {
      this.#readers.splice(this.#readers.indexOf(there), 1);
      this.#readers.push(there);
      return there;
    }
    const open = this.#open(this.#fileWith(offset));
    if (open?.reader.seekInside(offset) === false)
      damaged(`log file ${open.number} ends before offset ${offset}`);
    return open;
  }

  /** The file behind one that is used up: what was written goes on there. */
  #after(used: OpenReader, offset: number): OpenReader | null {
    this.#close(used);
    this.#lookForNew();
    const next = this.#files.find(({ number }) => number > used.number);
    if (next?.start !== offset) damaged(`log file ${used.number} ends at offset ${offset}`);
    return this.#open(next);
  }

  #open(known: KnownFile | null): OpenReader | null {
    if (known === null) return null;
    const { number } = known;
    const file = this.#openFile(number);
    if (file === null) return null;
    const start = readLogHead(file, number, this.#options);
    if (start === null) {
      file.close();
      damaged(`the head of log file ${number}`);
    }
    const open = { number, file, reader: new LogReader(file, start.head, start.bytes) };
    this.#readers.push(open);
    if (this.#readers.length > READERS_MAX) this.#close(this.#readers[0]!);
    return open;
  }

  /** Null when it was dropped, and nobody has said so yet. */
  #openFile(number: number): DiskFile | null {
    try {
      return this.#options.folder.open(logFileName(number));
    } catch (error) {
      if (
        !(error instanceof DiskError) ||
        logFileNumbers(this.#options.folder, number)[0] === number
      )
        throw error;
      this.dropBefore(number + 1);
      return null;
    }
  }

  #close(open: OpenReader): void {
    const at = this.#readers.indexOf(open);
    if (at < 0) return;
    this.#readers.splice(at, 1);
    open.file.close();
  }

  // --- files --------------------------------------------------------------------------------------

  /** The file that has `offset`, as far as heads say. */
  #fileWith(offset: number): KnownFile | null {
    // Why looked for each time that it could be in a newer one: that has begun since.
    if (offset >= (this.#files.at(-1)?.start ?? 0)) this.#lookForNew();
    return this.#files.findLast(({ start }) => start <= offset) ?? null;
  }

  #lookForNew(): void {
    const { folder } = this.#options;
    const known = this.#files.at(-1)?.number ?? this.#first - 1;
    for (const number of logFileNumbers(folder, known + 1)) {
      const file = this.#openFile(number);
      const start = file === null ? null : readLogHead(file, number, this.#options);
      file?.close();
      // Why not passed over: nobody knows where the log before it ended.
      if (start === null) this.dropBefore(number + 1);
      else this.#files.push({ number, start: start.head.start.offset });
    }
  }
}

function damaged(what: string): never {
  throw new DiskError("ERR_DISK_DAMAGED", `${what}, which is not what was written`);
}
