/** `hawser primary --seed-from`: a primary that starts with somebody else's state. */
import { expect, test } from "vitest";
import { converge, count, digestOf } from "../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { until } from "../tools/wait.ts";

test("e2e: seed: from a replica of a dead primary => its state, then primary; the replica follows", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const replica = await fleet.replica(old);
  await fill(old, { keys: 1000 });
  await converge([old, replica]);
  const held = await digestOf(replica);
  const ports = ["--port", String(old.port), "--repl-port", String(old.replPort)];
  await old.kill();
  const seeded = await fleet.primary(...ports, "--seed-from", `127.0.0.1:${replica.port}`);
  await until(async () => (await seeded.status()).role === "primary", { what: "the promotion" });
  const { counters, sum } = await converge([seeded, replica]);
  expect(sum).toBe(held.sum);
  expect(count(counters[0]!, "sync_full")).toBe(0);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
  expect(await seeded.call("SET", "new", "era")).toBe("OK");
  await converge([seeded, replica]);
});

test("e2e: seed: while it has nothing yet => writes are refused", async () => {
  const fleet = useFleet();
  const source = await fleet.primary();
  await fill(source, { keys: 100 });
  const proxy = await fleet.proxy(source);
  proxy.down.stall();
  const seeded = await fleet.primary("--seed-from", `127.0.0.1:${proxy.port}`);
  await expect(seeded.call("SET", "k", "v")).rejects.toThrow(/^[A-Z]+ /);
  proxy.down.resume();
  await until(async () => (await seeded.status()).role === "primary", { what: "the promotion" });
  expect(await seeded.call("SET", "k", "v")).toBe("OK");
  expect(await seeded.call("DBSIZE")).toBe(101);
});

test("e2e: seed: first source is down => the next one is taken", async () => {
  const fleet = useFleet();
  const gone = await fleet.primary();
  const source = await fleet.primary();
  await fill(source, { keys: 100 });
  await gone.kill();
  const list = `127.0.0.1:${gone.replPort},127.0.0.1:${source.replPort}`;
  const seeded = await fleet.primary("--seed-from", list);
  await until(async () => (await seeded.status()).role === "primary", { what: "the promotion" });
  expect(await seeded.call("DBSIZE")).toBe(100);
});

test.each(["replica", "seeded primary"])(
  "e2e: a %s that never had a state => LOADING from the start, not an empty state",
  async (kind) => {
    const fleet = useFleet();
    const source = await fleet.primary();
    await fill(source, { keys: 100 });
    const proxy = await fleet.proxy(source);
    proxy.down.stall();
    const node =
      kind === "replica"
        ? await fleet.replica(proxy)
        : await fleet.primary("--seed-from", `127.0.0.1:${proxy.port}`);
    for (const command of [["GET", "key:1"], ["EXISTS", "key:1"], ["DBSIZE"], ["PING"]])
      await expect(node.call(...command)).rejects.toThrow(/^LOADING /);
    expect((await node.info()).text("loading")).toBe("1");
    proxy.down.resume();
    await until(async () => (await node.info()).text("loading") === "0", { what: "a state" });
    expect(await node.call("DBSIZE")).toBe(100);
    expect(await node.call("PING")).toBe("PONG");
  },
);
