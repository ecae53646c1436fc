/**
 * Room for a start on a disk that is full: before anything is written the reserve goes, so that the lock, the
 * small files and the first log file have a place. The log's thread makes another of what is left then.
 *
 * Owns: that moment. Does not own: the reserve (log/disk/reserve.ts).
 * Tested in: test/e2e/full-disk.test.ts.
 */
import { existsSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { RESERVE_FILE } from "../../log/disk/reserve.ts";
import { holderOf } from "./directory-lock.ts";

/** A start needs no more. */
const START_BYTES = 64 * 1024;

/** Nothing happens while there is room, or when another process has `dir`. */
export function makeStartRoom(dir: string): void {
  const reserve = join(dir, RESERVE_FILE);
  if (!existsSync(reserve) || freeBytes(dir) >= START_BYTES || holderOf(dir) !== null) return;
  rmSync(reserve);
}

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}
