/**
 * What the log on disk tells of itself while a node runs: log lines with their figures.
 *
 * Owns: fields. Does not own: when something happened (node-disk.ts).
 * Tested in: test/e2e/full-disk.test.ts.
 */
import type { DiskTrouble } from "../../log/disk/disk-log-messages.ts";
import type { ForkCopy } from "../../log/disk/fork-copy.ts";
import type { Journal } from "../../primary/journal.ts";
import { QUARANTINE } from "../../log/disk/quarantine.ts";

export function tellTrouble(
  journal: Journal,
  trouble: DiskTrouble | null,
  { written, proven: durable }: { readonly written: number; readonly proven: number },
): void {
  if (trouble === null) journal("info", "disk_well_again", { written, durable });
  else {
    const event = trouble.isFatal ? "disk_failed" : "disk_trouble";
    journal("error", event, { why: trouble.message, written, durable });
  }
}

/** What was discarded is copied, or (null) is not. */
export function tellFork(journal: Journal, copy: ForkCopy | null): void {
  if (copy === null) journal("warn", "fork_not_kept", {});
  else {
    const { name, bytes, isCapped } = copy;
    journal("warn", "fork_kept", { file: `${QUARANTINE}/${name}`, bytes, whole: !isCapped });
  }
}
