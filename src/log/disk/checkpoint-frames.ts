/**
 * The frames of a snapshot as a checkpoint has them, from a file or from a connection: their order, the sum of
 * every chunk, and of all chunks together, before a receiver hears of them.
 *
 *   SNAPSHOT (from chunk 0) -> CHUNK 0 .. n-1, in order -> END: counts and digest fit -> whole
 *
 * What does not fit is a WireError; what the receiver throws passes through.
 * Owns: order and sums. Does not own: where bytes come from (checkpoint-reader.ts, replica/copying.ts).
 * Tested in: test/unit/log/disk/checkpoint.test.ts.
 */
import assert from "node:assert/strict";
import { WireError } from "../../errors.ts";
import { ChunkTally } from "../../wire/chunk-tally.ts";
import type { DecoderSink } from "../../wire/decoder.ts";
import type { Control, SnapshotBegin, SnapshotEnd } from "../../wire/messages.ts";

/** Who makes a state of it, in this order. Buffers are valid during the call. */
export interface CheckpointSink {
  begin(begin: SnapshotBegin): void;
  /** A whole payload, `bytes[from, to)`, its sum right. */
  chunk(bytes: Buffer, from: number, to: number): void;
  /** The totals are right. */
  end(end: SnapshotEnd): void;
}

/** The frames of a checkpoint, in their order. */
export class CheckpointFrames implements DecoderSink {
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

  /** SNAPSHOT; null before it. */
  get begin(): SnapshotBegin | null {
    return this.#begin;
  }

  /** Chunks that are in. */
  get chunks(): number {
    return this.#tally.chunks;
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
