/** A node whose wall clock is off by more than a minute: it leads by FORCE alone, by REPLICAOF NO ONE and by FAILOVER. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";

const PRELOAD = fileURLToPath(new URL("../tools/clock-off.cjs", import.meta.url));

/** A replica of `primary` whose clock is off by so many seconds. */
async function replicaOff(
  fleet: Fleet,
  primary: Daemon,
  seconds: number,
  ...flags: string[]
): Promise<Daemon> {
  const of = `127.0.0.1:${primary.replPort}`;
  return fleet.node(`off by ${seconds} s`, ["replica", "--of", of, ...flags], {
    NODE_OPTIONS: `--require ${PRELOAD}`,
    CLOCK_OFF_MS: String(seconds * 1000),
  });
}

/** A PING has come: it says what the primary's clock is. */
async function heardClock(replica: Daemon): Promise<void> {
  await until(async () => ((await replica.status()).upstream?.staleMs ?? -1) >= 0, {
    what: "the primary's clock to be heard of",
  });
}

const roleOf = async (node: Daemon): Promise<string> => (await node.info()).text("role");

test.each([
  [120, "expire keys too early"],
  [-120, "keep keys for too long"],
])(
  "e2e: clock: off by %i s from what the primary's PING said => not led by, before and after the primary's end; FORCE leads",
  async (seconds, effect) => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    await fill(primary, { keys: 10 });
    const replica = await replicaOff(fleet, primary, seconds);
    await converge([primary, replica]);
    await heardClock(replica);
    const refused = new RegExp(
      `^ERR this node's clock says .*, its primary's said .*: as a primary it would ${effect}; .*REPLICAOF NO ONE FORCE`,
    );
    await expect(replica.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(refused);
    await primary.kill();
    await expect(replica.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(refused);
    expect(await roleOf(replica)).toBe("slave");
    expect(await replica.call("REPLICAOF", "NO", "ONE", "FORCE")).toBe("OK");
    expect(await roleOf(replica)).toBe("master");
    expect(await replica.call("DBSIZE")).toBe(10);
  },
);

test("e2e: clock: off by less than a minute => it leads", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  await fill(primary, { keys: 10 });
  const replica = await replicaOff(fleet, primary, 30);
  await converge([primary, replica]);
  await heardClock(replica);
  expect(await replica.call("REPLICAOF", "NO", "ONE")).toBe("OK");
});

test("e2e: clock: started without its primary, behind the newest batch that it has => not led by; ahead of it is", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const dir = directory(fleet);
  const before = await fleet.replica(primary, "--dir", dir);
  await fill(primary, { keys: 10 });
  await converge([primary, before]);
  await until(async () => (await before.status()).disk?.checkpoint != null, {
    what: "the state to be on the disk",
  });
  // Why after that: behind a checkpoint that nothing was written after there is no batch.
  await primary.call("SET", "last", "1");
  await converge([primary, before]);
  await before.kill();
  await primary.kill();
  const behind = await replicaOff(fleet, primary, -120, ...portsOf(before), "--dir", dir);
  await expect(behind.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(
    /^ERR this node's clock says .*, the newest batch of its log says .*keep keys for too long/,
  );
  await behind.kill();
  const ahead = await replicaOff(fleet, primary, 120, ...portsOf(before), "--dir", dir);
  expect(await ahead.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  expect(await ahead.call("DBSIZE")).toBe(11);
});

test("e2e: clock: FAILOVER to a node whose clock is off => the primary goes on, and says why", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  await fill(primary, { keys: 10 });
  const replica = await replicaOff(fleet, primary, 120);
  await converge([primary, replica]);
  await primary.call("FAILOVER", "TO", "127.0.0.1", replica.port, "TIMEOUT", 5_000);
  const line = await until(() => primary.find("failover_resumed"), { what: "the failover to end" });
  expect(String(line["why"])).toMatch(/its clock is 1[12]\d s off the primary's/);
  expect([await roleOf(primary), await roleOf(replica)]).toEqual(["master", "slave"]);
  expect(await primary.call("SET", "k", "v")).toBe("OK");
});
