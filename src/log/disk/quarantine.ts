/**
 * The folder of a data directory that has copies of what a repair cut off (log-repair.ts) and of what was
 * discarded for another leader's log (fork-copy.ts), under one cap.
 *
 * Owns: its name, its size. Does not own: what is copied there.
 * Tested in: test/unit/log/disk/fork-copy.test.ts.
 */
import type { DiskFolder } from "./files.ts";

export const QUARANTINE = "quarantine";

/** All copies together, bytes; the oldest go first. */
export const QUARANTINE_BYTES_MAX: number = 64 * 1024 * 1024;

/** Removes the first of `names` until the rest has at most `most` bytes. */
export function capBytes(folder: DiskFolder, names: readonly string[], most: number): void {
  let left = most;
  for (const name of [...names].sort().toReversed()) {
    const file = folder.open(name);
    left -= file.sizeBytes;
    file.close();
    if (left < 0) folder.remove(name);
  }
}
