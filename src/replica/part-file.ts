/**
 * A half received snapshot on disk, so that a replica that is killed goes on where it was.
 *
 *   snapshot.part   ( payloadBytes:u32 digest:u32 | number:u32 payload )*    little-endian
 *   snapshot.json   { version, begin, chunks, fileBytes }                     the checkpoint
 *
 * Order of a checkpoint, every CHECKPOINT_BYTES:
 *   1 the chunks are written   2 the part file is synced   3 the checkpoint is written aside, synced
 *   4 renamed                  5 the directory is synced
 * so a checkpoint never names bytes that a crash could lose. What the file has beyond its checkpoint
 * is cut off at the next start.
 *
 * A disk that fails, or is full, costs the keeping, not the sync: one log line, the files are removed
 * so that they do not go on filling it, and the rest of the snapshot is not kept.
 * Owns: two files in one directory. Does not own: what chunks mean (restorer.ts).
 * Tested in: test/unit/fuzz/part-file.test.ts, test/e2e/part-file.test.ts.
 */
import { rmSync } from "node:fs";
import { type FileHandle, open, readFile, rename, truncate } from "node:fs/promises";
import { join } from "node:path";
import { LIMITS } from "../limits.ts";
import type { SnapshotBegin } from "../wire/messages.ts";
import type { ChunkKeeper, KeptChunkVisitor, KeptSnapshot } from "./keeper.ts";
import { type Checkpoint, PART_VERSION, readCheckpoint } from "./part-checkpoint.ts";

const HEAD_BYTES = 8;
const NUMBER_BYTES = 4;
const CHECKPOINT_BYTES = 16 * 1024 * 1024;

export type PartFileLog = (
  event: string,
  fields: Readonly<Record<string, string | number>>,
) => void;

export class PartFile implements ChunkKeeper {
  kept: KeptSnapshot | null = null;
  pendingBytes = 0;
  private readonly dir: string;
  private readonly partPath: string;
  private readonly checkpointPath: string;
  private readonly log: PartFileLog;
  private file: FileHandle | null = null;
  /** Ends with everything that was asked for so far. */
  private work: Promise<void> = Promise.resolve();
  private fileBytes = 0;
  private chunks = 0;
  private sinceCheckpoint = 0;
  /** Grows with begin() and clear(): work for an earlier snapshot does nothing. */
  private generation = 0;
  /** The snapshot that the file holds chunks of. */
  private held: SnapshotBegin | null = null;
  /** A write failed: nothing is kept before the next begin(). */
  private broken = false;

  /** `dir` is there. */
  constructor(dir: string, log: PartFileLog) {
    this.dir = dir;
    this.log = log;
    this.partPath = join(dir, "snapshot.part");
    this.checkpointPath = join(dir, "snapshot.json");
  }

  /** Looks for what an earlier process left, and cuts it to its checkpoint. What cannot be used is removed. */
  async open(): Promise<void> {
    const { generation } = this;
    this.run(generation, async () => {
      const checkpoint = await this.findCheckpoint();
      // Why again: whoever cleared meanwhile has the files removed next, or begins them anew.
      if (generation !== this.generation) return;
      if (checkpoint === null) {
        this.tryRemoveFiles();
        return;
      }
      const { begin, chunks, fileBytes } = checkpoint;
      this.kept = { begin, chunks };
      this.fileBytes = fileBytes;
      this.chunks = chunks;
      this.log("part_file_found", { chunks, bytes: fileBytes });
    });
    await this.work;
  }

  private async findCheckpoint(): Promise<Checkpoint | null> {
    try {
      const checkpoint = readCheckpoint(await readFile(this.checkpointPath, "utf8"));
      await truncate(this.partPath, checkpoint.fileBytes);
      return checkpoint;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.log("part_file_unusable", { why: String(error) });
      return null;
    }
  }

  replay(visit: KeptChunkVisitor, done: (error: Error | null) => void): void {
    const { generation } = this;
    this.run(generation, async () => {
      let failure: Error | null = null;
      try {
        await this.readChunks(visit, generation);
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
      if (generation === this.generation) done(failure);
    });
  }

  private async readChunks(visit: KeptChunkVisitor, generation: number): Promise<void> {
    const file = await open(this.partPath, "r");
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      let at = 0;
      while (at < this.fileBytes && generation === this.generation) {
        await readFully(file, head, HEAD_BYTES, at);
        const payloadBytes = head.readUInt32LE(0);
        if (payloadBytes > LIMITS.chunkBytesMax)
          throw new Error(`a chunk of ${payloadBytes} bytes in the part file`);
        const body = Buffer.allocUnsafe(NUMBER_BYTES + payloadBytes);
        await readFully(file, body, body.length, at + HEAD_BYTES);
        const goOn = await new Promise<boolean>((resolve) =>
          visit(body, 0, payloadBytes, head.readUInt32LE(4), resolve),
        );
        if (!goOn) return;
        at += HEAD_BYTES + body.length;
      }
    } finally {
      await file.close();
    }
  }

