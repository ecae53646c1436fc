/** What a client is told and what is on the disk: policies, a disk that is full, one whose sync fails. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { ReplyError, RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { useFleet } from "../tools/fleet.ts";

const PRELOAD = fileURLToPath(new URL("../tools/bad-disk.cjs", import.meta.url));

type Mood = "" | "full" | "sync" | "slow";

/** A data directory on a disk that does what it is told. */
class BadDisk {
  readonly dir: string;
  readonly #file: string;

  constructor(fleet: Fleet) {
    const base = mkdtempSync(join(tmpdir(), "hawser-fsync-"));
    fleet.defer(() => rmSync(base, { recursive: true, force: true }));
    this.dir = join(base, "dir");
    this.#file = join(base, "mood");
    this.be("");
  }

  be(mood: Mood): void {
    writeFileSync(this.#file, mood);
  }

  /** Nodes that are started meanwhile have it. */
  async with<T>(start: () => Promise<T>): Promise<T> {
    const { NODE_OPTIONS, BAD_DISK } = process.env;
    process.env["NODE_OPTIONS"] = `--require ${PRELOAD}`;
    process.env["BAD_DISK"] = this.#file;
    try {
      return await start();
    } finally {
      restore("NODE_OPTIONS", NODE_OPTIONS);
      restore("BAD_DISK", BAD_DISK);
    }
  }
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name);
  else process.env[name] = value;
}

