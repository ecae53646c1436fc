/** A checkpoint becomes a directory that a start takes, and a damaged one becomes none. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runRestore } from "../../../../src/daemon/restore.ts";
import { encodeBackupHead } from "../../../../src/log/disk/backup-head.ts";
import { CheckpointReader } from "../../../../src/log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { reportDirectory } from "../../../../src/node/disk/directory-report.ts";
import { FsFolder, FsTree } from "../../../../src/node/disk/fs-folder.ts";
import { readNode } from "../../../../src/node/node-file.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { NO_SYNC, type SnapshotBegin } from "../../../../src/wire/messages.ts";
import { Random } from "../../../../tools/random.ts";
import { DIRECTORY, HISTORY } from "../../log/disk/machine.ts";
import { makeChunk } from "../../wire/tools.ts";

const BEGIN: SnapshotBegin = {
  type: "snapshot",
  rank: { term: 3, run: 2 },
  snapshotId: DIRECTORY,
  position: { history: HISTORY, offset: 5_000, chain: 77 },
  lineage: [{ history: "22".repeat(16), left: 4_000, term: 2, run: 0 }],
  sync: NO_SYNC,
  format: { name: "test", version: 1 },
  firstChunk: 0,
  records: 3,
  bytes: 100,
};

let dir = "";
let file = "";
let payloads: Buffer[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-restore-"));
  const folder = new FsFolder(dir);
  const writer = new CheckpointWriter(folder, 9, BEGIN);
  const tally = new ChunkTally();
  const random = new Random(1);
  payloads = [100, 70_000, 5].map((length) => random.bytes(length));
  payloads.forEach((payload, number) => {
    const { bytes, digest } = makeChunk(number, payload);
    tally.note(number, payload.length, digest);
    writer.chunk(bytes, 0, bytes.length);
  });
  const { chunks, bytes, digest } = tally;
  writer.finish({ type: "end", snapshotId: DIRECTORY, chunks, records: 3, bytes, digest });
  file = join(dir, "backup");
  folder.rename(`${checkpointName(9)}.tmp`, "backup");
  said = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

/** `hawser restore` of all that the file has. */
function run(source: string, path: string, replace = false): number {
  return runRestore({ source, dir: path, log: "", point: { kind: "end" }, at: "", replace });
}

function restored(replace: boolean): { begin: SnapshotBegin; path: string } {
  const path = join(dir, replace ? "replaced" : "new");
  expect(run(file, path, replace)).toBe(0);
  let begin: SnapshotBegin | null = null;
  const found: Buffer[] = [];
  const reader = new CheckpointReader(new FsTree(path).folder("generation-00000001"), 1, {
    begin: (message) => void (begin = message),
    chunk: (bytes, from, to) => void found.push(Buffer.from(bytes.subarray(from, to))),
    end: () => undefined,
  });
  while (reader.step());
  reader.close();
  expect(found).toEqual(payloads);
  return { begin: begin!, path };
}

test("new: the same state at the same offset, in a history without a lineage", () => {
  const before = readFileSync(file);
  const { begin, path } = restored(false);
  expect(begin).toMatchObject({ lineage: [], rank: { term: 1, run: 0 }, records: 3 });
  expect(begin.position).toMatchObject({ offset: 5_000, chain: 77 });
  expect(begin.position.history).not.toBe(HISTORY);
  const { start, checkpoints, logs } = reportDirectory(new FsTree(path));
  expect(start).toMatchObject({ verdict: "whole", clean: true, end: begin.position });
  expect(checkpoints[0]).toMatchObject({ damage: "", records: 3, position: begin.position });
  expect(logs[0]!.head).toMatchObject({ rank: begin.rank, lineage: [], start: begin.position });
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("--replace: history, rank and lineage are the file's", () => {
  const { begin, path } = restored(true);
  expect(begin).toEqual(BEGIN);
  const { rank, lineage, position: start } = BEGIN;
  expect(reportDirectory(new FsTree(path)).logs[0]!.head).toMatchObject({ rank, lineage, start });
});

test.each([0, 40, 500, 60_000, -3])(
  "damage at byte %i: no directory that a node starts from",
  (at) => {
    const bytes = readFileSync(file);
    bytes[at < 0 ? bytes.length + at : at]! ^= 8;
    writeFileSync(file, bytes);
    const path = join(dir, "bad");
    expect(run(file, path)).toBe(1);
    expect(readdirSync(path)).toEqual([]);
  },
);

test("what is there is never written over; a file that is not there makes nothing", () => {
  const { path } = restored(false);
  expect(run(file, path, true)).toBe(2);
  expect(run(join(dir, "none"), join(dir, "other"))).toBe(1);
  expect(() => readFileSync(join(dir, "other"))).toThrow("ENOENT");
});

/** The file with the head that a backup has. */
function withHead(clusterId: string | null): string {
  const head = { format: 1, clusterId, nodeId: HISTORY, clockMs: 1_893_463_200_000 };
  const path = join(dir, "with a head");
  writeFileSync(path, Buffer.concat([encodeBackupHead(head), readFileSync(file)]));
  return path;
}

let said: string[] = [];

test("--replace of a backup: the node is of the cluster that the file names; new is of none", () => {
  const clusterId = "c0".repeat(16);
  const source = withHead(clusterId);
  const [kept, fresh] = [join(dir, "kept"), join(dir, "fresh")];
  expect([run(source, kept, true), run(source, fresh)]).toEqual([0, 0]);
  expect(readNode(kept)).toMatchObject({ clusterId, incarnation: 0, role: null });
  expect(readNode(fresh)).toBeNull();
  expect(said.join("")).not.toContain("note:");
});

test("--replace of a file that names no cluster says so", () => {
  const path = join(dir, "older");
  expect(run(file, path, true)).toBe(0);
  expect(said.join("")).toContain("of which cluster");
  expect(readNode(path)).toBeNull();
});

test.each([
  [{ at: "5" }, "needs a log"],
  [{ log: "there" }, "there"],
])("%o => 1 or 2, and nothing is made", (given, why) => {
  const path = join(dir, "made");
  const point = { kind: "offset", offset: 5 } as const;
  const options = { source: file, dir: path, log: "", point, at: "5", replace: false, ...given };
  expect(runRestore(options)).toBeGreaterThan(0);
  expect(said.join("")).toContain(why);
  expect(() => readdirSync(path)).toThrow("ENOENT");
});
