/**
 * Writes the log to files, in order, and says up to where it is written and up to where it is synced.
 *
 *   file 7   [ head | batches | MARK | batches | MARK | batches ]     closed: cut to its length, synced
 *   file 8   [ head | batches | MARK | batches |          zeros ]     the open one
 *                                              ^ at       ^ zeroed to
 *
 *   call      does, in this order                                  what it gives
 *   begin     file aside: head, sync; rename; sync the folder;     a name never has half a head, and
 *             name it in the manifest, synced                      a file that is missing is missed
 *   append    the MARK that is due, whole batches                  written grows
 *   roll      cut the file to `at`, sync it; begin the next        all before a file is synced
 *   sync      sync the file                                        durable = written
 *   rest      the MARK that is due, sync, when the log rests       a restart can prove `durable`
 *   stop      sync, a clean MARK, sync                             nothing is left to prove
 *   takeBack  cut the file where the last write began, or in it;    a draft is gone, and all before it
 *             sync                                                  is durable
 *
 * Batches stay whole: one that is longer than a file has a file of its own.
 *
 *   what fails       then
 *   a write          the file is cut to `at`: nothing is half there, and the same may be tried again
 *   that cut         dead
 *   a new file       the full one stays the open one, and the same may be tried again; once it has its
 *                    name, naming it in the manifest alone is tried again
 *   a sync           dead: what the kernel dropped it does not report twice, so that a second sync
 *                    which succeeds proves nothing
 *
 * Pure but for a DiskFolder. Owns: order, positions, marks. Does not own: when to sync (the thread),
 * which files may go (retention), reading (log-file-scan.ts).
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import { BATCH_HEAD_BYTES, batchChain, batchLength } from "../../wire/frame.ts";
import type { Id, Position } from "../../wire/messages.ts";
import type { LogName } from "../history.ts";
import { type DiskFile, type DiskFolder, leaveFailed, type MintId } from "./files.ts";
import { DISK_FORMAT, MARK_BYTES, encodeLogHead, encodeMark } from "./frames.ts";
import { logFileName } from "./log-file-names.ts";

/** Bytes that one call writes, but for a longer batch. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;

export interface LogFileOptions {
  readonly folder: DiskFolder;
  /** A file that would grow beyond this many bytes is followed by another. */
  readonly fileBytes: number;
  readonly directoryId: Id;
  readonly generation: number;
  readonly mint: MintId;
  /** Wall clock, ms. */
  readonly clock: () => number;
  /** A file has its name: the manifest names it, synced. @throws {DiskError} when it cannot */
  readonly name: (number: number) => void;
}

/** A place in the log: an offset, and the chain there. */
interface Place {
  readonly offset: number;
  readonly chain: number;
}

export class LogFileWriter {
  readonly #options: LogFileOptions;
  #name: LogName;
  #number: number;
  #file: DiskFile;
  #salt: Id = "";
  /** Where the next byte goes in the file, and where its first batch is. */
  #at = 0;
  #firstAt = 0;
  #zeroedTo = 0;
  #written: Place;
  #durable: Place;
  /** What the newest mark names, or the head. */
  #marked: number;
  /** Where the last write began: byte in the open file, and offset. Null when the file has none. */
  #lastWrite: { readonly at: number; readonly offset: number } | null = null;
  /** The manifest names the open file. */
  #isNamed = false;
  #isDead = false;

  /**
   * Begins file `number` at `start`: all before `start` is synced.
   * @throws {DiskError} then there may be a file of that name, with nothing but a head
   */
  constructor(options: LogFileOptions, number: number, start: Position, name: LogName) {
    this.#options = options;
    this.#name = name;
    this.#number = number;
    this.#written = { offset: start.offset, chain: start.chain };
    this.#durable = this.#written;
    this.#marked = start.offset;
    this.#file = this.#begin(number, name);
  }

  /** The log up to here is in files: a crash of the process does not lose it. */
  get written(): number {
    return this.#written.offset;
  }

  /** The log up to here is on the disk: a crash of the machine does not lose it. */
  get durable(): number {
    return this.#durable.offset;
  }

  /** Of the open file. */
  get number(): number {
    return this.#number;
  }