async function infoOf(node: Daemon, field: string): Promise<string> {
  const text = await node.text("INFO", "persistence");
  return new RegExp(`^${field}:(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
}

test("e2e: fsync: always => what was answered is durable, in the order of a pipeline; kill -9 loses none of it", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await fleet.primary("--dir", disk.dir, "--fsync", "always");
  const replies = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      const client = await RespClient.connect(primary.port);
      const commands = Array.from({ length: 100 }, (_u, i) => [
        ["SET", `${n}:${i}`, `${i}`],
        ["GET", `${n}:${i}`],
        ["MULTI"],
        ["INCR", `${n}:count`],
        ["EXEC"],
      ]).flat();
      return { got: (await client.pipeline(commands)).map(String), client };
    }),
  );
  for (const { got } of replies) {
    expect(got).toHaveLength(500);
    for (let i = 0; i < 100; i++)
      expect(got.slice(5 * i, 5 * i + 5)).toEqual(["OK", `${i}`, "OK", "QUEUED", `${i + 1}`]);
  }
  expect(await infoOf(primary, "log_durable")).toBe(await infoOf(primary, "log_appended"));
  expect(await infoOf(primary, "aof_enabled")).toBe("1");
  await primary.kill();
  const again = await fleet.primary("--dir", disk.dir, "--fsync", "always");
  expect(await again.call("DBSIZE")).toBe(1010);
});

test("e2e: fsync: always on a slow disk => a read of another connection does not wait, WAIT and QUIT do", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await disk.with(() => fleet.primary("--dir", disk.dir, "--fsync", "always"));
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  disk.be("slow");
  const [writer, reader] = [
    await RespClient.connect(primary.port),
    await RespClient.connect(primary.port),
  ];
  const order: string[] = [];
  const wrote = writer.pipeline([["SET", "a", "1"], ["GET", "a"], ["WAIT", "1", "0"], ["QUIT"]]);
  void wrote.then(() => order.push("write"));
  await until(() => reader.call("EXISTS", "a"), { what: "the write is visible", everyMs: 1 });
  order.push("read");
  expect((await wrote).map(String)).toEqual(["OK", "1", "1", "OK"]);
  expect(order).toEqual(["read", "write"]);
  // Live: without it nobody waits.
  await primary.call("CONFIG", "SET", "appendfsync", "no");
  expect(await infoOf(primary, "log_fsync")).toBe("no");
  expect(await primary.call("SET", "b", "1")).toBe("OK");
  disk.be("");
});

test("e2e: fsync: a full disk => MISCONF, nothing of it is executed, reads and feeding go on; then all again", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await disk.with(() => fleet.primary("--dir", disk.dir));
  const replica = await fleet.replica(primary);
  await primary.call("SET", "a", "1");
  await primary.call("SET", "short", "1", "PX", "50");
  await converge([primary, replica]);
  disk.be("full");
  await primary.call("SET", "seen", "1");
  const line = await until(() => primary.find("disk_trouble"), { what: "the trouble is told" });
  expect(line["why"]).toContain("ENOSPC");
  const { next } = (await primary.status()).backlog;
  const reply = await primary.ask("SET", "refused", "1");
  expect(reply).toBeInstanceOf(ReplyError);
  expect(String(reply)).toContain("MISCONF");
  expect(await primary.call("GET", "a")).toEqual(Buffer.from("1"));
  expect(await primary.call("EXISTS", "refused", "short")).toBe(0);
  expect(await infoOf(primary, "aof_last_write_status")).toBe("err");
  expect((await primary.status()).backlog.next).toBe(next);
  // What was answered before is fed, though it is not written.
  await converge([primary, replica]);
  disk.be("");
  await until(() => primary.find("disk_well_again"), { what: "the disk is well again" });
  await until(async () => (await primary.ask("SET", "taken", "1")) === "OK", { what: "a write" });
  await converge([primary, replica]);
  expect(await infoOf(primary, "log_trouble")).toBe("");
  await primary.stop();
  const again = await fleet.primary("--dir", disk.dir);
  expect(await again.call("EXISTS", "a", "seen", "taken", "refused")).toBe(3);
});

test("e2e: fsync: always on a full disk => UNCONFIRMED for what was executed, MISCONF for what comes later, all in order; then it is durable", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await disk.with(() => fleet.primary("--dir", disk.dir, "--fsync", "always"));
  const replica = await fleet.replica(primary);
  await primary.call("SET", "a", "1");
  await converge([primary, replica]);
  disk.be("full");
  const client = await RespClient.connect(primary.port);
  const executed = client.pipeline([
    ["SET", "x", "1"],
    ["GET", "x"],
    ["MULTI"],
    ["INCR", "n"],
    ["INCR", "n"],
    ["EXEC"],
    ["WAIT", "1", "0"],
    ["DEL", "none"],
  ]);
  await until(() => primary.find("disk_trouble"), { what: "the trouble is told" });
  const later = client.pipeline([
    ["SET", "refused", "1"],
    ["GET", "a"],
  ]);
  const words = async (replies: Promise<readonly unknown[]>): Promise<readonly string[]> =>
    (await replies).map(
      (reply) =>
        String(reply)
          .replace(/^\w*Error: /, "")
          .split(" ")[0]!,
    );
  const no = "UNCONFIRMED";
  // WAIT and DEL ran before or after the disk was known to be full: DEL is refused then.
  expect((await words(executed)).slice(0, 7)).toEqual([no, "1", "OK", "QUEUED", "QUEUED", no, "1"]);
  expect(await words(later)).toEqual(["MISCONF", "1"]);
  const { next } = (await primary.status()).backlog;
  expect(Number(await infoOf(primary, "log_durable"))).toBeLessThan(next);
  // It does not wait for what is not durable any more.
  expect(
    await words(
      client.pipeline([
        ["GET", "n"],
        ["SET", "n", "0"],
      ]),
    ),
  ).toEqual(["2", "MISCONF"]);
  const info = await primary.info();
  expect(info.number("unconfirmed_writes")).toBe(2);
  disk.be("");
  await until(async () => Number(await infoOf(primary, "log_durable")) === next, {
    what: "what was executed is durable",
  });
  expect(
    await words(
      client.pipeline([
        ["INCR", "n"],
        ["GET", "x"],
      ]),
    ),
  ).toEqual(["3", "1"]);
  await converge([primary, replica]);
  await primary.kill();
  const again = await fleet.primary("--dir", disk.dir);
  expect(
    await words(
      again.client().then((own) =>
        own.pipeline([
          ["GET", "n"],
          ["EXISTS", "refused", "x"],
        ]),
      ),
    ),
  ).toEqual(["3", "1"]);
});

test("e2e: fsync: always on a disk that is full for a moment => the answer comes late, and is OK", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await disk.with(() => fleet.primary("--dir", disk.dir, "--fsync", "always"));
  await primary.call("SET", "a", "1");
  disk.be("full");
  const answer = primary.ask("SET", "a", "2");
  await until(() => primary.find("disk_trouble"), { what: "the trouble is told", everyMs: 5 });
  disk.be("");
  expect(await answer).toBe("OK");
  expect((await primary.info()).number("unconfirmed_writes")).toBe(0);
});

test("e2e: fsync: a replica's disk is full => it takes no more log, answers, and goes on by the same link", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await fleet.primary();
  const replica = await disk.with(() => fleet.replica(primary, "--dir", disk.dir));
  await primary.call("SET", "a", "1");
  await converge([primary, replica]);
  disk.be("full");
  await primary.call("SET", "b", "1");
  await until(() => replica.find("disk_trouble"), { what: "the trouble is told" });
  expect(await replica.call("GET", "a")).toEqual(Buffer.from("1"));
  disk.be("");
  await until(() => replica.find("disk_well_again"), { what: "the disk is well again" });
  await primary.call("SET", "c", "1");
  await converge([primary, replica]);
  expect(count((await replica.status()).counters, "snapshots_restored")).toBe(1);
});

test("e2e: fsync: a sync fails => nothing more is confirmed, it ends with exit code 1 and says what is proven", async () => {
  const fleet = useFleet();
  const disk = new BadDisk(fleet);
  const primary = await disk.with(() => fleet.primary("--dir", disk.dir, "--fsync", "always"));
  expect(await primary.call("SET", "a", "1")).toBe("OK");
  disk.be("sync");
  await expect(primary.call("SET", "b", "1")).rejects.toThrow();
  expect(await primary.ended()).toMatchObject({ code: 1 });
  const line = primary.find("disk_failed")!;
  expect(line["why"]).toMatch(/\.log.*EIO/);
  expect(line["durable"]).toBeGreaterThan(0);
  expect(primary.find("crashed")).toBeUndefined();
  disk.be("");
  const again = await fleet.primary("--dir", disk.dir);
  expect(await again.call("GET", "a")).toEqual(Buffer.from("1"));
});
