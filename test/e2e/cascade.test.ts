/** Replicas of replicas when the middle one is lost, or has to take a snapshot itself. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { until } from "../../tools/wait.ts";

test("e2e: cascade: the middle is killed => the last follows the primary by partial resync", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const middle = await fleet.replica(primary);
  const last = await fleet.replica(middle);
  await fill(primary, { keys: 5000 });
  await converge([primary, middle, last]);
  await middle.kill();
  await fill(primary, { keys: 500, prefix: "while away" });
  await last.call("REPLICAOF", "127.0.0.1", primary.port);
  const { counters, records } = await converge([primary, last]);
  expect(records).toBe(5500);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
});

test("e2e: cascade: the middle is cut off, then takes a snapshot => the last says how stale it is, ends equal", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "1mb");
  const proxy = await fleet.proxy(primary);
  const middle = await fleet.replica(proxy);
  const last = await fleet.replica(middle);
  await fill(primary, { keys: 2000 });
  await converge([primary, middle, last]);
  proxy.retarget(1);
  proxy.cutAll("reset");
  // More than the backlog and what its parked hold may pin (4 x).
  await writeLog(primary, 8_000_000);
  await until(async () => ((await last.status()).upstream?.staleMs ?? 0) > 2_000, {
    what: "the last to show that its root has been away",
    timeoutMs: 20_000,
    describe: () => last.status(),
  });
  expect((await last.status()).upstream?.state).toBe("streaming");
  expect(await last.text("GET", "key:1")).toBe(await primary.text("GET", "key:1"));
  proxy.retarget(primary.replPort);
  const { counters } = await converge([primary, middle, last]);
  expect(count(counters[0]!, "sync_full")).toBe(2);
  expect(count(counters[1]!, "link_drops_upstream_resync")).toBe(1);
  await until(async () => ((await last.status()).upstream?.staleMs ?? -1) < 1_000, {
    what: "the last to be fresh again",
    describe: () => last.status(),
  });
});
