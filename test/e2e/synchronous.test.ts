/** Synchronous mode with processes: who is refused, what is UNCONFIRMED, and that what was confirmed survives the leader. */
import { expect, test } from "vitest";
import { until } from "../../tools/wait.ts";
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
