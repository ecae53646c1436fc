/** ready() of an embedded primary: it waits while a sync makes writers slow down, and is told. */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Primary } from "../../../src/index.ts";
import { WirePeer } from "../../tools/wire-peer.ts";
import { until } from "../../../tools/wait.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Writers may run ahead of the pace by 256 KiB: after this much they are behind it. */
const BEYOND_BURST = 512 * KIB;

const open: { close: () => unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A primary from which a replica takes a snapshot, of which it loads nothing: writers are paced. */
async function paced(): Promise<Primary> {
  const primary = await Primary.open({ backlogBytes: MIB });
  open.push(primary);
  primary.set("key", Buffer.alloc(64 * KIB));
  const peer = await WirePeer.connect(primary.replPort);
  open.push({ close: () => peer.socket.destroy() });
  peer.say(peer.hello());
  await peer.hears("snapshot");
  expect(primary.status().writePace).toBeGreaterThan(0);
  return primary;
}

/** Whether it is settled once the present turn is over. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  await turn();
  await turn();
  return Promise.race([settled, Promise.resolve(false)]);
}

test("within the burst => at once; beyond it => waits, and resolves when the pace allows", async () => {
  const primary = await paced();
  await primary.ready();
  primary.set("key", Buffer.alloc(BEYOND_BURST));
  const ready = primary.ready();
  expect(await isSettled(ready)).toBe(false);
  await ready;
  await until(() => primary.status().counters["writes_delayed"] === 1, {
    what: "one write to be counted as delayed",
    describe: () => primary.status().counters,
  });
});

test("several that wait => all are told; each write that follows waits for its own turn", async () => {
  const primary = await paced();
  primary.set("key", Buffer.alloc(BEYOND_BURST));
  const order: number[] = [];
  const write = async (n: number): Promise<void> => {
    await primary.ready();
    order.push(n);
    primary.set(`key${n}`, Buffer.alloc(64 * KIB));
  };
  await Promise.all([0, 1, 2, 3].map(write));
  expect(order).toEqual([0, 1, 2, 3]);
  expect(primary.size).toBe(5);
  await until(() => (primary.status().counters["writes_delayed"] ?? 0) >= 4, {
    what: "four writes to be counted as delayed",
    describe: () => primary.status().counters,
  });
});

test("closed while it waits => rejects with ERR_CLOSED", async () => {
  const primary = await paced();
  primary.set("key", Buffer.alloc(BEYOND_BURST));
  const ready = primary.ready();
  const outcome = expect(ready).rejects.toMatchObject({ code: "ERR_CLOSED" });
  expect(await isSettled(ready)).toBe(false);
  await primary.close();
  await outcome;
});
