/** What is said of whole and damaged data directories is what a start comes to, and nothing is changed. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { CheckpointWriter, checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import { writeManifest } from "../../../../src/log/disk/manifest-file.ts";
import { runInspect } from "../../../../src/daemon/inspect.ts";
import { DirectoryLock } from "../../../../src/node/disk/directory-lock.ts";
import { reportDirectory } from "../../../../src/node/disk/directory-report.ts";
import { FsTree } from "../../../../src/node/disk/fs-folder.ts";
import { encodeHolder } from "../../../../src/node/disk/lock-holder.ts";
import { LogSource } from "../../../../src/node/disk/log-source.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { randomId } from "../../../../src/wire/id.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY, Model, START } from "../../log/disk/machine.ts";
import { NO_SYNC } from "../../../../src/wire/messages.ts";

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

test("the range of a restore: all of a whole log; a hole ends it, and a checkpoint behind it begins another", () => {
  const last = { offset: model.bytes.length };
  expect(report().restore).toMatchObject({
    ranges: [{ first: { offset: 0, clockMs: 0 }, last }],
    reason: "",
  });
  const start = addCheckpoint(3);
  expect(report().restore.ranges).toHaveLength(1);
  rmSync(pathOf(2));
  const { head } = report().logs.at(1)!;
  expect(head?.number).toBe(3);
  const { ranges } = report().restore;
  expect(ranges).toMatchObject([{ first: { offset: 0 } }, { first: { offset: start }, last }]);
  expect(ranges[0]!.last.offset).toBeLessThan(start);
  const text = captured(() => runInspect({ dir, json: false })).text;
  expect(text.match(/^restore {5}--at any of offset/gm)).toHaveLength(2);
  rmSync(pathOf(1));
  rmSync(pathOf(3));
  rmSync(join(dir, GENERATION, "00000003.checkpoint"));
  expect(report().restore).toMatchObject({
    ranges: [],
    reason: expect.stringContaining("no whole") as unknown,
  });
});

test("the quarantine is listed, and a name with control characters cannot reach the terminal", () => {
  mkdirSync(join(dir, "quarantine"));
  writeFileSync(join(dir, "quarantine", "a\u001b[2J"), "four");
  expect(report().quarantine).toEqual([{ name: "a\u001b[2J", bytes: 4 }]);
  const { text } = captured(() => runInspect({ dir, json: false }));
  expect(text).toContain('quarantine  "a\\u001b[2J", 4 bytes');
});

// HAWSER_INSPECT_SEED=7 npx vitest run --project unit test/unit/node/disk/directory-report.test.ts -t "seed 7:"
const only = process.env["HAWSER_INSPECT_SEED"];
const seeds = only === undefined ? Array.from({ length: 60 }, (_, i) => i + 1) : [Number(only)];

test.each(seeds)("seed %i: damaged files of any kind: a report or an error, no write", (seed) => {
  addCheckpoint(3);
  mkdirSync(join(dir, "quarantine"));
  writeFileSync(join(dir, "quarantine", "generation-00000001-00000002.log.at-7"), "cut off");
  writeFileSync(join(dir, "lock"), encodeHolder({ pid: 1, began: "0", bootId: "x", host: "y" }));
  mkdirSync(join(dir, "generation-00000002"));
  const random = new Random(seed);
  for (let count = random.between(1, 5); count > 0; count--) damage(random);
  const before = everything();
  const text = captured(() => runInspect({ dir, json: false }));
  const json = captured(() => runInspect({ dir, json: true }));
  expect(everything()).toBe(before);
  expect([0, 1]).toContain(text.result);
  expect(json.result).toBe(text.result);
  expect(text.text).toMatch(text.text.includes("start ") ? /^directory / : /^hawser: ERR_DISK_/);
  expect(text.text).not.toMatch(/^ +at .*:\d+/m);
  if (!json.text.startsWith("hawser: "))
    expect(JSON.parse(json.text)).toMatchObject({
      start: { verdict: expect.any(String) as unknown },
    });
});

/** One file, in one of the ways in which files go wrong. */
function damage(random: Random): void {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(dir, name)).isFile())
    .sort();
  const path = join(dir, random.pick(names));
  const bytes = readFileSync(path);
  const at = random.between(0, bytes.length + 1);
  const ways: readonly (() => void)[] = [
    () => {
      if (at < bytes.length) bytes[at]! ^= 1 << random.between(0, 8);
      writeFileSync(path, bytes);
    },
    () => {
      writeFileSync(path, bytes.subarray(0, at));
    },
    () => {
      writeFileSync(path, Buffer.concat([bytes, random.bytes(random.between(1, 70_000))]));
    },
    () => {
      writeFileSync(path, Buffer.alloc(bytes.length));
    },
    () => {
      writeFileSync(path, readFileSync(join(dir, random.pick(names))));
    },
    () => {
      rmSync(path);
    },
    () => {
      rmSync(path);
      mkdirSync(path);
    },
  ];
  random.pick(ways)();
}

/** Of the state where log file `number` begins. @returns its offset */
function addCheckpoint(number: number): number {
  const tree = new FsTree(dir);
  const folder = tree.folder(GENERATION);
  const position = new LogSource(tree).head(number)!.start;
  const snapshotId = randomId();
  const rank = { term: 1, run: 0 };
  const format = { name: "test", version: 1 };
  const sizes = { firstChunk: 0, records: 0, bytes: 0 };
  const begin = {
    type: "snapshot",
    snapshotId,
    position,
    rank,
    lineage: [],
    sync: NO_SYNC,
    format,
  } as const;
  const writer = new CheckpointWriter(folder, number, { ...begin, ...sizes });
  const { chunks, bytes, digest } = new ChunkTally();
  writer.finish({ type: "end", snapshotId, chunks, records: 0, bytes, digest });
  folder.rename(`${checkpointName(number)}.tmp`, checkpointName(number));
  const entry = { position, log: number, records: 0, bytes: writer.bytes, clockMs: 1 };
  writeManifest(tree.root, { ...manifest(), checkpoints: [entry] });
  return position.offset;
}

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

/** What `run` writes to stdout and stderr. */
function captured<T>(run: () => T): { result: T; text: string } {
  let text = "";
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation((part) => {
      text += String(part);
      return true;
    }),
  );
  try {
    const result = run();
    return { result, text };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
