/**
 * What a start makes of a log on disk that a state's mark is not in.
 *
 *   the mark is                     the node leads                        it follows
 *   beyond the end of the log       the log begins anew at the mark,      the log begins anew at the mark: its
 *   (the process was killed         under a new history: nothing is       upstream goes on from there
 *   before the log was written)     missing
 *   the same, and the log lacks     refused: it was synced further        as above
 *   what was synced                 than the state is
 *   before the log, or of           refused: the state is older than      as above
 *   another log                     the log, or another one
 *   not there; the state has data   refused                               a log of nothing; its data goes by
 *                                                                         consent alone
 *   not there; the state is empty   refused                               a log of nothing, then a snapshot
 *
 * Refused is an error, with nothing changed; --accept-loss takes what the state has for all there is. Where
 * the log has never been of a state, nothing is refused: there is nothing to lose.
 * Pure. Owns: the table. Does not own: finding the mark (log-from-mark.ts).
 * Tested in: test/unit/node/disk/marked-recovery.test.ts.
 */
import { DiskError } from "../../errors.ts";
import type { Manifest } from "../../log/disk/manifest.ts";
import type { Strayed } from "./disk-recovery.ts";

const WORDS: Readonly<Record<Strayed["why"], string>> = {
  beyond: "the log was synced further than the state is, and that part is missing",
  before: "the state is older than all log that is there",
  other: "the log is not that of the state",
  unmarked: "the state has data, and no mark that says where it is",
  lost: "the state is empty, and the log has not its beginning",
};

/** @throws {DiskError} ERR_DISK_DAMAGED when a node that leads would lose what it has acknowledged */
export function checkStrayed(strayed: Strayed, leads: boolean, acceptLoss: boolean): void {
  const { why, hadState, lacks } = strayed;
  const isWhole = why === "beyond" && !lacks;
  if (!leads || !hadState || acceptLoss || isWhole) return;
  throw new DiskError(
    "ERR_DISK_DAMAGED",
    `dir: ${WORDS[why]}; nothing was changed. Put the state's files and dir back as they were together, or accept the loss (acceptLoss), or use another dir and follow a replica`,
  );
}

/** The manifest of the log that begins anew, in a generation of its own, which counts at once. */
export function anew(
  { directoryId, generation }: Manifest,
  generations: readonly number[],
): Manifest {
  return {
    directoryId,
    generation: Math.max(generation, ...generations) + 1,
    firstLog: 1,
    lastLog: 0,
    checkpoints: [],
    incompleteTo: null,
  };
}
