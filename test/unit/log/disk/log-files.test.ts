/** The log over its files: the same bytes from any offset on, while more is written, and no others. */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { LogFiles } from "../../../../src/log/disk/log-files.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { DIRECTORY, Machine, Model, START } from "./machine.ts";

function made(seed: number, batches: number) {
  const machine = new Machine(seed);
  const model = new Model();
  const writer = machine.writer(1, 0, START.chain);
  const boundaries = new Map<number, number>();
  const write = (count: number): void => {
    for (let i = 0; i < count; i++) {
      boundaries.set(model.bytes.length, model.chain);
      const bytes = model.append(machine.random);
      writer.append(bytes, 0, bytes.length);
      if (machine.random.fraction() < 0.4) writer.sync();
    }
  };
  write(batches);
  const folder = machine.disk.folder("log");
  const files = new LogFiles({ folder, directoryId: DIRECTORY, generation: 1, first: 1 });
  return { machine, model, writer, boundaries, write, folder, files };
}

function readAll(files: LogFiles, from: number, end: number, room: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = from; at < end;) {
    const into = Buffer.alloc(room);
    const count = files.read(into, at, end);
    expect(count).toBeGreaterThan(0);
    parts.push(into.subarray(0, count));
    at += count;
  }
  return Buffer.concat(parts);
}

const seeds = Array.from({ length: 15 }, (_, i) => i + 1);

describe("LogFiles", () => {
  test.each(seeds)("seed %i: from any offset on, inside batches too", (seed) => {
    const { machine, model, writer, files } = made(seed, 60);
    expect(writer.number).toBeGreaterThan(2);
    const end = model.bytes.length;
    for (let i = 0; i < 40; i++) {
      const from = machine.random.between(0, end);
      const room = machine.random.pick([64, 1000, 50_000]);
      const to = Math.min(end, from + machine.random.between(1, 20_000));
      const bytes = readAll(files, from, end, room).subarray(0, to - from);
      expect(bytes.equals(model.bytes.subarray(from, to)), `from ${from}`).toBe(true);
    }
    files.close();
  });

  test("many readers at a time, while more is written", () => {
    const { model, write, files, machine } = made(3, 5);
    const places = Array.from({ length: 30 }, () => 0);
    for (let round = 0; round < 200; round++) {
      if (round < 50) write(2);
      const which = machine.random.between(0, places.length);
      const at = places[which]!;
      if (at === model.bytes.length) continue;
      const into = Buffer.alloc(machine.random.pick([100, 3000]));
      const count = files.read(into, at, model.bytes.length);
      expect(into.subarray(0, count).equals(model.bytes.subarray(at, at + count))).toBe(true);
      places[which] = at + count;
    }
    expect(Math.max(...places)).toBeGreaterThan(0);
    files.close();
  });

  test("the chain at every boundary, and nowhere else", () => {
    const { boundaries, files, model } = made(4, 40);
    for (const [offset, chain] of boundaries) {
      expect(files.chainAt(offset)).toBe(chain);
      expect(files.chainAt(offset + 1)).toBe(-1);
    }
    expect(files.chainAt(model.bytes.length)).toBe(model.chain);
    files.close();
  });

  test("what was dropped is gone", () => {
    const { files, folder, model, writer } = made(5, 60);
    readAll(files, 0, model.bytes.length, 1000);
    const first = writer.number - 1;
    for (let number = 1; number < first; number++) folder.lose(logFileName(number));
    files.dropBefore(first);
    expect(files.read(Buffer.alloc(100), 0, model.bytes.length)).toBe(0);
    expect(files.chainAt(0)).toBe(-1);
    expect(files.read(Buffer.alloc(100), model.bytes.length - 1, model.bytes.length)).toBe(1);
  });

  test("a file that is missing in the middle is damage, not a jump", () => {
    const { files, folder, model } = made(6, 60);
    folder.lose(logFileName(2));
    expect(() => readAll(files, 0, model.bytes.length, 1000)).toThrow(DiskError);
  });
});
