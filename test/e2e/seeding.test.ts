/** `hawser primary --seed-from`: a primary that comes back with the state of its replicas. */
import { expect, test } from "vitest";
import { converge, count, digestOf } from "../../tools/converge.ts";
import { portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

/** By client port and by replication port in turn: both are to work. */
const listOf = (...nodes: readonly Daemon[]): string =>
  nodes.map((node, n) => `127.0.0.1:${n % 2 === 0 ? node.port : node.replPort}`).join();

const promoted = (node: Daemon): Promise<unknown> =>
  until(async () => (await node.status()).role === "primary", {
    what: `${node.name} to be promoted`,
    describe: () => node.status(),
  });

const chose = (node: Daemon, choice: string): Promise<unknown> =>
  until(() => node.find("seed_choice", { choice }), { what: `${node.name} to ${choice}` });

test("e2e: seed: from a replica of a dead primary => its state, then primary; the replica follows", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const replica = await fleet.replica(old);
  await fill(old, { keys: 1000 });
  await converge([old, replica]);
  const held = await digestOf(replica);
  await old.kill();
  const seeded = await fleet.primary(...portsOf(old), "--seed-from", listOf(replica));
  await promoted(seeded);
  const { counters, sum } = await converge([seeded, replica]);
  expect(sum).toBe(held.sum);
  expect(count(counters[0]!, "sync_full")).toBe(0);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
  expect(await seeded.call("SET", "new", "era")).toBe("OK");
  await converge([seeded, replica]);
});

test("e2e: seed: a replica was promoted meanwhile => it stays a replica of that one, and says why", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const a = await fleet.replica(old);
  const b = await fleet.replica(old);
  await fill(old, { keys: 500 });
  await converge([old, a, b]);
  await old.kill();
  await b.call("REPLICAOF", "NO", "ONE");
  await a.call("REPLICAOF", "127.0.0.1", b.replPort);
  await converge([b, a]);
  const back = await fleet.primary(...portsOf(old), "--seed-from", listOf(a, b));
  await converge([b, a, back]);
  expect(back.findAll("seed_choice")).toMatchObject([
    { choice: "stay", source: `127.0.0.1:${b.replPort}`, asked: 2, answered: 2 },
  ]);
  expect(back.find("seed_choice")?.["why"]).toBe(`127.0.0.1:${b.replPort} is a primary`);
  await expect(back.call("SET", "k", "v")).rejects.toThrow(/^READONLY/);
  // Seeding is over: the primary's end does not make another of it.
  await b.kill();
  await until(async () => (await back.status()).upstream?.state === "retrying", {
    what: "the end",
  });
  expect((await back.status()).role).toBe("replica");
});

test("e2e: seed: the root of its source lives => it follows the source and stays a replica", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const middle = await fleet.replica(root);
  await fill(root, { keys: 300 });
  await converge([root, middle]);
  const node = await fleet.primary("--seed-from", listOf(middle));
  await converge([root, middle, node]);
  expect(node.findAll("seed_choice")).toMatchObject([{ choice: "wait" }, { choice: "stay" }]);
  expect(String(node.find("seed_choice")?.["why"])).toContain("whose primary is alive");
});

test("e2e: seed: one replica's link was cut, WAIT confirmed writes on the other => they are everywhere", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const link = await fleet.proxy(old);
  const a = await fleet.replica(link);
  const b = await fleet.replica(old);
  await fill(old, { keys: 300 });
  await converge([old, a, b]);
  link.down.stall();
  link.up.stall();
  for (let n = 0; n < 200; n++) await old.call("SET", `confirmed:${n}`, "x".repeat(100));
  expect(await old.call("WAIT", 1, 10_000)).toBe(1);
  const held = await digestOf(b);
  expect((await digestOf(a)).offset).toBeLessThan(held.offset);
  await old.kill();
  // For a while the first still believes that its upstream lives: its link is silent, not closed. And as long as that
  // is so nobody can tell that it is a replica of this node.
  const seeded = await fleet.primary(...portsOf(old), "--seed-from", listOf(a, b));
  await until(
    () => seeded.findAll("seed_choice").some(({ why }) => /, not this node/.test(String(why))),
    {
      what: "it to wait for its replica",
    },
  );
  expect((await seeded.status()).role).toBe("replica");
  link.down.resume();
  link.up.resume();
  await promoted(seeded);
  const { sum, counters } = await converge([seeded, a, b]);
  expect(sum).toBe(held.sum);
  expect(seeded.find("seed_choice", { choice: "sync" })?.["source"]).toBe(
    `127.0.0.1:${b.replPort}`,
  );
  expect(count(counters[0]!, "resume_diverged")).toBe(0);
  expect(await b.call("EXISTS", "confirmed:199")).toBe(1);
  expect(await a.call("EXISTS", "confirmed:199")).toBe(1);
});

