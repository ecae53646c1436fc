/**
 * What a recovery is like, for people.
 *
 *   43 %, 1.9 M of 4.4 M records, 1.1 s left
 *
 * The number of all records is an estimate: as many for each byte as so far.
 * Pure. Owns: words. Does not own: who shows them.
 */
import type { Verdict } from "../../log/disk/verdict.ts";
import type { RecoveryStatus } from "../api.ts";

export function recoveryText(status: RecoveryStatus, nowMs: number): string {
  const { totalBytes, loadedBytes, records, startedAtMs } = status;
  const part = totalBytes === 0 ? 0 : loadedBytes / totalBytes;
  const percent = `${Math.floor(100 * part)} %`;
  if (part === 0) return percent;
  const seconds = (Math.max(0, nowMs - startedAtMs) / 1000) * (1 / part - 1);
  return `${percent}, ${amount(records)} of ${amount(records / part)} records, ${seconds.toFixed(1)} s left`;
}

function amount(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`;
  return count >= 1e4 ? `${(count / 1e3).toFixed(0)} k` : count.toFixed(0);
}

/** Why a node with this verdict does not lead by itself. */
export function incompleteText(file: string, verdict: Verdict): string {
  const { end, proven, reason } = verdict;
  const missing = Number.isFinite(proven)
    ? `${proven - end} bytes of log behind it were synced and are gone`
    : "nobody knows how much of what was synced is gone";
  return `--dir: ${file} is whole up to offset ${end} (${reason.replace("_", " ")}), and ${missing}; take them from a replica (start it with --seed-from), or lead with what is left (--accept-loss)`;
}
