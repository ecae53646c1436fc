/**
 * Where the log on disk begins at a start, once recovery has read what it needs of it.
 *
 * Pure but for a DiskFolder. Owns: that look. Does not own: which files count (manifest.ts), reading back.
 * Tested in: test/sim/stores.test.ts.
 */
import type { Generation } from "./disk-store.ts";
import type { DiskFolder } from "./files.ts";
import { logFileName } from "./log-file-names.ts";
import { readLogHead } from "./log-head.ts";
import type { Manifest } from "./manifest.ts";

export type OldestLog = Generation & { readonly offset: number };

/** The first log file in `folder` that there is once file `number` has begun at `end`. */
export function oldestLog(
  folder: DiskFolder,
  { generation, firstLog, directoryId }: Manifest,
  number: number,
  end: number,
): OldestLog {
  if (firstLog === number) return { generation, number, offset: end };
  const file = folder.open(logFileName(firstLog));
  try {
    const head = readLogHead(file, firstLog, { directoryId, generation })?.head;
    // Why not an error: recovery has read what it needs, and a link finds the rest damaged.
    return { generation, number: firstLog, offset: head?.start.offset ?? end };
  } finally {
    file.close();
  }
}
