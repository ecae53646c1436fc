/** Synchronous mode with processes: who is refused, what is UNCONFIRMED, and that what was confirmed survives the leader. */
import { expect, test } from "vitest";
import { until } from "../../tools/wait.ts";
import { directory } from "../tools/data-directory.ts";
import { useFleet } from "../tools/fleet.ts";

test("e2e: --sync 1: no member => refused; members stopped => UNCONFIRMED; the leader killed => what was confirmed is there", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--sync", "1", "--sync-timeout", "2s");
  await expect(primary.call("SET", "k", "0")).rejects.toThrow(
    /^NOREPLICAS Not enough members to confirm a write: 0 of the 1 that are needed/,
  );
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  const writes = (): Promise<boolean> =>
    primary.call("SET", "k", "1").then(
      () => true,
      () => false,
    );
  await until(writes, { what: "a confirmed write" });
  expect(await primary.text("GET", "k")).toBe("1");
  for (const replica of replicas) replica.pause();
  await expect(primary.call("SET", "k", "2")).rejects.toThrow(
    /^UNCONFIRMED This write was executed/,
  );
  await expect(primary.call("GET", "k")).rejects.toThrow(/^UNCONFIRMED What this read would show/);
  const stats = await primary.text("INFO", "stats");
  expect(stats).toContain("unconfirmed_writes:1");
  expect(stats).toContain("unconfirmed_reads:1");
  await expect(primary.call("SET", "k", "3")).rejects.toThrow(/^NOREPLICAS/);
  for (const replica of replicas) replica.resume();
  await until(writes, { what: "a write again" });
  await primary.call("SET", "last", "confirmed");
  await primary.kill();
  const shown = await Promise.all(replicas.map((replica) => replica.text("GET", "last")));
  expect(shown).toContain("confirmed");
});

test("e2e: --sync-level durable: a member that never syncs by itself is asked to, once for each write", async () => {
  const fleet = useFleet();
  const dir = (): string[] => ["--dir", directory(fleet)];
  const primary = await fleet.primary("--sync", "1", "--sync-level", "durable", ...dir());
  const replica = await fleet.replica(primary, ...dir(), "--fsync", "no");
  const first = (): Promise<boolean> =>
    primary.call("SET", "k", "first").then(
      () => true,
      () => false,
    );
  await until(first, { what: "a confirmed write" });
  const asked = async (): Promise<number> =>
    (await replica.status()).counters["syncs_asked_for"] ?? 0;
  const before = await asked();
  const WRITES = 10;
  for (let n = 0; n < WRITES; n++) await primary.call("SET", "k", n);
  expect((await asked()) - before).toBe(WRITES);
  const { offset } = (await primary.status()).position;
  expect((await replica.status()).disk!.watermarks.durable).toBeGreaterThanOrEqual(offset);
});
