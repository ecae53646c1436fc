/** The store is told what replicas need, when that changes, and where a generation is. */
import { expect, test } from "vitest";
import type { ToDiskLog } from "../../../../src/log/disk/disk-log-messages.ts";
import { DiskStore } from "../../../../src/log/disk/disk-store.ts";
import { DiskReading } from "../../../../src/node/disk/disk-reading.ts";
import { DIRECTORY } from "../../log/disk/machine.ts";

test("what is kept is told when it changes; the thread begins with the first question alone", async () => {
  const told: ToDiskLog[] = [];
  const store = new DiskStore({
    name: () => expect.unreachable(),
    onTrouble: () => expect.unreachable(),
  });
  const reading = new DiskReading(store, "/data", () => expect.unreachable(), {
    start: () => expect.unreachable(),
  });
  const back = reading.back(DIRECTORY, { generation: 3, number: 7, offset: 500 });
  expect(back.pathOf(3)).toBe("/data/generation-00000003");
  const port = {
    words: { read: () => 0, write: () => undefined },
    tell: (message: ToDiskLog) => void told.push(message),
    wake: () => undefined,
    wakeSleeper: () => undefined,
  };
  store.begin(port, 900, back);
  expect(store.first).toBe(500);
  reading.review({ logKeepBytes: 0, backlogBytes: 100 }, Number.POSITIVE_INFINITY);
  reading.review({ logKeepBytes: 0, backlogBytes: 100 }, Number.POSITIVE_INFINITY);
  reading.review({ logKeepBytes: 50, backlogBytes: 100 }, 600);
  expect(told).toEqual([
    { kind: "needs", needs: { keepBytes: 400, reading: Number.POSITIVE_INFINITY } },
    { kind: "needs", needs: { keepBytes: 50, reading: 600 } },
  ]);
  await reading.stop();
  expect(store.first).toBe(Number.POSITIVE_INFINITY);
});
