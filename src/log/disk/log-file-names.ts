/**
 * Names of log files: `00000007.log`. Other names are none of the log's.
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import type { DiskFolder } from "./files.ts";

export function logFileName(number: number): string {
  return `${String(number).padStart(8, "0")}.log`;
}

/** Numbers of the log files from `first` on, in order. */
export function logFileNumbers(folder: DiskFolder, first: number): number[] {
  return folder
    .list()
    .filter((name) => /^\d{8,15}\.log$/.test(name))
    .map((name) => Number(name.slice(0, -4)))
    .filter((number) => number >= first)
    .sort((a, b) => a - b);
}
