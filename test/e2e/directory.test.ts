/** What --dir keeps over restarts, and what happens when it is damaged or cannot be written. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

test("e2e: dir: REPLICAOF, then kill -9 => the next process follows the same node, whatever --of says", async () => {
  const fleet = useFleet();
  // Its role alone: with a state of its own on the disk it would be refused by an unrelated node.
  const kept = ["--dir", directory(fleet), "--persist", "no"];
  const old = await fleet.primary();
  const next = await fleet.primary();
  await fill(next, { keys: 300 });
  const first = await fleet.replica(old, ...kept);
  expect(await first.call("REPLICAOF", "127.0.0.1", next.replPort)).toBe("OK");
  await converge([next, first]);
  await first.kill();

  const second = await fleet.replica(old, ...kept);
  await converge([next, second]);
  expect(second.find("role_remembered")).toMatchObject({
    level: "warn",
    remembered: `replica of 127.0.0.1:${next.replPort}`,
    flags: `replica of 127.0.0.1:${old.replPort}`,
  });
  expect((await old.status()).links).toHaveLength(0);
  await second.kill();

  const third = await fleet.replica(old, ...kept, "--role-from-flags");
  await converge([old, third]);
  expect(third.find("role_from_flags")?.level).toBe("warn");
  await third.kill();

  // The switch made it forget: the flags are in force again.
  const fourth = await fleet.replica(old, ...kept);
  await converge([old, fourth]);
  expect(fourth.find("role_remembered")).toBeUndefined();
});

test("e2e: dir: a primary that was told to follow => after a restart it still does", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary("--dir", dir);
  const next = await fleet.primary();
  await fill(next, { keys: 300 });
  await old.call("REPLICAOF", "127.0.0.1", next.port);
  await old.kill();
  const again = await fleet.primary(...portsOf(old), "--dir", dir);
  await converge([next, again]);
  await expect(again.call("SET", "k", "v")).rejects.toThrow(/^READONLY/);
});

test("e2e: dir: a promoted replica that restarts without its state => an empty primary that says so; nobody loses data", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary();
  const promoted = await fleet.replica(old, "--dir", dir, "--persist", "no");
  const other = await fleet.replica(old);
  await fill(old, { keys: 300 });
  await converge([old, promoted, other]);
  expect(await promoted.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  await other.call("REPLICAOF", "127.0.0.1", promoted.replPort);
  await converge([promoted, other]);
  await promoted.kill();

  const flags = [...portsOf(promoted), "--dir", dir, "--persist", "no"];
  const again = await fleet.replica(old, ...flags);
  expect((await again.status()).role).toBe("primary");
  expect(again.find("primary_starts_empty")?.level).toBe("warn");
  expect(again.find("role_remembered")?.["remembered"]).toBe("primary");
  await until(async () => (await other.status()).upstream?.lastError.includes("unrelated"), {
    what: "the replica to be refused",
  });
  expect(await other.call("DBSIZE")).toBe(300);
  expect(count((await again.status()).counters, "snapshot_freezes")).toBe(0);
});

test("e2e: dir: without it => a restart takes the role of the flags", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const next = await fleet.primary();
  const first = await fleet.replica(old);
  await first.call("REPLICAOF", "127.0.0.1", next.replPort);
  await converge([next, first]);
  await first.kill();
  const second = await fleet.replica(old);
  await converge([old, second]);
});

test("e2e: dir: the role cannot be written => REPLICAOF and promotion are refused, nothing changes", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary();
  await fill(primary, { keys: 100 });
  const replica = await fleet.replica(primary, "--dir", dir);
  await converge([primary, replica]);
  // A directory cannot be opened as a file: the write fails, whoever runs the test.
  mkdirSync(join(dir, "node.json.tmp", "in-the-way"), { recursive: true });
  for (const words of [
    ["REPLICAOF", "NO", "ONE"],
    ["REPLICAOF", "127.0.0.1", "1"],
  ])
    await expect(replica.call(...words)).rejects.toThrow(
      /^ERR the role cannot be kept in --dir, and nothing was changed: /,
    );
  const { role, upstream } = await replica.status();
  expect([role, upstream?.port, upstream?.state]).toEqual([
    "replica",
    primary.replPort,
    "streaming",
  ]);
  await primary.call("SET", "later", "1");
  await converge([primary, replica]);
});

test("e2e: promote: in the first sync => refused and the sync goes on; FORCE makes an empty primary", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  await fill(primary, { keys: 300 });
  const proxy = await fleet.proxy(primary);
  proxy.down.stall();
  const replica = await fleet.replica(proxy);
  const forced = await fleet.replica(proxy);
  await expect(replica.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(
    /^ERR this node never had a state.*REPLICAOF NO ONE FORCE/,
  );
  await expect(replica.call("REPLICAOF", "127.0.0.1", "1", "FORCE")).rejects.toThrow(
    /wrong number of arguments for 'replicaof' command/,
  );
  await expect(replica.call("REPLICAOF", "NO", "ONE", "NOW")).rejects.toThrow(/syntax/);
  expect(await replica.call("MULTI")).toBe("OK");
  await replica.call("REPLICAOF", "NO", "ONE");
  expect(String(await replica.call("EXEC"))).toContain("never had a state");
  expect((await replica.status()).role).toBe("replica");
  expect(await forced.call("REPLICAOF", "NO", "ONE", "FORCE")).toBe("OK");
  expect(await forced.call("SET", "k", "v")).toBe("OK");
  expect(await forced.call("DBSIZE")).toBe(1);
  proxy.down.resume();
  await converge([primary, replica]);
  expect(await replica.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  expect(await replica.call("DBSIZE")).toBe(300);
});

test.each([
  ["replica-id", "", /replica-id holds nothing, expected 32 hex digits; remove it/],
  ["replica-id", "0123", /replica-id holds "0123", expected 32 hex digits/],
  ["node.json", "", /node\.json is damaged: it is empty; put a copy of it back, or remove it/],
  ["node.json", '{"version":2}', /node\.json is damaged: version is 2, expected 1/],
  ["role.json", '{"version":1,', /role\.json is damaged: it is no JSON; remove it to start in/],
])("e2e: dir: damaged %s %j => one line and exit code 2", async (name, text, error) => {
  const fleet = useFleet();
  const dir = directory(fleet);
  writeFileSync(join(dir, name), text);
  const run = await runHawser(["primary", "--port", "0", "--repl-port", "0", "--dir", dir]);
  expect(run.code).toBe(2);
  expect(run.stderr.split("\n")).toHaveLength(1);
  expect(run.stderr).toMatch(error);
  expect(run.stderr).toContain(join(dir, name));
  expect(readFileSync(join(dir, name), "utf8")).toBe(text);
});

test("e2e: dir: cannot be written => one line that names it, and exit code 2", async () => {
  const fleet = useFleet();
  const file = join(directory(fleet), "file");
  writeFileSync(file, "");
  for (const dir of [file, join(file, "below"), "/proc/hawser"]) {
    const run = await runHawser(["primary", "--port", "0", "--repl-port", "0", "--dir", dir]);
    expect(run.code).toBe(2);
    expect(run.stderr.split("\n")).toHaveLength(1);
    expect(run.stderr).toContain(`--dir "${dir}": files cannot be kept there`);
  }
});
