/** The real thread on a real folder: frames in shared memory become a checkpoint, or nothing. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointReader } from "../../../../src/log/disk/checkpoint-reader.ts";
import { checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { CheckpointThread } from "../../../../src/node/disk/checkpoint-thread.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { NO_SYNC, type SnapshotBegin } from "../../../../src/wire/messages.ts";
import { DIRECTORY, START } from "../../log/disk/machine.ts";
import { makeChunk } from "../../wire/tools.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-checkpoint-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const BEGIN: SnapshotBegin = {
  type: "snapshot",
  snapshotId: DIRECTORY,
  position: START,
  rank: { term: 1, run: 0 },
  lineage: [],
  sync: NO_SYNC,
  format: { name: "test", version: 1 },
  firstChunk: 0,
  records: 2,
  bytes: 100,
};

const PAYLOADS = ["one", "two", "three"].map((text) => Buffer.from(text));

class Thread {
  readonly heard: string[] = [];
  readonly thread: CheckpointThread;

  constructor(path: string) {
    this.thread = new CheckpointThread(
      { path, log: 4, begin: BEGIN },
      {
        written: (frames) => void this.heard.push(`written ${frames}`),
        whole: (bytes) => void this.heard.push(`whole ${bytes > 0}`),
        failed: (why) => void this.heard.push(why),
      },
    );
  }

  /** All chunks, where a ring would have them. */
  put(): ChunkTally {
    const ring = Buffer.from(new SharedArrayBuffer(4096));
    const tally = new ChunkTally();
    const frames = PAYLOADS.map((payload, number) => {
      const { bytes, digest } = makeChunk(number, payload);
      tally.note(number, payload.length, digest);
      const from = 1_000 * (number + 1);
      bytes.copy(ring, from);
      return { bytes: ring, from, to: from + bytes.length };
    });
    this.thread.put(frames);
    return tally;
  }
}

test("frames are read where they lie, and the file is whole when it says so", async () => {
  const all = new Thread(dir);
  const { chunks, bytes, digest } = all.put();
  all.thread.finish({ type: "end", snapshotId: DIRECTORY, chunks, records: 2, bytes, digest });
  await all.thread.ended;
  expect(all.heard).toEqual(["written 3", "whole true"]);
  expect(readdirSync(dir)).toEqual([`${checkpointName(4)}.tmp`]);
  const folder = new FsFolder(dir);
  folder.rename(`${checkpointName(4)}.tmp`, checkpointName(4));
  const payloads: string[] = [];
  const reader = new CheckpointReader(folder, 4, {
    begin: () => undefined,
    chunk: (at, from, to) => void payloads.push(at.toString("utf8", from, to)),
    end: () => undefined,
  });
  while (reader.step());
  reader.close();
  expect(payloads).toEqual(["one", "two", "three"]);
});

test("one that is left leaves nothing, and what was lent comes back", async () => {
  const all = new Thread(dir);
  all.put();
  all.thread.abandon();
  await all.thread.ended;
  expect(all.heard).toEqual(["written 3"]);
  expect(readdirSync(dir)).toEqual([]);
});

test("a folder that is not there is an error, once, and not silence", async () => {
  const { thread, heard } = new Thread(join(dir, "nowhere"));
  await thread.ended;
  expect(heard).toHaveLength(1);
  expect(heard[0]).toContain("ENOENT");
  thread.abandon();
});
