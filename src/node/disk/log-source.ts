/**
 * A data directory that is read and not changed: its checkpoints and its log, for a restore up to a point.
 *
 * It may be in use: log files only grow, and what is read of them was checked. Files that a node removes
 * meanwhile end the restore with an error.
 *
 * Pure but for a DiskTree. Owns: which checkpoints and which log file a restore may begin with, the range.
 * Does not own: what is made of it (restore-directory.ts).
 */
import { DiskError } from "../../errors.ts";
import type { DiskFolder, DiskTree } from "../../log/disk/files.ts";
import type { LogHead } from "../../log/disk/frames.ts";
import { generationName, generationNumbers } from "../../log/disk/generation-names.ts";
import type { LogPoint } from "../../log/disk/log-copy.ts";
import { LogFileScan, type BatchSink } from "../../log/disk/log-file-scan.ts";
import { logFileName, logFileNumbers } from "../../log/disk/log-file-names.ts";
import { readLogHead } from "../../log/disk/log-head.ts";
import { LogRecovery } from "../../log/disk/log-recovery.ts";
import type { CheckpointEntry, Manifest } from "../../log/disk/manifest.ts";
import { claimsOf, type LogStart } from "../../log/disk/verdict.ts";
import { batchClockMs } from "../../wire/frame.ts";
import { keptManifest } from "./data-directory.ts";

/** An offset, and the clock of the batch that ends there, ms; 0 for none. */
export interface LogMoment {
  readonly offset: number;
  readonly clockMs: number;
}

/** From the first to the last moment that a restore can reach. */
export interface LogRange {
  readonly first: LogMoment;
  readonly last: LogMoment;
}

export class LogSource {
  readonly folder: DiskFolder;
  readonly manifest: Manifest;

  /** @throws {DiskError} when it is no data directory, or its manifest is damaged */
  constructor(tree: DiskTree) {
    const manifest = keptManifest(tree, generationNumbers(tree));
    if (manifest === null) throw new DiskError("ERR_DISK_READ", "it is no data directory");
    this.manifest = manifest;
    this.folder = tree.folder(generationName(manifest.generation));
  }

  /** Checkpoints that are not above the point, newest first. */
  checkpointsFor(point: LogPoint): readonly CheckpointEntry[] {
    const { checkpoints } = this.manifest;
    switch (point.kind) {
      case "end":
        return checkpoints;
      case "offset":
        return checkpoints.filter(({ position }) => position.offset <= point.offset);
      case "time":
        return checkpoints.filter(({ log }) => this.clockBefore(log) <= point.ms);
    }
  }

  /** The head of a log file; null when it is not there, or damaged. */
  head(number: number): LogHead | null {
    const name = logFileName(number);
    if (!this.folder.list().includes(name)) return null;
    const file = this.folder.open(name);
    try {
      return readLogHead(file, number, this.manifest)?.head ?? null;
    } finally {
      file.close();
    }
  }

  /** The first log file, when the log begins with it: then no checkpoint is needed. */
  beginning(): LogHead | null {
    const head = this.head(this.manifest.firstLog);
    return head?.start.offset === 0 ? head : null;
  }

  /** The newest log file that begins at `offset` or before it; null for none. */
  fileFor(offset: number): LogHead | null {
    for (const number of logFileNumbers(this.folder, this.manifest.firstLog).toReversed()) {
      const head = this.head(number);
      if (head !== null && head.start.offset <= offset) return head;
    }
    return null;
  }

  /**
   * Clock of the batch before log file `number`, ms; 0 at the beginning of the log. When that batch is not
   * there any more, when the file was begun.
   */
  clockBefore(number: number): number {
    const head = this.head(number);
    if (head?.start.offset === 0) return 0;
    const clocks = new ClockSink();
    const before = this.head(number - 1);
    if (before !== null) this.#scan(before, clocks);
    return clocks.clockMs > 0 ? clocks.clockMs : (head?.clockMs ?? 0);
  }

  /** Reads the log from file `first` on, which begins at `start`. It repairs nothing. */
  read(first: number, start: LogStart, sink: BatchSink): LogRecovery {
    const { directoryId, generation } = this.manifest;
    return new LogRecovery({
      folder: this.folder,
      directoryId,
      generation,
      start,
      claims: claimsOf(this.manifest, first),
      sink,
      // Of a repair, which is not made.
      quarantine: this.folder,
      quarantineBytesMax: 0,
      rememberIncomplete: () => undefined,
    });
  }

  /** Between which moments it can be restored, its checkpoints taken as whole. */
  range(): LogRange {
    const oldest = this.manifest.checkpoints.at(-1);
    const beginning = this.beginning();
    const number = beginning?.number ?? oldest?.log ?? this.manifest.firstLog;
    return this.#rangeFrom(number, beginning?.start ?? oldest?.position ?? { offset: 0, chain: 0 });
  }

  /** All of them, with `whole` checkpoints alone: where the log has a hole, the next one begins another. */
  ranges(whole: readonly CheckpointEntry[]): readonly LogRange[] {
    const beginning = this.beginning();
    const bases = whole.map(({ log, position }) => ({ log, start: position })).toReversed();
    // Why the term: without one there is no state (restore-directory.ts).
    if (beginning !== null && beginning.rank.term > 0)
      bases.unshift({ log: beginning.number, start: beginning.start });
    const ranges: LogRange[] = [];
    for (const { log, start } of bases)
      if (start.offset > (ranges.at(-1)?.last.offset ?? -1))
        ranges.push(this.#rangeFrom(log, start));
    return ranges;
  }

  #rangeFrom(number: number, start: LogStart): LogRange {
    const first = { offset: start.offset, clockMs: this.clockBefore(number) };
    const clocks = new ClockSink(first);
    const reading = this.read(number, start, clocks);
    while (reading.step());
    return { first, last: { offset: clocks.offset, clockMs: clocks.clockMs } };
  }

  #scan(head: LogHead, sink: BatchSink): void {
    const file = this.folder.open(logFileName(head.number));
    try {
      const read = readLogHead(file, head.number, this.manifest);
      if (read === null) return;
      const scan = new LogFileScan(file, read.head, read.bytes, sink);
      while (scan.damage === null && scan.step());
    } finally {
      file.close();
    }
  }
}

/** Where whole batches end, and the clock of the newest. */
class ClockSink implements BatchSink {
  offset: number;
  clockMs: number;
  #length = 0;
  #clockMs = 0;

  constructor(from: LogMoment = { offset: 0, clockMs: 0 }) {
    this.offset = from.offset;
    this.clockMs = from.clockMs;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.#length = length;
    this.#clockMs = batchClockMs(head, at);
  }

  batchBytes(): void {}

  batchEnd(): void {
    this.offset += this.#length;
    this.clockMs = this.#clockMs;
  }
}
