/**
 * Small files of a data directory that are written whole or not at all: aside, synced, renamed, the
 * folder synced. A crash at any point leaves the old text or the new one.
 *
 * Pure but for a DiskFolder. Owns: how. Does not own: what is in them (manifest.ts).
 * Tested in: test/unit/node/disk/data-directory.test.ts.
 */
import { DiskError } from "../../errors.ts";
import type { DiskFolder } from "./files.ts";

/** What is being written has this behind its name; one that a crash left is of no use. */
export const UNFINISHED = ".tmp";

/** No file that is read here is longer, bytes. */
const SMALL_BYTES_MAX = 64 * 1024;

/** @throws {DiskError} then the old text stands, or after ERR_DISK_SYNC either */
export function writeSmallFile(folder: DiskFolder, name: string, text: string): void {
  const file = folder.create(name + UNFINISHED);
  try {
    file.write([Buffer.from(text, "utf8")], 0);
    file.sync();
  } finally {
    file.close();
  }
  folder.rename(name + UNFINISHED, name);
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
