/**
 * Reads a checkpoint, in steps of a block: the same decoder as of a connection, and the same sums as a
 * replica checks: of every chunk, and of all chunks together.
 *
 *   [ SNAPSHOT | CHUNK 0 | CHUNK 1 | ... | END ]
 *     begin      chunk*                    end      then nothing
 *
 * Whatever is wrong is a DiskError ERR_DISK_DAMAGED: the older checkpoint is used then. What the
 * receiver throws passes through.
 * Owns: order and sums. Does not own: the state that is made of it.
 * Tested in: test/unit/log/disk/checkpoint.test.ts.
 */
import assert from "node:assert/strict";
import { DiskError, WireError } from "../../errors.ts";
import { ChunkTally } from "../../wire/chunk-tally.ts";
import { Decoder, type DecoderSink } from "../../wire/decoder.ts";
import { FRAME, type Control, type SnapshotBegin, type SnapshotEnd } from "../../wire/messages.ts";
import type { DiskFile, DiskFolder } from "./files.ts";
import { checkpointName } from "./checkpoint-writer.ts";

const BLOCK_BYTES = 1024 * 1024;
const TYPES: ReadonlySet<number> = new Set([FRAME.snapshot, FRAME.chunk, FRAME.end]);

/** Who makes a state of it, in this order. Buffers are valid during the call. */
export interface CheckpointSink {
  begin(begin: SnapshotBegin): void;
  /** A whole payload, `bytes[from, to)`, its sum right. */
  chunk(bytes: Buffer, from: number, to: number): void;
  /** The totals are right. */
  end(end: SnapshotEnd): void;
}

export class CheckpointReader {
  readonly #file: DiskFile;
  readonly #name: string;
  readonly #decoder: Decoder;
  readonly #frames: Frames;
  readonly #block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #readBytes = 0;

  /** @throws {DiskError} ERR_DISK_READ when it is not there */
  constructor(folder: Pick<DiskFolder, "open">, log: number, sink: CheckpointSink) {
    this.#name = checkpointName(log);
    this.#file = folder.open(this.#name);
    this.#frames = new Frames(sink);
    this.#decoder = new Decoder(TYPES, this.#frames);
  }

  get totalBytes(): number {
    return this.#file.sizeBytes;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  /** Reads a block. @returns false once all is read and right. @throws {DiskError} ERR_DISK_DAMAGED */
  step(): boolean {
    const count = this.#file.read(this.#block, 0, BLOCK_BYTES, this.#readBytes);
    this.#readBytes += count;
    try {
      this.#decoder.push(this.#block, 0, count);
    } catch (error) {
      if (!(error instanceof WireError) || this.#frames.isInSink) throw error;
      throw this.#damaged(error.message, { cause: error });
    }
    if (count === BLOCK_BYTES) return true;
    if (!this.#frames.isWhole) throw this.#damaged("the file ends before its END");
    return false;
  }

  close(): void {
    this.#file.close();
  }

  #damaged(why: string, options?: ErrorOptions): DiskError {
    return new DiskError("ERR_DISK_DAMAGED", `${this.#name}: ${why}`, options);
  }
}

/** The frames of a checkpoint, in their order. */
class Frames implements DecoderSink {
  /** The receiver runs: what is thrown is its own. */
  isInSink = false;
  isWhole = false;
  readonly #sink: CheckpointSink;
  readonly #tally = new ChunkTally();
  #begin: SnapshotBegin | null = null;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkNumber = 0;
  #filled = 0;

  constructor(sink: CheckpointSink) {
    this.#sink = sink;
  }

  control(message: Control): void {
    if (message.type === "snapshot") this.#takeBegin(message);
    else if (message.type === "end") this.#takeEnd(message);
    else assert.fail(`the decoder let ${message.type} through`);
  }

  chunkHead(number: number, payloadBytes: number): void {
    if (this.#begin === null || this.isWhole) refuse("a CHUNK before SNAPSHOT or behind END");
    this.#chunkNumber = number;
    this.#filled = 0;
    if (this.#chunk.length < payloadBytes) this.#chunk = Buffer.allocUnsafeSlow(payloadBytes);
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.#filled += bytes.copy(this.#chunk, this.#filled, from, to);
  }

  chunkEnd(digest: number): void {
    const { chunks } = this.#tally;
    if (this.#chunkNumber !== chunks) refuse(`CHUNK ${this.#chunkNumber}, expected ${chunks}`);
    this.#tally.note(chunks, this.#filled, digest);
    this.#tell(() => {
      this.#sink.chunk(this.#chunk, 0, this.#filled);
    });
  }

  batchHead(): void {
    assert.fail("the decoder let a batch through");
  }

  batchBytes(): void {
    assert.fail("the decoder let a batch through");
  }

  batchEnd(): void {
    assert.fail("the decoder let a batch through");
  }

  #takeBegin(begin: SnapshotBegin): void {
    if (this.#begin !== null) refuse("a second SNAPSHOT");
    if (begin.firstChunk !== 0) refuse(`SNAPSHOT from chunk ${begin.firstChunk} on`);
    this.#begin = begin;
    this.#tell(() => {
      this.#sink.begin(begin);
    });
  }

  #takeEnd(end: SnapshotEnd): void {
    const { chunks, bytes, digest } = this.#tally;
    if (end.snapshotId !== this.#begin?.snapshotId || this.isWhole)
      refuse("END of another snapshot");
    if (end.chunks !== chunks || end.bytes !== bytes || end.digest !== digest)
      refuse("END does not fit the chunks");
    this.isWhole = true;
    this.#tell(() => {
      this.#sink.end(end);
    });
  }

  #tell(call: () => void): void {
    this.isInSink = true;
    call();
    this.isInSink = false;
  }
}

function refuse(why: string): never {
  throw new WireError("ERR_WIRE_STATE", why);
}
