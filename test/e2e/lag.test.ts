/** What a replica shows of its lag: against the root, and not only the next hop. */
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

test("e2e: lag: the root dies, the middle lives => its replica streams, and says that the root is gone", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const middle = await fleet.replica(root);
  const last = await fleet.replica(middle);
  await fill(root, { keys: 1000 });
  await converge([root, middle, last]);
  expect((await last.info()).text("root_link_status")).toBe("up");
  await root.kill();
  const info = await until(
    async () => {
      const seen = await last.info();
      return (
        seen.text("root_link_status") === "down" && seen.number("root_stale_ms") > 2_000 && seen
      );
    },
    { what: "the last to show that the root is gone", timeoutMs: 20_000 },
  );
  // As redis means it: the link to the middle stands.
  expect(info.text("master_link_status")).toBe("up");
  expect(info.number("upstream_lag_bytes")).toBe(0);
  expect(info.number("root_link_down_since_seconds")).toBeGreaterThanOrEqual(1);
  const { upstream } = await last.status();
  expect(upstream).toMatchObject({ state: "streaming", rootLink: "down", lagBytes: 0 });
  expect(upstream!.rootDownForMs).toBeGreaterThan(1_000);
  const page = await runHawser(["status", `127.0.0.1:${last.port}`]);
  expect(page.stdout).toMatch(
    /^root +away for \d+ s, at least 0 bytes behind its last known end, state at most \d+ ms old by the root's clock$/m,
  );
});

test("e2e: lag: the root is frozen => every node below it says how old its state may be", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const middle = await fleet.replica(root);
  const last = await fleet.replica(middle);
  await fill(root, { keys: 100 });
  await converge([root, middle, last]);
  root.pause();
  for (const node of [middle, last])
    await until(async () => ((await node.status()).upstream?.staleMs ?? 0) > 3_000, {
      what: "a state of more than 3 s",
      timeoutMs: 20_000,
      describe: () => node.status(),
    });
  // All links stand, and nobody hears of it: that is away, too.
  for (const node of [middle, last]) {
    await until(async () => (await node.info()).text("root_link_status") === "down", {
      what: "a root that is away",
      timeoutMs: 20_000,
    });
    const check = await runHawser(["status", `127.0.0.1:${node.port}`, "--check"]);
    expect(check.stdout).toMatch(/^root: the root has been away for \d+ s$/m);
    expect(check.code).toBe(1);
  }
  root.resume();
  for (const node of [middle, last])
    await until(async () => ((await node.status()).upstream?.staleMs ?? -1) < 2_500, {
      what: "a fresh state",
      describe: () => node.status(),
    });
  for (const node of [root, middle, last])
    await until(
      async () => {
        const { code, stdout } = await runHawser(["status", `127.0.0.1:${node.port}`, "--check"]);
        return code === 0 && stdout === "";
      },
      { what: "all is well" },
    );
  const port = root.port;
  await root.kill();
  const down = await runHawser(["status", `127.0.0.1:${port}`, "--check"]);
  expect(down.code).toBe(2);
});

test("e2e: lag: a first full sync => what is left of it, on both ends", async () => {
  const fleet = useFleet();
  const root = await fleet.primary("--ship-rate", "1mb");
  await fill(root, { keys: 3000, valueBytes: [4000, 8000] });
  const replica = await fleet.replica(root);
  const during = await until(
    async () => {
      const [below, above] = [await replica.info(), await root.info()];
      return below.number("master_sync_chunks") > 4 && { below, above };
    },
    { what: "a sync under way", everyMs: 20 },
  );
  const { below, above } = during;
  const left = below.number("master_sync_left_bytes");
  expect(left).toBeGreaterThan(5_000_000);
  for (const field of ["root_lag_bytes", "upstream_lag_bytes", "replica_lag_bytes"])
    expect(below.number(field)).toBeGreaterThanOrEqual(left);
  expect(below.number("root_stale_ms")).toBe(-1);
  expect(Number(above.replicas[0]!.get("lag_bytes"))).toBeGreaterThan(5_000_000);
  await root.call("CONFIG", "SET", "ship-rate", "0");
  await converge([root, replica]);
  await until(async () => (await replica.info()).number("root_lag_bytes") === 0, {
    what: "no lag after the sync",
    describe: () => replica.status(),
  });
});

test("e2e: lag: nothing was heard of an upstream yet => unknown, not 0", async () => {
  const fleet = useFleet();
  const replica = await fleet.replica(1);
  const info = await replica.info();
  for (const field of [
    "root_lag_bytes",
    "upstream_lag_bytes",
    "replica_lag_bytes",
    "root_stale_ms",
  ])
    expect(info.number(field)).toBe(-1);
  expect(info.text("root_link_status")).toBe("down");
});
