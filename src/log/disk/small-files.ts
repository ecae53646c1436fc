/**
 * Small files of a data directory that are written whole or not at all: aside, synced, renamed, the
 * folder synced. A crash at any point leaves the old text or the new one.
 *
 * Pure but for a DiskFolder. Owns: how. Does not own: what is in them (manifest.ts, node/node-memory.ts).
 */
import { DiskError } from "../../errors.ts";
import { type DiskFolder, leaveFailed } from "./files.ts";

/** What is being written has this behind its name; one that a crash left is of no use. */
export const UNFINISHED = ".tmp";

/** No file that is read here is longer, bytes. */
const SMALL_BYTES_MAX = 64 * 1024;

/** @throws {DiskError} then the old text stands, or after ERR_DISK_SYNC either */
export function writeSmallFile(folder: DiskFolder, name: string, text: string): void {
  const aside = name + UNFINISHED;
  const file = folder.create(aside);
  try {
    try {
      file.write([Buffer.from(text, "utf8")], 0);
      file.sync();
    } finally {
      file.close();
    }
    folder.rename(aside, name);
  } catch (error) {
    if (error instanceof DiskError) leaveFailed(() => folder.remove(aside));
    throw error;
  }
  folder.sync();
}

/** Removes a file for good; nothing happens when it is not there. @throws {DiskError} */
export function removeSmallFile(folder: DiskFolder, name: string): void {
  folder.remove(name);
  folder.sync();
}

/** The text of a file, null when there is none. @throws {DiskError} when it cannot be read, or is no small file */
export function readSmallFile(folder: DiskFolder, name: string): string | null {
  if (!folder.list().includes(name)) return null;
  const file = folder.open(name);
  try {
    const { sizeBytes } = file;
    if (sizeBytes > SMALL_BYTES_MAX)
      throw new DiskError("ERR_DISK_DAMAGED", `${name} has ${sizeBytes} bytes`);
    const bytes = Buffer.alloc(sizeBytes);
    const count = file.read(bytes, 0, sizeBytes, 0);
    return bytes.toString("utf8", 0, count);
  } finally {
    file.close();
  }
}
