/**
 * Writes a checkpoint: the state where a log file begins, as it would be sent to a replica.
 *
 *   [ SNAPSHOT | CHUNK 0 | CHUNK 1 | ... | END ]      aside: it counts when it is published (catalog.ts)
 *     before it what a backup begins with (backup-head.ts)
 *
 *   begin     file aside: SNAPSHOT
 *   chunk     frames, gathered to writes of a MiB
 *   finish    END, sync: the file is whole
 *   abandon   what was written goes
 *
 * Pure but for a DiskFolder. Owns: one file. Does not own: where chunks come from, the rate, the manifest.
 * Tested in: test/unit/log/disk/checkpoint.test.ts.
 */
import assert from "node:assert/strict";
import { encode } from "../../wire/codec.ts";
import type { SnapshotBegin, SnapshotEnd } from "../../wire/messages.ts";
import type { DiskFile, DiskFolder } from "./files.ts";

/** Bytes that are gathered before they are written. */
const WRITE_BYTES = 1024 * 1024;
/** It is synced each time that so many are written: one sync of all would hold up those of the log. */
const SYNC_BYTES = 16 * 1024 * 1024;

export class CheckpointWriter {
  /** What the file begins with. */
  readonly begin: SnapshotBegin;
  readonly #folder: DiskFolder;
  readonly #name: string;
  readonly #file: DiskFile;
  readonly #gathered: Buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #gatheredBytes = 0;
  #at = 0;
  #syncedTo = 0;
  #state: "open" | "whole" | "closed" = "open";

  /**
   * `name` is the file's own, or the number of the log file that begins at `begin.position`; `head` is a
   * frame that comes first.
   * @throws {DiskError}
   */
  constructor(
    folder: DiskFolder,
    name: string | number,
    begin: SnapshotBegin,
    head: Buffer | null = null,
  ) {
    this.begin = { ...begin, firstChunk: 0 };
    this.#folder = folder;
    this.#name = typeof name === "number" ? checkpointName(name) : name;
    this.#file = folder.create(`${this.#name}.tmp`);
    if (head !== null) this.#gather(head);
    this.#gather(encode(this.begin));
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#at + this.#gatheredBytes;
  }

  /** A CHUNK frame, `bytes[from, to)`, the next one; it is copied. @throws {DiskError} */
  chunk(bytes: Buffer, from: number, to: number): void {
    assert.equal(this.#state, "open");
    this.#gather(bytes.subarray(from, to));
  }

  /** All chunks are in. @throws {DiskError} */
  finish(end: SnapshotEnd): void {
    assert.equal(this.#state, "open");
    this.#gather(encode(end));
    this.#flush();
    this.#file.sync();
    this.#file.close();
    this.#state = "whole";
  }

  /** It is of no use. @throws {DiskError} when it cannot be removed: the next start does */
  abandon(): void {
    if (this.#state === "open") this.#file.close();
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#folder.remove(`${this.#name}.tmp`);
  }

  #gather(frame: Buffer): void {
    if (this.#gatheredBytes + frame.length > WRITE_BYTES) this.#flush();
    if (frame.length > WRITE_BYTES) this.#put(frame);
    else this.#gatheredBytes += frame.copy(this.#gathered, this.#gatheredBytes);
  }

  #flush(): void {
    if (this.#gatheredBytes > 0) this.#put(this.#gathered.subarray(0, this.#gatheredBytes));
    this.#gatheredBytes = 0;
  }

  #put(bytes: Buffer): void {
    this.#file.write([bytes], this.#at);
    this.#at += bytes.length;
    if (this.#at - this.#syncedTo < SYNC_BYTES) return;
    this.#file.sync();
    this.#syncedTo = this.#at;
  }
}

/** `00000018.checkpoint`: the state where `00000018.log` begins. */
export function checkpointName(log: number): string {
  return `${String(log).padStart(8, "0")}.checkpoint`;
}
