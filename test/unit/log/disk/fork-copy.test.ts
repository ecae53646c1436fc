/** What is discarded is copied: which batches, up to which cap, and what a damaged or a full disk leaves of it. */
import { expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import type { DiskFolder } from "../../../../src/log/disk/files.ts";
import { copyFork } from "../../../../src/log/disk/fork-copy.ts";
import { capBytes } from "../../../../src/log/disk/quarantine.ts";
import { DIRECTORY, Machine, Model } from "./machine.ts";

const PLACE = { directoryId: DIRECTORY, generation: 1 };

interface Scene {
  readonly machine: Machine;
  readonly model: Model;
  /** Ends of the batches. */
  readonly ends: number[];
  readonly folder: DiskFolder;
  readonly quarantine: DiskFolder;
}

/** Several files of a log. */
function scene(batches = 60): Scene {
  const machine = new Machine(7);
  machine.fileBytes = 2_000;
  const model = new Model();
  const writer = machine.writer(1, 0, model.chain);
  const ends = [0];
  for (let n = 0; n < batches; n++) {
    const bytes = model.append(machine.random);
    writer.append(bytes, 0, bytes.length);
    ends.push(model.bytes.length);
  }
  writer.sync();
  writer.abandon();
  const folder = machine.disk.folder("log");
  return { machine, model, ends, folder, quarantine: machine.disk.folder("quarantine") };
}

function read(folder: DiskFolder, name: string): Buffer {
  const file = folder.open(name);
  const bytes = Buffer.alloc(file.sizeBytes);
  file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

test("every batch from the fork on, wherever it is, as it is on the wire", () => {
  const { model, ends, folder, quarantine } = scene();
  for (const fork of ends.slice(0, -1)) {
    const copy = copyFork(folder, quarantine, PLACE, fork)!;
    expect(copy).toEqual({
      name: `generation-00000001-at-${fork}.fork`,
      bytes: model.bytes.length - fork,
      isCapped: false,
    });
    expect(read(quarantine, copy.name).equals(model.bytes.subarray(fork))).toBe(true);
  }
});

test("whole batches up to the cap", () => {
  const { model, ends, folder, quarantine } = scene();
  const [fork, most] = [ends[3]!, ends[9]! - ends[3]! + 1];
  const copy = copyFork(folder, quarantine, PLACE, fork, most)!;
  expect(copy).toMatchObject({ bytes: most - 1, isCapped: true });
  expect(read(quarantine, copy.name).equals(model.bytes.subarray(fork, ends[9]))).toBe(true);
});

test("nothing behind the fork, or files of another log => no file", () => {
  const { model, folder, quarantine } = scene();
  expect(copyFork(folder, quarantine, PLACE, model.bytes.length)).toBe(null);
  expect(copyFork(folder, quarantine, { ...PLACE, generation: 2 }, 0)).toBe(null);
  expect(quarantine.list()).toEqual([]);
});

test("a damaged file gives what is before the damage, and those behind it all they have", () => {
  const { model, folder, quarantine } = scene();
  const [name] = folder.list();
  const file = folder.open(name!);
  file.write([Buffer.from([0xff])], file.sizeBytes - 200);
  file.close();
  const copy = copyFork(folder, quarantine, PLACE, 0)!;
  expect(copy.bytes).toBeGreaterThan(0);
  expect(copy.bytes).toBeLessThan(model.bytes.length);
});

test("a disk that takes nothing => null, nothing thrown", () => {
  const { folder } = scene();
  const full: DiskFolder = {
    list: () => [],
    open: () => expect.unreachable(),
    create: () => {
      throw new DiskError("ERR_DISK_FULL", "no room");
    },
    rename: () => undefined,
    remove: () => undefined,
    sync: () => undefined,
  };
  expect(copyFork(folder, full, PLACE, 0)).toBe(null);
});

test("of many copies the oldest go", () => {
  const { ends, folder, quarantine } = scene();
  for (const fork of ends.slice(0, 5)) copyFork(folder, quarantine, PLACE, fork);
  const names = [...quarantine.list()].sort();
  const newest = read(quarantine, names.at(-1)!).length;
  capBytes(quarantine, names, newest);
  expect(quarantine.list()).toEqual([names.at(-1)]);
});
