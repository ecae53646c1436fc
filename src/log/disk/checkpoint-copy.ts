/**
 * What is read of a checkpoint, or arrives as a ship, becomes the file of another: chunk for chunk, heads
 * made anew.
 *
 * Owns: one file that is written. Does not own: that what comes is in order and right
 * (checkpoint-frames.ts), the name under which the file counts in the end.
 * Tested in: test/unit/node/disk/restore-directory.test.ts.
 */
import { DiskError } from "../../errors.ts";
import { CHUNK_HEAD_BYTES, chunkSum, sealChunkHead } from "../../wire/frame.ts";
import type { SnapshotBegin, SnapshotEnd } from "../../wire/messages.ts";
import type { CheckpointSink } from "./checkpoint-frames.ts";
import type { CheckpointWriter } from "./checkpoint-writer.ts";

export class CheckpointCopy implements CheckpointSink {
  readonly #start: (begin: SnapshotBegin) => CheckpointWriter;
  #writer: CheckpointWriter | null = null;
  #end: SnapshotEnd | null = null;
  #frame: Buffer = Buffer.alloc(0);
  #chunks = 0;

  /** `start` makes the file of what begins, under another name if it likes. */
  constructor(start: (begin: SnapshotBegin) => CheckpointWriter) {
    this.#start = start;
  }

  begin(begin: SnapshotBegin): void {
    this.#writer = this.#start(begin);
  }

  chunk(bytes: Buffer, from: number, to: number): void {
    const length = CHUNK_HEAD_BYTES + to - from;
    if (this.#frame.length < length) this.#frame = Buffer.allocUnsafeSlow(length);
    bytes.copy(this.#frame, CHUNK_HEAD_BYTES, from, to);
    const number = this.#chunks++;
    sealChunkHead(this.#frame, 0, number, to - from, chunkSum(bytes, from, to, number));
    this.#writer!.chunk(this.#frame, 0, length);
  }

  end(end: SnapshotEnd): void {
    this.#end = end;
    this.#writer!.finish(end);
  }

  /** What was begun goes. @throws {DiskError} when it cannot be removed */
  abandon(): void {
    this.#writer?.abandon();
  }

  /** What the file has. @throws {DiskError} ERR_DISK_DAMAGED when it is not whole */
  made(): { readonly begin: SnapshotBegin; readonly end: SnapshotEnd; readonly bytes: number } {
    if (this.#writer === null || this.#end === null)
      throw new DiskError("ERR_DISK_DAMAGED", "the file is no checkpoint");
    const { begin, bytes } = this.#writer;
    return { begin, end: this.#end, bytes };
  }
}
