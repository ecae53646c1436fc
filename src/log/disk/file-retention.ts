/**
 * Which log files may go.
 *
 *   file 3 | file 4 | file 5 | file 6 | file 7 | file 8 (open)
 *                   ^ the older checkpoint begins here: both can still be recovered from
 *          ^ log-keep bytes before the end: replicas that were away come back from the log
 *   gone   ^ kept from the lowest of these, and of what links are reading
 *
 *   the disk is      kept for recovery from
 *   not full         the older of the two checkpoints
 *   full, once       the newer one, and nothing for replicas
 *   full, again      the newer one; then the older checkpoint itself goes too
 *
 * Before the first checkpoint all is kept: the log from 0 on is the state.
 * Pure. Owns: the rule. Does not own: files, checkpoints.
 */

/** A log file, as its head and its successor say. */
export interface KeptFile {
  readonly number: number;
  readonly start: number;
}

export interface RetentionNeeds {
  /** Oldest first; the last one is open and never goes. */
  readonly files: readonly KeptFile[];
  /** Numbers of the log files that begin at the checkpoints, newest first. */
  readonly checkpoints: readonly number[];
  /** End of the log. */
  readonly end: number;
  /** Bytes before it that replicas may come back from. */
  readonly keepBytes: number;
  /** The lowest offset that a link is reading from disk; Infinity for none. */
  readonly reading: number;
  readonly isDiskFull: boolean;
}

/** The number of the first file that stays. */
export function firstToKeep(needs: RetentionNeeds): number {
  const { files, checkpoints, end, keepBytes, reading, isDiskFull } = needs;
  const forRecovery = isDiskFull ? checkpoints[0] : checkpoints[1];
  if (forRecovery === undefined) return files[0]!.number;
  const wanted = Math.min(isDiskFull ? end : end - keepBytes, reading);
  // Why not less than there is: on a disk that was full the older checkpoint has lost its log.
  return Math.max(files[0]!.number, Math.min(forRecovery, fileOf(files, wanted)));
}

/** The number of the file that has `offset`; of the first one when it is older than that. */
function fileOf(files: readonly KeptFile[], offset: number): number {
  let { number } = files[0]!;
  for (const file of files) if (file.start <= offset) ({ number } = file);
  return number;
}
