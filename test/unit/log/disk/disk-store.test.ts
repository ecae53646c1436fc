/** The loop's end alone: before it has begun it owes nothing, and says so. The rest: disk-log.test.ts. */
import { expect, test } from "vitest";
import { DiskStore } from "../../../../src/log/disk/disk-store.ts";

test("before it begins it owes nothing, and nothing is durable", async () => {
  const store = new DiskStore({ name: () => expect.unreachable(), onTrouble: () => undefined });
  expect([store.written, store.durable, store.isBegun]).toEqual([Infinity, 0, false]);
  store.want(7);
  store.restart(3, 1);
  const seen = await new Promise((done) => {
    store.cut(0, done);
  });
  expect(seen).toBe(null);
  let stopped: unknown = "not";
  store.stop((error) => (stopped = error));
  expect(stopped).toBe(null);
});
