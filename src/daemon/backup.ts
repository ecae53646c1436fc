/**
 * `hawser backup DIR|-`: a copy of a running node, taken over its replication port, as the file of a
 * checkpoint.
 *
 *   to DIR   aside, every sum checked as it comes, synced, renamed: an interrupted one has no file, and what a
 *            killed one left is removed by the next
 *   to -     standard output; what was written before it failed is no checkpoint, and its END is missing
 *
 * Exit codes: 0 whole; 1 not; 2 wrong command line.
 * Owns: what is said. Does not own: the file's name (backup-names.ts), the connection (replica/copying.ts),
 * the file's form (log/disk/backup-head.ts, checkpoint-writer.ts).
 * Tested in: test/e2e/backup.test.ts.
 */
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { existsSync, statSync } from "node:fs";
import { DiskError, wordsOf } from "../errors.ts";
import { BACKUP_FORMAT, encodeBackupHead } from "../log/disk/backup-head.ts";
import { CheckpointCopy } from "../log/disk/checkpoint-copy.ts";
import type { CheckpointSink } from "../log/disk/checkpoint-frames.ts";
import { CheckpointWriter } from "../log/disk/checkpoint-writer.ts";
import { type DiskFolder, leaveFailed } from "../log/disk/files.ts";
import { UNFINISHED } from "../log/disk/small-files.ts";
import { formatAddress } from "../net/address.ts";
import { beganOf, thisProcess } from "../node/disk/directory-lock.ts";
import { FsFolder } from "../node/disk/fs-folder.ts";
import { escapeText } from "../node/logger.ts";
import { UsageError } from "../node/option-values.ts";
import { CLIENT_PORT_PROBE } from "../node/target-probe.ts";
import { SessionSocket } from "../node/upstream-socket.ts";
import { Copying } from "../replica/copying.ts";
import { randomId } from "../wire/id.ts";
import type { SnapshotBegin, SnapshotEnd, Welcome } from "../wire/messages.ts";
import { backupName, begunName, leftBehind } from "./backup-names.ts";
import type { BackupOptions } from "./offline-options.ts";
import { ProgressTerminal, transferLine } from "./progress.ts";
import { StdoutFolder } from "./stdout-folder.ts";

const SHOW_MS = 200;

