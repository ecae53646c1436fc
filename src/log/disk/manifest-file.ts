/**
 * The file of the manifest. While a node runs, its log worker alone writes it; before that, whoever
 * opens the data directory.
 *
 * Pure but for a DiskFolder. Owns: the file. Does not own: the text (manifest.ts), when it is written.
 * Tested in: test/unit/node/disk/data-directory.test.ts.
 */
import { DiskError, wordsOf } from "../../errors.ts";
import type { DiskFolder } from "./files.ts";
import { decodeManifest, encodeManifest, type Manifest } from "./manifest.ts";
import { readSmallFile, writeSmallFile } from "./small-files.ts";

export const MANIFEST_FILE = "manifest";

/** Null when there is none. @throws {DiskError} ERR_DISK_DAMAGED, ERR_DISK_READ */
export function readManifest(folder: DiskFolder): Manifest | null {
  const text = readSmallFile(folder, MANIFEST_FILE);
  if (text === null) return null;
  try {
    return decodeManifest(text);
  } catch (error) {
    const why = wordsOf(error);
    throw new DiskError("ERR_DISK_DAMAGED", `${MANIFEST_FILE}: ${why}`, { cause: error });
  }
}

/** Whole and synced. @throws {DiskError} */
export function writeManifest(folder: DiskFolder, manifest: Manifest): void {
  writeSmallFile(folder, MANIFEST_FILE, encodeManifest(manifest));
}
