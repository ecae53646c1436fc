/** What is said of whole and damaged data directories is what a start comes to, and nothing is changed. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import { writeManifest } from "../../../../src/log/disk/manifest-file.ts";
import { runInspect } from "../../../../src/daemon/inspect.ts";
import { DirectoryLock } from "../../../../src/node/disk/directory-lock.ts";
import { reportDirectory } from "../../../../src/node/disk/directory-report.ts";
import { FsTree } from "../../../../src/node/disk/fs-folder.ts";
import { randomId } from "../../../../src/wire/id.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY, Model, START } from "../../log/disk/machine.ts";

const GENERATION = "generation-00000001";
let dir = "";
let model = new Model();
let lastLog = 0;

/** A directory of some log files, every one synced but for the end of the newest. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-report-"));
  const tree = new FsTree(dir);
  model = new Model();
  const random = new Random(5);
  const writer = new LogFileWriter(
    {
      folder: tree.make(GENERATION),
      fileBytes: 8_000,
      directoryId: DIRECTORY,
      generation: 1,
      mint: randomId,
      clock: Date.now,
      name: () => undefined,
    },
    1,
    START,
    { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] },
  );
  for (let i = 0; i < 60; i++) {
    const bytes = model.append(random);
    writer.append(bytes, 0, bytes.length);
    if (i % 7 === 0) writer.sync();
  }
  lastLog = writer.number;
  writeManifest(tree.root, manifest());
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function manifest() {
  return {
    directoryId: DIRECTORY,
    generation: 1,
    firstLog: 1,
    lastLog,
    checkpoints: [],
    incompleteTo: null,
  };
}

const report = () => reportDirectory(new FsTree(dir));
const pathOf = (number: number): string => join(dir, GENERATION, logFileName(number));

/** All bytes of all files. */
function everything(): string {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return names
    .map((name) => {
      try {
        return `${name} ${readFileSync(join(dir, name)).toString("base64")}`;
      } catch {
        return name;
      }
    })
    .join("\n");
}

/** What a recovery of a copy comes to. */
function recovered(): { kind: string; end: number; cutBytes: number } {
  const copy = mkdtempSync(join(tmpdir(), "hawser-report-copy-"));
  try {
    cpSync(dir, copy, { recursive: true });
    const folder = new FsTree(copy).folder(GENERATION);
    const recovery = new LogRecovery({
      folder,
      quarantine: folder,
      quarantineBytesMax: 0,
      rememberIncomplete: () => undefined,
      directoryId: DIRECTORY,
      generation: 1,
      start: START,
      claims: { first: 1, last: lastLog, proven: 0 },
      sink: { batchHead: () => {}, batchBytes: () => {}, batchEnd: () => {} },
    });
    while (recovery.step());
    const { verdict, repair } = recovery.finish();
    return { kind: verdict.kind, end: verdict.end, cutBytes: repair.cutBytes };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

test("a whole directory", () => {
  expect(lastLog).toBeGreaterThan(2);
  const { start, logs } = report();
  expect(start).toMatchObject({ verdict: "whole", end: { offset: model.bytes.length } });
  expect(logs.map(({ number }) => number)).toEqual(
    Array.from({ length: lastLog }, (_, i) => i + 1),
  );
});

test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
  "seed %i: damage anywhere: the verdict of a start, and nothing is changed",
  (seed) => {
    const random = new Random(seed);
    const path = pathOf(random.between(1, lastLog + 1));
    const bytes = readFileSync(path);
    const at = random.between(0, bytes.length);
    if (random.fraction() < 0.5) {
      bytes[at]! ^= 1 << random.between(0, 8);
      writeFileSync(path, bytes);
    } else writeFileSync(path, bytes.subarray(0, at));
    const before = everything();
    const { start } = report();
    expect(everything()).toBe(before);
    const { kind, end } = recovered();
    expect({ kind: start.verdict, end: start.end?.offset }).toEqual({ kind, end });
  },
);

test("a manifest that is gone: refused; an empty directory: new", () => {
  rmSync(join(dir, "manifest"));
  expect(report().start).toMatchObject({ verdict: "refused", end: null });
  rmSync(join(dir, GENERATION), { recursive: true });
  expect(report().start).toMatchObject({ verdict: "new", reason: "" });
});

test("the log begins after 0, and no checkpoint is there: refused", () => {
  writeManifest(new FsTree(dir).root, { ...manifest(), firstLog: 2 });
  expect(report().start.verdict).toBe("refused");
  expect(report().others).toEqual([logFileName(1)]);
});

test("a checkpoint that the manifest names and that is not there is damaged", () => {
  const entry = { log: 2, records: 1, bytes: 10, clockMs: 1 };
  const position = { history: HISTORY, offset: 10, chain: 3 };
  writeManifest(new FsTree(dir).root, { ...manifest(), checkpoints: [{ ...entry, position }] });
  const { checkpoints, start } = report();
  expect(checkpoints[0]!.damage).toContain("ENOENT");
  expect(start).toMatchObject({ verdict: "whole", checkpoint: null });
});

test("a directory that is not there is an error; a lock is looked at and left", () => {
  expect(() => reportDirectory(new FsTree(join(dir, "none")))).toThrow(DiskError);
  const lock = new DirectoryLock(dir);
  const before = everything();
  const shown = captured(() => runInspect({ dir, json: false }));
  expect(shown.result).toBe(0);
  expect(shown.text).toContain(`in use      by process ${process.pid}`);
  expect(shown.text).toContain("start       whole");
  const json = captured(() => runInspect({ dir, json: true }));
  expect(JSON.parse(json.text)).toMatchObject({ inUseBy: { pid: process.pid } });
  expect(everything()).toBe(before);
  lock.free();
});

/** What `run` writes to stdout. */
function captured<T>(run: () => T): { result: T; text: string } {
  let text = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += String(part);
    return true;
  });
  try {
    return { result: run(), text };
  } finally {
    spy.mockRestore();
  }
}