  /** Nothing more is written, and nothing is promised. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * Writes whole batches, `bytes[from, to)`, the first of which starts at `written`.
   * @throws {DiskError} ERR_DISK_FULL, ERR_DISK_WRITE: `written` and `durable` say how far it came, and
   * the rest may be tried again, if it is not dead; ERR_DISK_SYNC: dead
   */
  append(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const cut = this.#cutAt(bytes, at, to);
      if (cut === at) this.#roll(this.#name);
      else {
        this.#write(bytes, at, cut);
        at = cut;
      }
    }
  }

  /** What is written is on the disk then. @throws {DiskError} ERR_DISK_SYNC: dead */
  sync(): void {
    this.#assertAlive();
    if (this.#durable !== this.#written) this.#syncFile();
  }

  /**
   * What was written from `place` on is not of the log any more, which goes on there; what is before it is on the
   * disk then.
   * @returns false with nothing done when it was not all in the last write
   * @throws {DiskError} ERR_DISK_WRITE, ERR_DISK_SYNC: dead
   */
  takeBack(place: Place): boolean {
    this.#assertAlive();
    const last = this.#lastWrite;
    if (this.written > place.offset) {
      if (last === null || place.offset < last.offset) return false;
      this.#at = last.at + place.offset - last.offset;
      this.#cutFile();
      this.#written = { offset: place.offset, chain: place.chain };
      // Why: what it names, and where it stood, may have been cut off.
      this.#marked = -1;
      this.#lastWrite = null;
    } else if (this.written < place.offset) return false;
    this.#syncFile();
    return true;
  }

  /** For a log that rests: what is durable is written down, and that is synced. @throws {DiskError} */
  rest(): void {
    this.sync();
    if (!this.#isMarkDue) return;
    this.#putMark(false);
    this.#syncFile();
  }

  /** The last call: all is synced, and the file says that the log ends here. @throws {DiskError} */
  stop(): void {
    this.sync();
    this.#putMark(true);
    this.#syncFile();
    this.#file.close();
    this.#isDead = true;
  }

  /** The last call of one that failed, or whose log was replaced. */
  abandon(): void {
    this.#isDead = true;
    this.#dropZeros();
    this.#file.close();
  }

  /** Others need the room: a checkpoint of the log that takes this one's place. */
  #dropZeros(): void {
    if (this.#zeroedTo <= this.#at) return;
    // They are no part of the log.
    leaveFailed(() => this.#file.truncate(this.#at));
  }

  /** A file begins at `written`, unless the open one does. @throws {DiskError} as append() */
  startFile(): void {
    if (!this.#isNew) this.#roll(this.#name);
  }

  /** All from `written` on is of another history: it begins a file. @throws {DiskError} as append() */
  startHistory(name: LogName): void {
    this.#roll(name);
  }

  /**
   * Writes zeros ahead of the log, so that a sync need not write the size of the file too: does
   * nothing while half of `bytes` is left of them.
   * @throws {DiskError} ERR_DISK_FULL, ERR_DISK_WRITE: there are fewer, which harms nothing
   */
  zeroAhead(bytes: number): void {
    this.#assertAlive();
    const from = Math.max(this.#at, this.#zeroedTo);
    const to = Math.min(this.#options.fileBytes, this.#at + bytes);
    if (from - this.#at >= bytes / 2 || to <= from) return;
    // Why first: of a write that failed some may be there, and at once it would fail again.
    this.#zeroedTo = to;
    this.#file.write([zeros(to - from)], from);
  }

  // --- files --------------------------------------------------------------------------------------

  #roll(name: LogName): void {
    this.#assertAlive();
    // Why in this order: the cut is a change of the file that has to be synced as well.
    this.#cutFile();
    this.#syncFile();
    const full = this.#file;
    this.#file = this.#begin(this.#number + 1, name);
    this.#number += 1;
    this.#name = name;
    this.#isNamed = false;
    this.#marked = this.#durable.offset;
    full.close();
  }

  /** A file with its head, under its name. Nothing of the writer has changed when it throws. */
  #begin(number: number, name: LogName): DiskFile {
    const { folder, directoryId, generation, mint, clock } = this.#options;
    const salt = mint();
    const { history, rank, lineage } = name;
    const head = encodeLogHead({
      format: DISK_FORMAT,
      salt,
      directoryId,
      generation,
      number,
      start: { history, offset: this.#written.offset, chain: this.#written.chain },
      rank,
      lineage,
      clockMs: clock(),
    });
    const file = folder.create(`${logFileName(number)}.tmp`);
    try {
      file.write([head], 0);
      this.#orDead(() => {
        file.sync();
      });
      folder.rename(`${logFileName(number)}.tmp`, logFileName(number));
      this.#orDead(() => {
        folder.sync();
      });
    } catch (error) {
      file.close();
      throw error;
    }
    this.#salt = salt;
    this.#at = head.length;
    this.#firstAt = head.length;
    this.#zeroedTo = 0;
    this.#lastWrite = null;
    return file;
  }

  #nameFile(): void {
    if (this.#isNamed) return;
    this.#options.name(this.#number);
    this.#isNamed = true;
  }

  #syncFile(): void {
    const written = this.#written;
    this.#orDead(() => {
      this.#file.sync();
    });
    this.#durable = written;
  }

  #cutFile(): void {
    this.#zeroedTo = 0;
    this.#orDead(() => {
      this.#file.truncate(this.#at);
    });
  }

  #orDead(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#isDead = true;
      throw error;
    }
  }

  // --- bytes --------------------------------------------------------------------------------------

  /** How far the batches in `bytes[from, to)` go into this file with one call; `from` for not at all. */
  #cutAt(bytes: Buffer, from: number, to: number): number {
    const room = this.#options.fileBytes - this.#at - (this.#isMarkDue ? MARK_BYTES : 0);
    let at = from;
    while (at < to) {
      const end = at + batchLength(bytes, at);
      assert(end >= at + BATCH_HEAD_BYTES && end <= to, "a batch that is not whole");
      const fits = at === from ? end - from <= room || this.#isNew : end - from <= room;
      if (!fits || (at > from && end - from > WRITE_BYTES_MAX)) break;
      at = end;
    }
    return at;
  }

  /** No batch is in the open file. */
  get #isNew(): boolean {
    return this.#at === this.#firstAt;
  }

  #write(bytes: Buffer, from: number, to: number): void {
    const isMarkDue = this.#isMarkDue;
    const batches = bytes.subarray(from, to);
    this.#put(isMarkDue ? [this.#makeMark(false), batches] : [batches]);
    if (isMarkDue) this.#marked = this.#durable.offset;
    this.#lastWrite = { at: this.#at - batches.length, offset: this.#written.offset };
    this.#written = {
      offset: this.#written.offset + to - from,
      chain: lastChain(bytes, from, to),
    };
  }

  #putMark(clean: boolean): void {
    this.#put([this.#makeMark(clean)]);
    this.#marked = this.#durable.offset;
  }

  /** Writes at the end of the log, wholly or not at all. */
  #put(parts: readonly Uint8Array[]): void {
    this.#assertAlive();
    this.#nameFile();
    try {
      this.#file.write(parts, this.#at);
    } catch (error) {
      // Why: a restart would find half a batch there, and could not tell it from a crash.
      if (error instanceof DiskError) this.#cutFile();
      else this.#isDead = true;
      throw error;
    }
    for (const part of parts) this.#at += part.length;
  }

  get #isMarkDue(): boolean {
    return this.#durable.offset > this.#marked;
  }

  #makeMark(clean: boolean): Buffer {
    const { offset, chain } = this.#durable;
    return encodeMark({ salt: this.#salt, durable: offset, chain, clean });
  }

  #assertAlive(): void {
    assert(!this.#isDead, "a call of a log writer that is dead");
  }
}

let someZeros: Buffer = Buffer.alloc(0);

/** Why kept: under load they are written often. */
function zeros(bytes: number): Buffer {
  if (someZeros.length < bytes) someZeros = Buffer.alloc(bytes);
  return someZeros.subarray(0, bytes);
}

/** The chain at the end of the batches in `bytes[from, to)`. */
function lastChain(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at + batchLength(bytes, at) < to) at += batchLength(bytes, at);
  return batchChain(bytes, at);
}
