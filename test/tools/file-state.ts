/**
 * The smallest state that outlives its process and the machine: one file, to which each batch is appended with
 * its mark and synced. A batch that is not whole at the end of the file was never answered, and is cut off.
 *
 *   file    frames: u32 bytes, u32 crc of the rest, u16 bytes of the mark, the mark, records
 *   record  u32 bytes, then key \0 value, or the key alone: deleted. A snapshot is the first frame of its file
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import type { Batch, Frozen, Mark, ReplicatedState, Staging } from "../../src/bridge/seam.ts";
import { crc32 } from "../../src/wire/crc.ts";

const HEAD = 10;

export class FileState implements ReplicatedState {
  readonly format = { name: "file of texts", version: 1 };
  readonly durability = "power";
  map: Map<string, string> = new Map();
  readonly #path: string;
  #file = -1;
  #at = 0;
  #mark: Mark | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  static set(key: string, value: string): Buffer {
    return Buffer.from(`${key}\0${value}`);
  }

  open(): { readonly mark: Mark | null; readonly empty: boolean } {
    rmSync(`${this.#path}.staged`, { force: true });
    this.#openFile();
    return { mark: this.#mark, empty: this.map.size === 0 };
  }

  #openFile(): void {
    const bytes = existsSync(this.#path) ? readFileSync(this.#path) : Buffer.alloc(0);
    this.#file = openSync(this.#path, bytes.length > 0 ? "r+" : "w+");
    this.map = new Map();
    this.#at = 0;
    this.#mark = null;
    for (let end = frameEnd(bytes, 0); end > 0; end = frameEnd(bytes, this.#at)) {
      const markEnd = this.#at + HEAD + bytes.readUInt16LE(this.#at + 8);
      this.#mark = Uint8Array.from(bytes.subarray(this.#at + HEAD, markEnd));
      for (let at = markEnd; at < end; at += 4 + bytes.readUInt32LE(at))
        change(this.map, bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)));
      this.#at = end;
    }
    ftruncateSync(this.#file, this.#at);
  }

  apply(batch: Batch): void {
    const frame = frameOf(batch, batch.end);
    writeSync(this.#file, frame, 0, frame.length, this.#at);
    fsyncSync(this.#file);
    this.#at += frame.length;
    this.#mark = batch.end;
    for (const record of batch) change(this.map, record);
  }

  mark(): Mark | null {
    return this.#mark;
  }

  freeze(): Frozen {
    const records = [...this.map]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => FileState.set(key, value));
    return { records: records.length, read: () => [{ records }], close: () => undefined };
  }

  stage(): Staging {
    const loaded: Buffer[] = [];
    return {
      load: (records) => {
        for (const record of records) loaded.push(Buffer.from(record));
      },
      commit: (end) => {
        const staged = openSync(`${this.#path}.staged`, "w");
        writeSync(staged, frameOf(loaded, end));
        fsyncSync(staged);
        closeSync(staged);
        closeSync(this.#file);
        renameSync(`${this.#path}.staged`, this.#path);
        this.#openFile();
      },
      abort: () => undefined,
    };
  }
}

function frameOf(records: Iterable<Buffer>, mark: Mark): Buffer {
  const parts: Buffer[] = [Buffer.alloc(HEAD), Buffer.from(mark)];
  for (const record of records) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(record.length);
    parts.push(length, Buffer.from(record));
  }
  const frame = Buffer.concat(parts);
  frame.writeUInt32LE(frame.length, 0);
  frame.writeUInt16LE(mark.length, 8);
  frame.writeUInt32LE(crc32(frame, 8, frame.length, 0), 4);
  return frame;
}

/** Where the frame at `at` ends; -1 when there is no whole one. */
function frameEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at < HEAD) return -1;
  const end = at + bytes.readUInt32LE(at);
  if (end > bytes.length || end < at + HEAD) return -1;
  return crc32(bytes, at + 8, end, 0) === bytes.readUInt32LE(at + 4) ? end : -1;
}

function change(map: Map<string, string>, record: Buffer): void {
  const at = record.indexOf(0);
  if (at < 0) map.delete(record.toString());
  else map.set(record.toString("utf8", 0, at), record.toString("utf8", at + 1));
}
