/** What a checkpoint asks is asked of the log on disk, and of a thread in the folder of its generation. */
import { expect, test } from "vitest";
import type { DiskStore } from "../../../../src/log/disk/disk-store.ts";
import type { CheckpointEntry } from "../../../../src/log/disk/manifest.ts";
import type { CheckpointFileEvents } from "../../../../src/node/checkpoint-run.ts";
import { StoreCheckpoints } from "../../../../src/node/disk/checkpoint-disk.ts";
import type { SnapshotBegin } from "../../../../src/wire/messages.ts";

const BEGIN = {} as SnapshotBegin;

function events(heard: string[]): CheckpointFileEvents {
  return {
    written: () => undefined,
    whole: () => undefined,
    failed: (why) => void heard.push(why),
  };
}

function store(generation: number | null): DiskStore {
  return {
    generation: generation === null ? null : { generation, number: 1 },
    cut: (offset: number, done: (number: number | null) => void) => done(offset === 0 ? null : 7),
    publish: (entry: CheckpointEntry, done: (error: string | null) => void) =>
      done(entry.log === 7 ? null : "the log was replaced"),
  } as unknown as DiskStore;
}

test("a cut that never comes is -1, a checkpoint that counts is no reason", () => {
  const disk = new StoreCheckpoints(
    store(3),
    String,
    () => undefined,
    () => expect.unreachable(),
  );
  const heard: (number | string)[] = [];
  disk.cut(10, (log) => void heard.push(log));
  disk.cut(0, (log) => void heard.push(log));
  disk.publish({ log: 7 } as CheckpointEntry, (why) => void heard.push(why));
  disk.publish({ log: 8 } as CheckpointEntry, (why) => void heard.push(why));
  expect(heard).toEqual([7, -1, "", "the log was replaced"]);
});

test("a file is begun in the folder of its generation; without one, or a thread, it has failed", async () => {
  const paths: string[] = [];
  const heard: string[] = [];
  const open = (data: { path: string }): never => {
    paths.push(data.path);
    throw new Error("EAGAIN");
  };
  new StoreCheckpoints(
    store(3),
    (n) => `generation ${n}`,
    () => undefined,
    open,
  ).begin(7, BEGIN, events(heard));
  const file = new StoreCheckpoints(store(null), String, () => undefined, open).begin(
    7,
    BEGIN,
    events(heard),
  );
  file.abandon();
  expect(heard).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(paths).toEqual(["generation 3"]);
  expect(heard).toHaveLength(2);
});
