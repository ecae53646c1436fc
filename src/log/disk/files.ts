/**
 * What the log needs of a file system. Every call waits until it is done, so it belongs in a thread
 * of its own; the order of the calls is the order of their effects in a running system.
 *
 * What a crash of the machine may leave:
 *
 *   written, not synced    any part of it, in any order, in pieces of a sector
 *   created or renamed,    the old name or the new one; a file of any size below its own, with any
 *   folder not synced      part of its bytes unless the file was synced before
 *   synced                 all of it
 *
 * The shell is over node:fs; test/sim/virtual-disk.ts has one that crashes, tears and rots.
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import { DiskError } from "../../errors.ts";
import type { Id } from "../../wire/messages.ts";

/** One open file. */
export interface DiskFile {
  /** Bytes from its start to its end, zeros that were written ahead included. */
  readonly sizeBytes: number;
  /**
   * Reads up to `bytes` bytes from `position` on to `into[at, ...)`. @returns how many, fewer only at
   * the end of the file
   */
  read(into: Buffer, at: number, bytes: number, position: number): number;
  /**
   * Writes all of `parts`, one after another, from `position` on.
   * @throws {DiskError} ERR_DISK_FULL or ERR_DISK_WRITE; then any part of them may be there
   */
  write(parts: readonly Uint8Array[], position: number): void;
  /** What was written survives a crash of the machine. @throws {DiskError} ERR_DISK_SYNC */
  sync(): void;
  /** Cuts the file, or makes it longer by zeros. @throws {DiskError} ERR_DISK_WRITE */
  truncate(bytes: number): void;
  close(): void;
}

/** One folder. Names have no path. */
export interface DiskFolder {
  list(): readonly string[];
  /** @throws {DiskError} ERR_DISK_READ when it is not there */
  open(name: string): DiskFile;
  /** A file of no bytes, also when there was one. */
  create(name: string): DiskFile;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Names survive a crash of the machine. @throws {DiskError} ERR_DISK_SYNC */
  sync(): void;
}

/** A folder with folders in it: a data directory. */
export interface DiskTree {
  /** Its own files. */
  readonly root: DiskFolder;
  /** Names of the folders in it. */
  folders(): readonly string[];
  /** One that is there. */
  folder(name: string): DiskFolder;
  /** Makes one if it is not there, its name synced. @throws {DiskError} */
  make(name: string): DiskFolder;
  /** Removes one and all that is in it; a crash may leave some. @throws {DiskError} ERR_DISK_WRITE */
  removeFolder(name: string): void;
}

/** Does what is of use and not needed: a disk that refuses it changes nothing. */
export function leaveFailed(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

/** Makes an id that was never used before. */
export type MintId = () => Id;