/** Resolves with the exit code. */
export async function runBackup(options: BackupOptions): Promise<number> {
  const terminal = new ProgressTerminal(process.stderr);
  try {
    const target = options.to === "-" ? new StdoutTarget() : new FileTarget(options.to);
    await take(options, target, terminal);
    await target.flushed();
    terminal.progress("");
    const said = options.json ? reportJson(target) : reportText(target);
    (options.to === "-" ? process.stderr : process.stdout).write(said);
    return 0;
  } catch (error) {
    terminal.progress("");
    const words = escapeText(wordsOf(error));
    process.stderr.write(`hawser backup: ${words}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** Resolves when `target` has all; rejects after what was begun is removed. */
function take(options: BackupOptions, target: Target, terminal: ProgressTerminal): Promise<void> {
  const socket = new SessionSocket(() => options.from, CLIENT_PORT_PROBE);
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const copying = new Copying({
      shell: socket,
      password: options.password,
      randomId,
      welcomed: (welcome) => {
        target.of(welcome);
      },
      sink: target,
      isFull: () => target.isFull,
      onDone: (error) => {
        socket.close();
        clearInterval(clock);
        for (const signal of SIGNALS) process.off(signal, interrupted);
        if (error === "") resolve();
        else reject(new Error(`${formatAddress(options.from)}: ${error}${target.abandon()}`));
      },
    });
    const interrupted = (): void => copying.stop("interrupted");
    for (const signal of SIGNALS) process.on(signal, interrupted);
    const clock = setInterval(() => {
      if (target.failure !== "") copying.stop(target.failure);
      else if (process.stderr.isTTY)
        terminal.progress(
          `backup: ${transferLine(target.chunks, target.bytes, target.expected, performance.now() - startedMs)}`,
        );
    }, SHOW_MS);
    socket.attach(copying);
    copying.start(startedMs);
  });
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Where the copy goes. */
abstract class Target implements CheckpointSink {
  chunks = 0;
  bytes = 0;
  /** An estimate; 0 before it is known. */
  expected = 0;
  /** What the file begins with. */
  protected head: Buffer = Buffer.alloc(0);
  protected readonly copy: CheckpointCopy = new CheckpointCopy((begin) => this.start(begin));

  protected abstract start(begin: SnapshotBegin): CheckpointWriter;
  /** Its name, for people. */
  abstract readonly name: string;
  /** It can take no more now. */
  abstract readonly isFull: boolean;
  /** Why it can take nothing any more; "" while it can. */
  abstract readonly failure: string;
  /** All of it is where it belongs. */
  abstract flushed(): Promise<void>;

  get made(): ReturnType<CheckpointCopy["made"]> {
    return this.copy.made();
  }

  /** It is a copy of this node. */
  of({ clusterId, nodeId }: Welcome): void {
    const clockMs = Date.now();
    this.head = encodeBackupHead({ format: BACKUP_FORMAT, clusterId, nodeId, clockMs });
  }

  begin(begin: SnapshotBegin): void {
    this.expected = begin.bytes;
    this.copy.begin(begin);
  }

  chunk(bytes: Buffer, from: number, to: number): void {
    this.chunks += 1;
    this.bytes += to - from;
    this.copy.chunk(bytes, from, to);
  }

  end(end: SnapshotEnd): void {
    this.copy.end(end);
  }

  /** What was begun goes. @returns what that came to, for people; "" when it is gone */
  abandon(): string {
    try {
      this.copy.abandon();
      return "";
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return `; ${error.message}`;
    }
  }
}

/** A file in a directory, which is made if it is not there. */
class FileTarget extends Target {
  readonly isFull = false;
  readonly failure = "";
  readonly #dir: string;
  #folder: DiskFolder | null = null;
  #file = "";
  #begun = "";

  constructor(dir: string) {
    super();
    if (existsSync(dir) && !statSync(dir).isDirectory())
      throw new UsageError(
        `"${dir}": it is a file; expected a directory, or - for standard output`,
      );
    this.#dir = dir;
  }

  get name(): string {
    return join(this.#dir, this.#file);
  }

  protected start(begin: SnapshotBegin): CheckpointWriter {
    const self = thisProcess();
    this.#file = backupName(Date.now(), begin.position.offset);
    this.#begun = begunName(this.#file, self);
    const folder = (this.#folder = FsFolder.make(this.#dir));
    // Of backups that were killed. Why not an error: this one does not need the room, perhaps.
    leaveFailed(() => {
      for (const name of leftBehind(folder.list(), self, beganOf)) folder.remove(name);
    });
    return new CheckpointWriter(folder, this.#begun, begin, this.head);
  }

  override end(end: SnapshotEnd): void {
    super.end(end);
    this.#folder!.rename(this.#begun + UNFINISHED, this.#file);
    this.#folder!.sync();
  }

  flushed(): Promise<void> {
    return Promise.resolve();
  }
}

class StdoutTarget extends Target {
  readonly name = "-";
  readonly #folder = new StdoutFolder(process.stdout);

  get isFull(): boolean {
    return this.#folder.isFull;
  }

  get failure(): string {
    return this.#folder.failure;
  }

  protected start(begin: SnapshotBegin): CheckpointWriter {
    return new CheckpointWriter(this.#folder, "stdout", begin, this.head);
  }

  async flushed(): Promise<void> {
    await this.#folder.flushed();
    if (this.failure !== "") throw new Error(this.failure);
  }
}

function reportText({ name, made }: Target): string {
  const { begin, end, bytes } = made;
  const { history, offset } = begin.position;
  return `backup  ${escapeText(name)}   ${history} @ ${offset}   ${end.records} records   ${bytes} bytes\n`;
}

function reportJson({ name, made }: Target): string {
  const { begin, end, bytes } = made;
  const { position, lineage } = begin;
  return `${JSON.stringify({ file: name, position, lineage, records: end.records, bytes })}\n`;
}
