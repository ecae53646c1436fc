/** min-replicas-to-write and replica-max-staleness, set at runtime: who is refused, and when not any more. */
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { type Reply, textOf } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { useFleet } from "../tools/fleet.ts";

test("e2e: min-replicas-to-write: the replica is stopped => NOREPLICAS, and reads; it goes on => writes again", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--min-replicas-to-write", "1");
  await expect(primary.call("SET", "k", "0")).rejects.toThrow(
    /^NOREPLICAS Not enough good replicas to write\.$/,
  );
  const replica = await fleet.replica(primary);
  const writes = (): Promise<boolean> =>
    primary.call("SET", "k", "1").then(
      () => true,
      () => false,
    );
  await until(writes, { what: "a write" });
  await converge([primary, replica]);
  expect(await primary.text("INFO", "replication")).toContain("min_slaves_good_slaves:1");
  const shown = (await primary.call("CONFIG", "GET", "min-slaves-*")) as Reply[];
  expect(shown.map(textOf)).toEqual(["min-slaves-to-write", "1", "min-slaves-max-lag", "10"]);
  await primary.call("CONFIG", "SET", "min-replicas-max-lag", "2");
  replica.pause();
  await until(async () => !(await writes()), { what: "a refusal" });
  expect(await primary.text("INFO", "replication")).toContain("min_slaves_good_slaves:0");
  expect(await primary.text("GET", "k")).toBe("1");
  await primary.call("CONFIG", "SET", "min-replicas-to-write", "0");
  expect(await writes()).toBe(true);
  await primary.call("CONFIG", "SET", "min-replicas-to-write", "1");
  expect(await writes()).toBe(false);
  replica.resume();
  await until(writes, { what: "a write again" });
  await converge([primary, replica]);
});

test("e2e: replica-max-staleness: the root is stopped => STALE on a replica of a replica, which says how far; it goes on => reads again", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const middle = await fleet.replica(primary);
  const replica = await fleet.replica(middle);
  await primary.call("SET", "k", "v");
  await converge([primary, middle, replica]);
  await replica.call("CONFIG", "SET", "replica-max-staleness", "3s");
  const reads = (): Promise<string> => replica.text("GET", "k").catch(String);
  await until(async () => (await reads()) === "v", { what: "a read" });
  primary.pause();
  await until(async () => (await reads()).includes("STALE"), { what: "a refusal" });
  expect(await reads()).toMatch(/STALE what this replica would show may be \d{4,} ms old/);
  expect(await middle.text("GET", "k")).toBe("v");
  expect((await replica.status()).near).toMatchObject({ isStale: true });
  primary.resume();
  await until(async () => (await reads()) === "v", { what: "a read again" });
  await converge([primary, middle, replica]);
});