  begin(begin: SnapshotBegin): void {
    this.clear();
    this.broken = false;
    const { generation } = this;
    this.run(generation, async () => {
      this.file = await open(this.partPath, "w");
      await this.checkpoint(begin);
    });
  }

  keep(number: number, digest: number, payload: Buffer, begin: SnapshotBegin): void {
    if (this.broken) return;
    const record = Buffer.allocUnsafe(HEAD_BYTES + NUMBER_BYTES + payload.length);
    record.writeUInt32LE(payload.length, 0);
    record.writeUInt32LE(digest, 4);
    record.writeUInt32LE(number, HEAD_BYTES);
    payload.copy(record, HEAD_BYTES + NUMBER_BYTES);
    this.pendingBytes += record.length;
    this.run(this.generation, async () => {
      this.file ??= await open(this.partPath, "r+");
      await writeFully(this.file, record, this.fileBytes);
      this.pendingBytes -= record.length;
      this.fileBytes += record.length;
      this.chunks = number + 1;
      this.held = begin;
      this.sinceCheckpoint += record.length;
      if (this.sinceCheckpoint >= CHECKPOINT_BYTES) await this.checkpoint(begin);
    });
  }

  private async checkpoint(begin: SnapshotBegin): Promise<void> {
    await this.file!.datasync();
    const { chunks, fileBytes } = this;
    const aside = `${this.checkpointPath}.tmp`;
    const file = await open(aside, "w");
    try {
      await file.writeFile(JSON.stringify({ version: PART_VERSION, begin, chunks, fileBytes }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, this.checkpointPath);
    const directory = await open(this.dir, "r");
    await directory.sync().finally(() => directory.close());
    this.sinceCheckpoint = 0;
  }

  clear(): void {
    this.generation += 1;
    this.kept = null;
    this.pendingBytes = 0;
    this.run(this.generation, () => this.letGo());
  }

  /** Closes the file and removes both. */
  private async letGo(): Promise<void> {
    const { file } = this;
    this.file = null;
    this.fileBytes = 0;
    this.chunks = 0;
    this.sinceCheckpoint = 0;
    this.held = null;
    // Why not awaited to succeed: a disk that fails may fail this too, and the files are to go.
    await file?.close().catch(() => undefined);
    this.removeFiles();
  }

  /** The checkpoint first: without it the part file means nothing. */
  private removeFiles(): void {
    for (const path of [this.checkpointPath, `${this.checkpointPath}.tmp`, this.partPath])
      rmSync(path, { force: true });
  }

  private tryRemoveFiles(): void {
    try {
      this.removeFiles();
    } catch (error) {
      this.log("part_file_failed", { why: String(error) });
    }
  }

  /** Writes a last checkpoint and closes the file, after everything that was asked for so far. */
  async close(): Promise<void> {
    const { generation } = this;
    this.run(generation, async () => {
      if (this.file !== null && this.held !== null) await this.checkpoint(this.held);
    });
    await this.work;
    await this.file?.close();
    this.file = null;
  }

  /** Does `step` after all that was asked for before, unless another snapshot began meanwhile. */
  private run(generation: number, step: () => Promise<void>): void {
    this.work = this.work.then(async () => {
      if (generation !== this.generation || this.broken) return;
      try {
        await step();
      } catch (error) {
        // Why only then: what fails for an earlier snapshot says nothing about the present one.
        if (generation === this.generation) await this.giveUp(error);
      }
    });
  }

  private async giveUp(error: unknown): Promise<void> {
    this.broken = true;
    this.pendingBytes = 0;
    this.log("part_file_failed", { why: String(error) });
    try {
      await this.letGo();
    } catch {
      // The line is written: a disk on which a file cannot even be removed tells nothing new.
    }
  }
}

/** A disk that gets full takes a part, and says so at the next write only. */
async function writeFully(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function readFully(
  file: FileHandle,
  into: Buffer,
  length: number,
  at: number,
): Promise<void> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(into, done, length - done, at + done);
    if (bytesRead === 0) throw new Error("the part file is shorter than its checkpoint says");
    done += bytesRead;
  }
}
