/** Reading the log back from files: the bytes of the wire from any batch on, or an error, never others. */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { LOG_HEAD_BYTES_MAX, decodeLogHead } from "../../../../src/log/disk/frames.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogReader } from "../../../../src/log/disk/log-reader.ts";
import { Machine, Model, START } from "./machine.ts";

/** A file of many batches and marks, and where each batch begins in the log. */
function written(seed: number) {
  const machine = new Machine(seed);
  const model = new Model();
  const { random } = machine;
  const writer = machine.writer(1, 0, START.chain);
  const boundaries: number[] = [];
  while (writer.number === 1 && boundaries.length < 20) {
    boundaries.push(model.bytes.length);
    const bytes = model.append(random);
    writer.append(bytes, 0, bytes.length);
    if (random.fraction() < 0.5) writer.sync();
    if (random.fraction() < 0.3) writer.rest();
  }
  return { machine, model, boundaries };
}

function reader(machine: Machine): LogReader {
  const file = machine.disk.folder("log").open(logFileName(1));
  const bytes = Buffer.alloc(LOG_HEAD_BYTES_MAX);
  file.read(bytes, 0, bytes.length, 0);
  const { head, bytes: headBytes } = decodeLogHead(bytes);
  return new LogReader(file, head, headBytes);
}

function readAll(from: LogReader, room: number, end: number): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const into = Buffer.alloc(room);
    const count = from.read(into, end);
    if (count === 0) return Buffer.concat(parts);
    parts.push(into.subarray(0, count));
  }
}

const seeds = Array.from({ length: 30 }, (_, i) => i + 1);

describe("LogReader", () => {
  test.each(seeds)("seed %i: from every batch on, with little room and with much", (seed) => {
    const { machine, model, boundaries } = written(seed);
    const last = boundaries.at(-1)!;
    for (const start of boundaries) {
      const inside = Math.min(last, start + machine.random.between(0, 36));
      const from = reader(machine);
      expect(from.seek(inside)).toBe(start);
      const room = machine.random.pick([64, 500, 100_000]);
      const all = readAll(from, room, last);
      expect(all.equals(model.bytes.subarray(start, last))).toBe(true);
      expect(from.offset).toBe(last);
    }
  });

  test.each(seeds)("seed %i: a flipped bit is an error, not other bytes", (seed) => {
    const { machine, model, boundaries } = written(seed);
    const last = boundaries.at(-1)!;
    const folder = machine.disk.folder("log");
    const right = folder.bytesOf(logFileName(1));
    let errors = 0;
    for (let i = 0; i < 30; i++) {
      const rotten = Buffer.from(right);
      const at = machine.random.between(150, rotten.length);
      rotten[at] = rotten[at]! ^ (1 << machine.random.between(0, 8));
      folder.overwrite(logFileName(1), rotten);
      try {
        const all = readAll(reader(machine), 700, last);
        expect(model.bytes.subarray(0, last).equals(all)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(DiskError);
        expect((error as DiskError).code).toBe("ERR_DISK_DAMAGED");
        errors += 1;
      }
      folder.overwrite(logFileName(1), right);
    }
    expect(errors).toBeGreaterThan(0);
  });
});
