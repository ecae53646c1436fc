/**
 * `hawser inspect DIR`: what a data directory has, its damage, and what a start would come to. It changes
 * nothing, and needs no node: beside a running one it shows a moment.
 *
 * Exit codes: 0 a start would lose nothing that was proven synced; 1 it would, or would be refused.
 * Owns: text and JSON of the report. Does not own: the report (node/disk/directory-report.ts).
 * Tested in: test/unit/node/disk/directory-report.test.ts.
 */
import { DiskError } from "../errors.ts";
import { FsTree } from "../node/disk/fs-folder.ts";
import { holderOf } from "../node/disk/directory-lock.ts";
import {
  reportDirectory,
  type CheckpointReport,
  type DirectoryReport,
  type RestoreReport,
  type StartReport,
} from "../node/disk/directory-report.ts";
import type { LockHolder } from "../node/disk/lock-holder.ts";
import { FORK } from "../log/disk/fork-copy.ts";
import { logFileName } from "../log/disk/log-file-names.ts";
import { checkpointName } from "../log/disk/checkpoint-writer.ts";
import { readManifest } from "../log/disk/manifest-file.ts";
import type { FileReport } from "../log/disk/verdict.ts";
import { momentText, timeText } from "./moment-text.ts";
import type { InspectOptions } from "./offline-options.ts";

/** Files that go while they are read, because a node runs, are looked for again. */
const TRIES_MAX = 5;

export function runInspect({ dir, json }: InspectOptions): number {
  let report: DirectoryReport;
  let holder: LockHolder | null;
  try {
    holder = holderOf(dir);
    report = reportSteadily(dir);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    process.stderr.write(`hawser: ${error.message}\n`);
    return 1;
  }
  process.stdout.write(json ? reportJson(report, holder) : reportText(dir, report, holder));
  const { verdict } = report.start;
  return verdict === "incomplete" || verdict === "refused" ? 1 : 0;
}

/** A report of one manifest: a node that runs may write another while its files are read. */
function reportSteadily(dir: string): DirectoryReport {
  for (let tries = 1; ; tries++) {
    const tree = new FsTree(dir, "r");
    try {
      const report = reportDirectory(tree);
      const isSame = JSON.stringify(reportManifest(tree)) === JSON.stringify(report.manifest);
      if (isSame || tries === TRIES_MAX) return report;
    } catch (error) {
      if (!(error instanceof DiskError) || tries === TRIES_MAX) throw error;
    }
  }
}

function reportManifest(tree: FsTree): DirectoryReport["manifest"] {
  try {
    return readManifest(tree.root);
  } catch (error) {
    if (error instanceof DiskError) return null;
    throw error;
  }
}

/** One line. Numbers that nobody knows are null. */
export function reportJson(report: DirectoryReport, holder: LockHolder | null): string {
  const unknown = (_key: string, value: unknown): unknown =>
    value === Number.POSITIVE_INFINITY ? null : value;
  return `${JSON.stringify({ inUseBy: holder, ...report }, unknown)}\n`;
}

/** The page. */
export function reportText(
  dir: string,
  report: DirectoryReport,
  holder: LockHolder | null,
): string {
  const { manifest, generations, logs, checkpoints, others, quarantine, start } = report;
  const lines = [`directory   ${JSON.stringify(dir)}`];
  if (holder !== null)
    lines.push(
      `in use      by process ${holder.pid} on ${holder.host}: a moment of what it writes; its newest file may end inside a batch`,
    );
  if (manifest !== null) {
    const left = generations.filter((number) => number !== manifest.generation);
    lines.push(
      `manifest    ${manifest.directoryId}, generation ${manifest.generation}, log files ${manifest.firstLog} to ${manifest.lastLog}`,
    );
    if (left.length > 0)
      lines.push(
        `            generations that do not count${holder === null ? "" : " at this moment"}: ${left.join(", ")}`,
      );
    if (manifest.incompleteTo !== null)
      lines.push(`missing     up to offset ${manifest.incompleteTo}, since an earlier start`);
  }
  lines.push(...checkpoints.map(checkpointLine), ...logs.map(logLine));
  if (others.length > 0) lines.push(`not counted ${others.map(shown).join(" ")}`);
  for (const { name, bytes } of quarantine)
    lines.push(
      `quarantine  ${shown(name)}, ${bytes} bytes ${name.endsWith(FORK) ? "of log that no other node had, discarded for a leader of a higher rank" : "that were cut off"}`,
    );
  lines.push(...restoreLines(report.restore), ...startLines(start));
  return `${lines.join("\n")}\n`;
}

function checkpointLine({
  log,
  position,
  records,
  bytes,
  clockMs,
  damage,
}: CheckpointReport): string {
  const what = damage === "" ? "whole" : damage;
  return `checkpoint  ${checkpointName(log)} ${mib(bytes)} at ${position.offset}, ${records} records, ${timeText(clockMs)}: ${what}`;
}

function logLine({ number, head, end, endAt, sizeBytes, damage, marked }: FileReport): string {
  const name = `log         ${logFileName(number)} ${mib(sizeBytes)}`;
  if (head === null) return `${name}: its head is damaged`;
  const mark = marked < 0 ? "no mark" : `marked ${marked}`;
  const what = damage === null ? "whole" : `damage "${damage.kind}" at byte ${endAt}`;
  return `${name} [${head.start.offset}, ${end}) of ${head.start.history}, begun ${timeText(head.clockMs)}, ${mark}: ${what}`;
}

function restoreLines({ ranges, reason }: RestoreReport): string[] {
  if (ranges.length === 0) return [`restore     to no moment: ${reason}`];
  return ranges.map(
    ({ first, last }) => `restore     --at any of ${momentText(first)} to ${momentText(last)}`,
  );
}

/** A name that somebody else gave may have anything in it. */
function shown(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : JSON.stringify(name);
}

function startLines(start: StartReport): string[] {
  const { verdict, reason, checkpoint, firstLog, end, proven, cutBytes, clean } = start;
  if (end === null) return [`start       ${verdict}${reason === "" ? "" : `: ${reason}`}`];
  const from = checkpoint === null ? "the log from its beginning" : checkpointName(checkpoint.log);
  const known = Number.isFinite(proven) ? `offset ${proven}` : "an offset that nobody knows";
  const lines = [
    `start       ${verdict}${reason === "" ? "" : ` (${reason})`}, from ${from} and log files from ${firstLog} on`,
    `            to offset ${end.offset} of ${end.history}; proven synced up to ${known}${clean ? "; stopped cleanly" : ""}`,
  ];
  if (cutBytes > 0) lines.push(`            ${cutBytes} bytes would be cut`);
  return lines;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
