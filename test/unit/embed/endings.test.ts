/** How an embedded node ends: for its waits, for its writes, for the process around it. */
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type Change, Primary, Replica, type Wait } from "../../../src/index.ts";
import { closesWhatIsKept, codeOf, keep, openPrimary } from "../../tools/embedded.ts";

closesWhatIsKept();

/** Every wait of both, in a state in which it does not end by itself. */
async function waiting(): Promise<readonly [string, (wait?: Wait) => Promise<unknown>][]> {
  const dir = mkdtempSync(join(tmpdir(), "hawser-endings-"));
  const primary = await openPrimary({ dir });
  keep({ close: () => rmSync(dir, { recursive: true, force: true }) });
  const replica = keep(await Replica.open({ of: "127.0.0.1:1" }));
  const { node } = primary["parts"];
  // A disk that syncs nothing, and writers that may not go.
  node.backlog.wantDurable = () => undefined;
  node.mayWrite = () => false;
  primary.set("a", "1");
  return [
    ["waitForReplicas", (wait) => primary.waitForReplicas(1, wait)],
    ["ready", (wait) => primary.ready(wait)],
    ["synced", (wait) => replica.synced(wait)],
    ["reached", (wait) => replica.reached(primary.written, wait)],
  ];
}

test("every wait => rejects with the signal's reason, by its time, and leaves no listener", async () => {
  const reason = new Error("of mine");
  for (const [name, wait] of await waiting()) {
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = expect(wait({ signal }), name).rejects.toBe(reason);
    await new Promise(setImmediate);
    expect(getEventListeners(signal, "abort"), name).toHaveLength(1);
    controller.abort(reason);
    await aborted;
    expect(getEventListeners(signal, "abort"), name).toHaveLength(0);
    await expect(wait({ timeoutMs: 5 }), name).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await expect(wait({ timeoutMs: -1 }), name).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  }
});

test("close() => every wait that is pending rejects with ERR_CLOSED, and every later one", async () => {
  const closed = { code: "ERR_CLOSED" };
  const primary = await openPrimary();
  const replica = keep(await Replica.open({ of: "127.0.0.1:1" }));
  primary["parts"].node.mayWrite = () => false;
  const waits = [
    () => primary.waitForReplicas(1),
    () => primary.ready(),
    () => replica.synced(),
    () => replica.reached({ history: "0", offset: 1 }),
  ];
  const pending = Promise.all(waits.map((wait) => expect(wait()).rejects.toMatchObject(closed)));
  const ends = [primary.close(), replica.close()];
  await pending;
  for (const wait of [...waits, () => primary.durable(), () => replica.durable()])
    await expect(wait()).rejects.toMatchObject(closed);
  await expect(replica.promote({ force: true })).rejects.toMatchObject(closed);
  await Promise.all(ends);
});

test("every write after close() => ERR_CLOSED; reads go on", async () => {
  const primary = await openPrimary();
  primary.set("a", "1");
  const writes: readonly (() => unknown)[] = [
    () => primary.set("a", "2"),
    () => primary.delete("a"),
    () => primary.batch([{ type: "set", key: "a", value: "2" } satisfies Change]),
    () => primary.setIfAbsent("b", "2"),
    () => primary.compareAndSet("a", "1", "2"),
    () => primary.update("a", () => "2"),
    () => primary.increment("a"),
    () => primary.expire("a", { ttlMs: 5 }),
    () => primary.clear(),
  ];
  const end = primary.close();
  for (const write of writes) expect(codeOf(write)).toBe("ERR_CLOSED");
  await end;
  for (const write of writes) expect(codeOf(write)).toBe("ERR_CLOSED");
  expect([primary.getString("a"), primary.size]).toEqual(["1", 1]);
});

test("asyncDispose => as close()", async () => {
  const primary = await Primary.open();
  await primary[Symbol.asyncDispose]();
  expect(codeOf(() => primary.set("a", "1"))).toBe("ERR_CLOSED");
  const replica = await Replica.open({ of: "127.0.0.1:1" });
  await replica[Symbol.asyncDispose]();
  await expect(replica.synced()).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

/** Runs a module with the compiled hawser, in a folder of its own; it has to end by itself. */
async function runs(script: string, dir: string): Promise<string> {
  const index = new URL("../../../dist/index.js", import.meta.url).href;
  const file = join(dir, "script.mjs");
  writeFileSync(file, `import { Primary, Replica } from ${JSON.stringify(index)};\n${script}`);
  const run = promisify(execFile);
  return (await run(process.execPath, [file, join(dir, "data")], { timeout: 60_000 })).stdout;
}

test("unref() => the process ends by itself: with links, a disk, a full sync under way", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-unref-"));
  const script = `
    const primary = (await Primary.open({ dir: process.argv[2] })).unref();
    for (let n = 0; n < 1000; n++) primary.set("key" + n, Buffer.alloc(10000));
    const of = "127.0.0.1:" + primary.replPort;
    const replica = (await Replica.open({ of })).unref();
    await replica.synced({ timeoutMs: 50000 });
    await primary.durable({ timeoutMs: 50000 });
    (await Replica.open({ of })).unref();
    console.log(replica.size);
  `;
  try {
    expect(await runs(script, dir)).toBe("1000\n");
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 90_000);

test("unref() and then close() => it is awaited to its end, and all is on the disk", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-unref-"));
  const script = `
    const primary = (await Primary.open({ dir: process.argv[2], fsync: "no" })).unref();
    primary.set("key", "value");
    await primary.close();
    console.log("closed");
  `;
  try {
    expect(await runs(script, dir)).toBe("closed\n");
    const again = await openPrimary({ dir: join(dir, "data") });
    expect(again.getString("key")).toBe("value");
    await again.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 90_000);

test("a wait with a time limit keeps the process alive, of a node that was unref()ed too", async () => {
  const script = `
    const replica = (await Replica.open({ of: "127.0.0.1:1" })).unref();
    await replica.synced({ timeoutMs: 300 }).catch((error) => console.log(error.code));
  `;
  const dir = mkdtempSync(join(tmpdir(), "hawser-unref-"));
  try {
    expect(await runs(script, dir)).toBe("ERR_TIMEOUT\n");
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 90_000);
