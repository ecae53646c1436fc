/**
 * Reads a checkpoint, in steps of a block: the same decoder as of a connection, and the same sums as a
 * replica checks: of every chunk, and of all chunks together.
 *
 *   [ SNAPSHOT | CHUNK 0 | CHUNK 1 | ... | END ]
 *     begin      chunk*                    end      then nothing
 *
 * Whatever is wrong is a DiskError ERR_DISK_DAMAGED: the older checkpoint is used then. What the
 * receiver throws passes through.
 * Owns: the reading. Does not own: order and sums (checkpoint-frames.ts), the state that is made of it.
 * Tested in: test/unit/log/disk/checkpoint.test.ts.
 */
import { DiskError, WireError } from "../../errors.ts";
import { Decoder } from "../../wire/decoder.ts";
import { FRAME } from "../../wire/messages.ts";
import { CheckpointFrames, type CheckpointSink } from "./checkpoint-frames.ts";
import type { DiskFile, DiskFolder } from "./files.ts";
import { checkpointName } from "./checkpoint-writer.ts";

const BLOCK_BYTES = 1024 * 1024;
const TYPES: ReadonlySet<number> = new Set([FRAME.snapshot, FRAME.chunk, FRAME.end]);

export class CheckpointReader {
  readonly #file: DiskFile;
  readonly #name: string;
  readonly #decoder: Decoder;
  readonly #frames: CheckpointFrames;
  readonly #block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #readBytes: number;

  /**
   * Reads from byte `from` on: SNAPSHOT is there.
   * @throws {DiskError} ERR_DISK_READ when it is not there
   */
  constructor(folder: Pick<DiskFolder, "open">, log: number, sink: CheckpointSink, from = 0) {
    this.#readBytes = from;
    this.#name = checkpointName(log);
    this.#file = folder.open(this.#name);
    this.#frames = new CheckpointFrames(sink);
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
