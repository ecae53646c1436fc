/** A replica whose memory ends inside a batch: its state is at no position, and only a snapshot helps. */
import { afterEach, expect, test } from "vitest";
import { Primary, Replica } from "../../../src/index.ts";
import type { DaemonNode } from "../../../src/node/node.ts";
import { until } from "../../../tools/wait.ts";

const open: (Primary | Replica)[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function keep<T extends Primary | Replica>(made: T): T {
  open.push(made);
  return made;
}

async function replicaOf({ replPort }: Primary | Replica): Promise<Replica> {
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}` }));
  await replica.synced({ timeoutMs: 20_000 });
  return replica;
}

const nodeOf = (of: Replica): DaemonNode => of["parts"].node;

test("a batch of which some fits => not promoted, feeds nobody, comes back by a snapshot only", async () => {
  const primary = keep(await Primary.open());
  for (let n = 0; n < 10; n++) primary.set(`key${n}`, "before");
  const torn = await replicaOf(primary);
  const below = await replicaOf(torn);
  await until(() => below.position.offset === primary.position.offset, {
    what: "all at one position",
  });
  const before = torn.position;

  const node = nodeOf(torn);
  const { pool } = node.store.parts;
  pool.limitBytes = pool.usedBytes;
  // One turn, one batch: the first record fits where one is, the second has no place.
  primary.set("key0", "after ");
  primary.set("large", "x".repeat(600 << 10));
  await until(() => torn.status().upstream?.state === "stopped", { what: "it stopped" });
  expect(torn.position).toEqual(before);
  expect(torn.get("key0")?.toString()).toBe("after ");
  expect(torn.get("large")).toBe(null);
  expect(torn.status().upstream?.lastError).toMatch(/ERR_STORE_FULL.*inside a batch/);

  await expect(torn.promote()).rejects.toThrow(/ERR_NOT_PROMOTED: the state is inside a batch/);
  await expect(torn.promote()).rejects.toThrow(/inside a batch/);
  expect(torn.status().role).toBe("replica");
  expect(torn.position).toEqual(before);
  await expect(node.inspection.digest()).rejects.toThrow(/inside a batch/);
  await expect(node.inspection.verify(1000)).rejects.toThrow(/inside a batch/);
  await until(() => /not_ready.*inside a batch/.test(below.status().upstream?.lastError ?? ""), {
    what: "the one below is refused",
  });
  expect(torn.status().links).toEqual([]);
  expect(below.position).toEqual(before);

  pool.limitBytes = Number.POSITIVE_INFINITY;
  const { sync_full: fullBefore = 0 } = primary.status().counters;
  expect(node.follow("127.0.0.1", primary.replPort, "none")).toBe(null);
  await until(
    () => [torn, below].every((each) => each.position.offset === primary.position.offset),
    { what: "both are equal again" },
  );
  expect(primary.status().counters["sync_full"]).toBe(fullBefore + 1);
  expect(primary.status().counters["resume_asked"]).toBe(1);
  for (const each of [torn, below]) {
    expect(each.get("key0")?.toString()).toBe("after ");
    expect(each.get("large")?.length).toBe(600 << 10);
    expect(each.size).toBe(11);
  }
  primary.set("key1", "later");
  await until(() => torn.get("key1")?.toString() === "later", { what: "it streams" });
  const [one, other] = [
    await node.inspection.digest(),
    await primary["parts"].node.inspection.digest(),
  ];
  expect([one.sum, one.records]).toEqual([other.sum, other.records]);
  await (await torn.promote()).waitForReplicas(0);
}, 120_000);
