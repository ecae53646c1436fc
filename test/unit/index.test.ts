/** hawser inside a process, through its public list alone. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { HawserError, Primary, Replica, UsageError } from "../../src/index.ts";
import { until } from "../../tools/wait.ts";

const open: (Primary | Replica)[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function keep<T extends Primary | Replica>(made: T): T {
  open.push(made);
  return made;
}

async function replicaOf({ replPort }: Primary): Promise<Replica> {
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}` }));
  await replica.synced({ timeoutMs: 20_000 });
  return replica;
}

const text = (value: Buffer | null): string | null => value?.toString() ?? null;

test("set, get, delete => on the primary at once, on both replicas once they have applied it", async () => {
  const primary = keep(await Primary.open());
  primary.set("before", "1");
  const replicas = [await replicaOf(primary), await replicaOf(primary)];
  primary.set("key", "value");
  primary.set(new Uint8Array([0, 255]), new Uint8Array([1, 2, 3]));
  primary.set("gone", "soon");
  expect(primary.delete("gone")).toBe(true);
  expect(primary.delete("gone")).toBe(false);
  await primary.ready();
  expect(await primary.waitForReplicas(2, { timeoutMs: 10_000 })).toBe(2);
  for (const node of [primary, ...replicas]) {
    expect(text(node.get("before"))).toBe("1");
    expect(text(node.get("key"))).toBe("value");
    expect(node.get(new Uint8Array([0, 255]))).toEqual(Buffer.from([1, 2, 3]));
    expect(node.get("gone")).toBe(null);
    expect(node.size).toBe(3);
    expect(node.position).toEqual(primary.position);
  }
  const { role, links } = primary.status();
  expect([role, links.length]).toEqual(["primary", 2]);
});

test("a replica without a state yet => get and size throw ERR_NOT_SYNCED, not null and 0", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "value");
  const { replPort } = primary;
  await primary.close();
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}` }));
  const code = (ask: () => unknown): unknown => {
    try {
      return ask();
    } catch (error) {
      return error instanceof HawserError ? error.code : error;
    }
  };
  expect(code(() => replica.get("key"))).toBe("ERR_NOT_SYNCED");
  expect(code(() => replica.size)).toBe("ERR_NOT_SYNCED");
  const again = keep(await Primary.open({ replPort }));
  again.set("key", "value");
  await replica.synced({ timeoutMs: 20_000 });
  expect([text(replica.get("key")), replica.size]).toEqual(["value", 1]);
});

const SET_REFUSED: readonly (readonly [string, unknown, unknown, unknown, RegExp])[] = [
  [
    "a time that is no number",
    "k",
    "v",
    Number.NaN,
    /expireAt is NaN; a whole number .* is allowed/,
  ],
  ["an infinite time", "k", "v", Number.POSITIVE_INFINITY, /expireAt is Infinity/],
  ["half a ms", "k", "v", 1000.5, /expireAt is 1000\.5/],
  ["a time before 1970", "k", "v", -1, /expireAt is -1/],
  ["a time beyond 2^53", "k", "v", 2 ** 60, /expireAt is 11529\d+; .* to 9007199254740991/],
  ["a date", "k", "v", new Date(0), /expireAt is of type object/],
  [
    "a value of 513 MiB",
    "k",
    Buffer.alloc(513 << 20),
    0,
    /a value has 537919488 bytes; at most 536870912/,
  ],
  [
    "a key of 513 MiB",
    Buffer.alloc(513 << 20),
    "v",
    0,
    /a key has 537919488 bytes; at most 536870912/,
  ],
  ["a number for a value", "k", 5, 0, /a value is 5; a string or a Uint8Array is allowed/],
  ["no key", undefined, "v", 0, /a key is of type undefined/],
];

test("set with what is not allowed => an error that says what is, and nothing in the log", async () => {
  const primary = keep(await Primary.open());
  primary.set("before", "1");
  const replica = await replicaOf(primary);
  for (const [what, key, value, expireAt, message] of SET_REFUSED) {
    const before = primary.position;
    const set = (): void =>
      primary.set(key as string, value as string, { expireAt: expireAt as number });
    expect(set, what).toThrow(message);
    expect(set, what).toThrow(HawserError);
    expect(primary.position, what).toEqual(before);
    expect(primary.size, what).toBe(1);
  }
  primary.set("after", "2", { expireAt: Number.MAX_SAFE_INTEGER });
  expect(await primary.waitForReplicas(1, { timeoutMs: 10_000 })).toBe(1);
  expect([text(replica.get("before")), text(replica.get("after"))]).toEqual(["1", "2"]);
  expect([replica.position, replica.size]).toEqual([primary.position, 2]);
  expect(replica.status().counters["upstream_refused"] ?? 0).toBe(0);
});

test("get => a copy that later writes do not change", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "aaaa");
  const before = primary.get("key");
  primary.set("key", "bbbb");
  expect(text(before)).toBe("aaaa");
  expect(text(primary.get("key"))).toBe("bbbb");
});

test("expiry => hidden at once on both ends, deleted by the primary through the log", async () => {
  const primary = keep(await Primary.open());
  const replica = await replicaOf(primary);
  primary.set("short", "v", { expireAt: Date.now() + 300 });
  primary.set("long", "v", { expireAt: Date.now() + 3_600_000 });
  expect(await primary.waitForReplicas(1, { timeoutMs: 10_000 })).toBe(1);
  expect(text(replica.get("short"))).toBe("v");
  await until(() => replica.get("short") === null, { what: "the key hidden" });
  await until(() => replica.size === 1, { what: "the key deleted on the replica" });
  expect(primary.get("short")).toBe(null);
  expect(text(replica.get("long"))).toBe("v");
});

test("waitForReplicas when the primary is closed => rejects, at once and later", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "value");
  const pending = primary.waitForReplicas(1);
  const rejected = expect(pending).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await primary.close();
  await rejected;
  await expect(primary.waitForReplicas(0)).rejects.toThrow(/was closed/);
});

test("promote => a Primary over the same state: it writes, and others follow it", async () => {
  const old = keep(await Primary.open());
  old.set("key", "old");
  const first = await replicaOf(old);
  const promoted = await first.promote();
  expect(await first.promote()).toBe(promoted);
  promoted.set("key", "new");
  expect(text(promoted.get("key"))).toBe("new");
  expect(text(first.get("key"))).toBe("new");
  expect(promoted.replPort).toBe(first.replPort);
  expect(promoted.status()).toMatchObject({ role: "primary", upstream: null });
  expect(promoted.position.history).not.toBe(old.position.history);
  const follower = await replicaOf(promoted);
  expect(text(follower.get("key"))).toBe("new");
  // Fenced, with nothing of its own to lose: it follows by itself.
  await until(() => text(old.get("key")) === "new", { what: "the old primary as a replica" });
  expect(old.status()).toMatchObject({ role: "replica", counters: { fenced: 1 } });
  expect(() => old.set("key", "older")).toThrow(/ERR_READONLY/);
  await first.close();
  await promoted.close();
  await until(() => follower.status().upstream?.state === "retrying", {
    what: "the follower alone",
  });
  expect(text(follower.get("key"))).toBe("new");
});

test("waitForReplicas and synced whose time is over => ERR_TIMEOUT", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "value");
  const timeout = { code: "ERR_TIMEOUT" };
  await expect(primary.waitForReplicas(1, { timeoutMs: 50 })).rejects.toMatchObject(timeout);
  const { replPort } = primary;
  await primary.close();
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}` }));
  await expect(replica.synced({ timeoutMs: 50 })).rejects.toMatchObject(timeout);
});

test("a wrong option => UsageError that names it", async () => {
  await expect(Primary.open({ backlogBytes: 1 })).rejects.toThrow(UsageError);
  await expect(Replica.open({ of: "nowhere" })).rejects.toThrow(/^of: "nowhere" expected/);
});

test.each<[object, RegExp]>([
  [{ backlogBytes: 1 }, /^backlogBytes: 1 is not allowed; expected a whole number from 16384 to/],
  [{ backlogBytes: "1mb" }, /^backlogBytes: of type string; expected a number/],
  [{ backlogByte: 1 }, /^unknown option backlogByte: did you mean backlogBytes\?; allowed: /],
  [{ allowReset: true }, /^unknown option allowReset; allowed: /],
  [{ port: 1 }, /^unknown option port/],
  [{ shipRate: 1 }, /^shipRate: 1 is not allowed; expected 0, or a whole number from 16384/],
  [{ replPort: 65_536 }, /^replPort: 65536 is not allowed; .* 0 to 65535/],
  [
    { bind: "0.0.0.0" },
    /^bind 0.0.0.0 is not loopback: set replPassword, or insecure to allow it$/,
  ],
  [{ bind: "a b" }, /^bind: "a b" expected a host/],
  [{ logLevel: "loud" }, /^logLevel: "loud" expected debug or/],
])("%j => ERR_USAGE in the embedder's words", async (options, message) => {
  const error = await Primary.open(options).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({ code: "ERR_USAGE", name: "UsageError" });
  expect((error as Error).message).toMatch(message);
});

test("a log that is no function => UsageError", async () => {
  for (const log of ["stderr", null])
    await expect(Primary.open({ log: log as unknown as () => void }).then(keep)).rejects.toThrow(
      /log: of type (string|object); expected a function/,
    );
});

test("counts and times that are none => ERR_ARGUMENT, not a wait for ever", async () => {
  const primary = keep(await Primary.open());
  const replica = keep(await Replica.open({ of: "127.0.0.1:1" }));
  for (const wrong of [NaN, -1, 0.5, Infinity, "5" as unknown as number]) {
    const wait = { timeoutMs: wrong };
    await expect(primary.waitForReplicas(wrong)).rejects.toThrow(/replicas is/);
    await expect(primary.waitForReplicas(1, wait)).rejects.toThrow(/timeoutMs is/);
    await expect(primary.ready(wait)).rejects.toThrow(/timeoutMs is/);
    await expect(replica.synced(wait)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(replica.synced(wrong as unknown as object)).rejects.toThrow(
      /\{ signal, timeoutMs \}/,
    );
  }
  // Longer than a timer can wait: no reason to give up at once.
  const forLong = replica.synced({ timeoutMs: 2 ** 40 });
  forLong.catch(() => undefined);
  expect(await Promise.race([forLong, sleep(100, "waiting")])).toBe("waiting");
});

test("writes after close => ERR_CLOSED, as they would reach nobody; ready() rejects, reads go on", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "value");
  const closed = primary.close();
  const code = (run: () => unknown): unknown => {
    try {
      run();
    } catch (error) {
      return (error as HawserError).code;
    }
    return "nothing thrown";
  };
  for (const when of ["while it closes", "after"]) {
    expect(
      code(() => primary.set("key", "late")),
      when,
    ).toBe("ERR_CLOSED");
    expect(code(() => primary.delete("key"))).toBe("ERR_CLOSED");
    await expect(primary.ready()).rejects.toThrow(/closed/);
    expect(text(primary.get("key"))).toBe("value");
    await closed;
  }
});

test("close while a promotion is refused => the promotion rejects, the replica is closed", async () => {
  const replica = await Replica.open({ of: "127.0.0.1:1" });
  const promotion = expect(replica.promote()).rejects.toThrow("this node never had a state");
  await replica.close();
  await promotion;
  await expect(replica.promote({ force: true })).rejects.toThrow(/closed/);
  const again = keep(await Primary.open({ replPort: replica.replPort }));
  expect(again.replPort).toBe(replica.replPort);
});

test("a promoted replica is closed => its primary takes no more writes", async () => {
  const replica = await Replica.open({ of: "127.0.0.1:1" });
  const primary = await replica.promote({ force: true });
  await replica.close();
  expect(() => primary.set("key", "late")).toThrow(/closed/);
});

test("a port that is taken => rejects, and nothing goes on behind it", async () => {
  const primary = keep(await Primary.open());
  const lines: string[] = [];
  const log = (line: string): unknown => lines.push(line);
  const second = Replica.open({
    of: "127.0.0.1:1",
    replPort: primary.replPort,
    log: log,
  });
  await expect(second).rejects.toThrow(/EADDRINUSE/);
  const before = lines.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(lines).toHaveLength(before);
});

const THROWS_IN_LOG = `
  const { Primary, Replica } = await import(process.argv[1]);
  const seen = new Set();
  process.on("uncaughtException", (error) => seen.add(error.message));
  const log = () => { throw new Error("of the log"); };
  const primary = await Primary.open({ log, logLevel: "debug" });
  primary.set("key", "value");
  const replica = await Replica.open({ of: "127.0.0.1:" + primary.replPort, log, logLevel: "debug" });
  await replica.synced({ timeoutMs: 10000 });
  console.log(JSON.stringify([String(replica.get("key")), [...seen]]));
  await replica.close();
  await primary.close();
`;

test("a log function that throws => an uncaught exception of its own, and the node goes on", async () => {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const args = ["--input-type=module", "--eval", THROWS_IN_LOG, index];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  expect(JSON.parse(stdout)).toEqual(["value", ["of the log"]]);
}, 30_000);

const SCRIPT = `
  const { Primary, Replica } = await import(process.argv[1]);
  const primary = await Primary.open();
  primary.set("key", "value");
  const replica = await Replica.open({ of: "127.0.0.1:" + primary.replPort });
  await replica.synced();
  await (await replica.promote()).waitForReplicas(0);
  await Promise.all([replica.close(), replica.close()]);
  await Promise.all([primary.close(), primary.close()]);
  const kinds = () => process.getActiveResourcesInfo().filter((kind) => kind !== "CloseReq");
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(JSON.stringify(kinds()));
`;

test("close => no handle is left and the process ends by itself; closing again is nothing", async () => {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const run = promisify(execFile);
  const args = ["--input-type=module", "--eval", SCRIPT, index];
  const { stdout } = await run(process.execPath, args, { timeout: 20_000 });
  expect(stdout).toMatch(/^\[("(Timeout|PipeWrap)",?)*\]\n$/);
}, 30_000);

test("promote => a replica that never had a state is refused and goes on; force makes it an empty primary", async () => {
  const replica = keep(await Replica.open({ of: "127.0.0.1:1" }));
  await expect(replica.promote()).rejects.toThrow("this node never had a state");
  expect(replica.status().role).toBe("replica");
  const primary = await replica.promote({ force: true });
  primary.set("key", "value");
  expect(primary.size).toBe(1);
});