test("e2e: seed: sources that are down, empty, or the node itself => the one with data is taken", async () => {
  const fleet = useFleet();
  const gone = await fleet.primary();
  const blank = await fleet.primary();
  const old = await fleet.primary();
  const replica = await fleet.replica(old);
  await fill(old, { keys: 100 });
  await converge([old, replica]);
  await gone.kill();
  await old.kill();
  const list = listOf(gone, blank, old, replica);
  const seeded = await fleet.primary(...portsOf(old), "--seed-from", list);
  await promoted(seeded);
  expect(await seeded.call("DBSIZE")).toBe(100);
  await converge([seeded, replica]);
  expect(await blank.call("DBSIZE")).toBe(0);
});

test("e2e: seed: in another place than the dead primary's => it has the state, says whose replicas these are, and leads when told to", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const replica = await fleet.replica(old);
  await fill(old, { keys: 100 });
  await converge([old, replica]);
  await old.kill();
  const seeded = await fleet.primary("--seed-from", listOf(replica));
  await chose(seeded, "ask_again");
  const { role, upstream } = await seeded.status();
  expect(role).toBe("replica");
  expect(upstream?.lastError).toMatch(
    /^--seed-from: 127.0.0.1:\d+ follows 127.0.0.1:\d+, not this node: REPLICAOF NO ONE leads all the same$/,
  );
  await expect(seeded.call("SET", "k", "v")).rejects.toThrow(/^LOADING/);
  expect(await seeded.call("DBSIZE")).toBe(100);
  expect(await seeded.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  expect(await seeded.call("SET", "k", "v")).toBe("OK");
  await replica.call("REPLICAOF", "127.0.0.1", seeded.replPort);
  await converge([seeded, replica]);
});

test("e2e: seed: two are to take the place of one primary => the one that its replica dials leads, the other follows", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const replica = await fleet.replica(old);
  await fill(old, { keys: 100 });
  await converge([old, replica]);
  await old.kill();
  const other = await fleet.primary("--seed-from", listOf(replica));
  await chose(other, "ask_again");
  const back = await fleet.primary(...portsOf(old), "--seed-from", listOf(replica));
  await promoted(back);
  await chose(other, "stay");
  await back.call("SET", "new", "era");
  await converge([back, replica, other]);
  expect(await other.text("GET", "new")).toBe("era");
});

test("e2e: seed: sources of unrelated histories => it does not choose, says so, takes no writes", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const two = await fleet.primary();
  await fill(one, { keys: 10 });
  await fill(two, { keys: 20 });
  const node = await fleet.primary("--seed-from", listOf(one, two));
  await chose(node, "ask_again");
  const { role, upstream } = await node.status();
  expect(role).toBe("replica");
  expect(upstream?.lastError).toMatch(/^--seed-from: .* hold unrelated histories: choose by hand$/);
  await expect(node.call("SET", "k", "v")).rejects.toThrow(/^LOADING/);
  // By hand.
  expect(await node.call("REPLICAOF", "127.0.0.1", two.replPort)).toBe("OK");
  await converge([two, node]);
});

test("e2e: seed: no source has a state yet => writes are refused until one has; then primary", async () => {
  const fleet = useFleet();
  const source = await fleet.primary();
  await fill(source, { keys: 100 });
  const proxy = await fleet.proxy(source);
  proxy.down.stall();
  const replica = await fleet.replica(proxy);
  const seeded = await fleet.primary("--seed-from", listOf(replica));
  await chose(seeded, "ask_again");
  await expect(seeded.call("SET", "k", "v")).rejects.toThrow(/^LOADING/);
  await expect(seeded.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(/never had a state/);
  proxy.down.resume();
  await converge([source, replica, seeded]);
  expect(seeded.find("seed_choice", { choice: "stay" })).toBeDefined();
});

test("e2e: seed: with a password => asked with it; without => the error names the option", async () => {
  const fleet = useFleet();
  const old = await fleet.primary("--repl-password", "sesame", "--clients-open");
  const replica = await fleet.replica(old, "--repl-password", "sesame", "--clients-open");
  await fill(old, { keys: 100 });
  await converge([old, replica]);
  await old.kill();
  const without = await fleet.primary("--seed-from", listOf(replica));
  await chose(without, "ask_again");
  expect(String(without.find("seed_choice")?.["why"])).toContain("--repl-password");
  const wrong = await fleet.primary(
    "--seed-from",
    listOf(replica),
    "--repl-password",
    "other",
    "--clients-open",
  );
  await chose(wrong, "ask_again");
  expect(String(wrong.find("seed_choice")?.["why"])).toContain("wrong password");
  const list = listOf(replica);
  const right = await fleet.primary(
    ...portsOf(old),
    "--seed-from",
    list,
    "--repl-password",
    "sesame",
    "--clients-open",
  );
  await promoted(right);
  expect(await right.call("DBSIZE")).toBe(100);
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
