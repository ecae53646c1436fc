/**
 * Standard output as the folder of one file: what is written there goes out, and cannot be taken back.
 *
 * Owns: that stream while a file goes to it. Does not own: what is written (log/disk/checkpoint-writer.ts).
 * Tested in: test/e2e/backup.test.ts.
 */
import type { Writable } from "node:stream";
import { DiskError } from "../errors.ts";
import type { DiskFile, DiskFolder } from "../log/disk/files.ts";

export class StdoutFolder implements DiskFolder {
  /** Why nothing can be written any more; "" while it can. */
  failure = "";
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error) => {
      this.failure = `standard output: ${error.message}`;
    });
  }

  /** Its reader is slower than what is written. */
  get isFull(): boolean {
    return this.failure === "" && this.#stream.writableNeedDrain;
  }

  /** Resolves when its reader has all, or is gone. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write("", () => {
        resolve();
      });
    });
  }

  create(): DiskFile {
    let at = 0;
    return {
      get sizeBytes() {
        return at;
      },
      write: (parts, position) => {
        if (position !== at) throw new DiskError("ERR_DISK_WRITE", "standard output goes forward");
        if (this.failure !== "") throw new DiskError("ERR_DISK_WRITE", this.failure);
        // Copied: the memory of `parts` is used again.
        const bytes = Buffer.concat(parts);
        at += bytes.length;
        this.#stream.write(bytes);
      },
      read: () => 0,
      sync: () => undefined,
      truncate: () => undefined,
      close: () => undefined,
    };
  }

  list(): readonly string[] {
    return [];
  }

  open(): DiskFile {
    throw new DiskError("ERR_DISK_READ", "standard output cannot be read");
  }

  rename(): void {
    // It has no name.
  }

  remove(): void {
    // What went out is out.
  }

  sync(): void {
    // Whoever reads it does.
  }
}
