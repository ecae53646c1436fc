/**
 * Room that is kept for a disk that is full: a file of zeros in the data directory, which goes when a
 * small file must be written and there is no room for it: what makes room can then be written down. It goes
 * too when a node starts on a full disk (node/disk/start-room.ts), and comes back with whatever is left.
 *
 * Pure but for a DiskFolder. Owns: that file. Does not own: small files, what is removed (catalog.ts).
 * Tested in: test/unit/log/disk/catalog.test.ts.
 */
import { DiskError } from "../../errors.ts";
import type { DiskFolder } from "./files.ts";
import { UNFINISHED } from "./small-files.ts";

export const RESERVE_FILE = "reserve";
/** The first for which there is room: a disk that is nearly full is to be started on again. */
const RESERVE_BYTES = [1024 * 1024, 256 * 1024, 64 * 1024];

/** Does `work`, which writes small files; once more in the reserve's place when there is no room. */
export function withReserve(root: DiskFolder, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isFull(error) || !root.list().includes(RESERVE_FILE)) throw error;
    root.remove(RESERVE_FILE);
    work();
  }
}

/** There is a reserve, if there is room for one. */
export function keepReserve(root: DiskFolder): void {
  if (root.list().includes(RESERVE_FILE)) return;
  RESERVE_BYTES.some((bytes) => makeReserve(root, bytes));
}

/** @returns whether there was room for it */
function makeReserve(root: DiskFolder, bytes: number): boolean {
  try {
    // Why not under its name at once: half of one, left by a full disk, would pass for one.
    const file = root.create(RESERVE_FILE + UNFINISHED);
    try {
      file.write([Buffer.alloc(bytes)], 0);
      file.sync();
    } finally {
      file.close();
    }
    root.rename(RESERVE_FILE + UNFINISHED, RESERVE_FILE);
    return true;
  } catch (error) {
    if (!isFull(error)) throw error;
    root.remove(RESERVE_FILE + UNFINISHED);
    return false;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DiskError && error.code === "ERR_DISK_FULL";
}
