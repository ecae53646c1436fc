/** Events of embedded nodes: what happens is told once, typed, at the end of a turn. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type NodeEventName, type NodeEvents, Primary, Replica } from "../../../src/index.ts";

const open: (Primary | Replica)[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function keep<T extends Primary | Replica>(made: T): T {
  open.push(made);
  return made;
}

/** Resolves with the first event of that name for which `holds`. */
function next<Name extends NodeEventName>(
  node: Primary | Replica,
  name: Name,
  holds: (happened: NodeEvents[Name]) => boolean = () => true,
): Promise<NodeEvents[Name]> {
  return new Promise((resolve) => {
    const listener = (happened: NodeEvents[Name]): void => {
      if (!holds(happened)) return;
      node.off(name, listener);
      resolve(happened);
    };
    node.on(name, listener);
  });
}

test("a replica comes, syncs and goes => link, resync, state and synced, once each", async () => {
  const primary = keep(await Primary.open());
  primary.set("key", "value");
  const told: string[] = [];
  primary.on("link", ({ change }) => told.push(change));
  primary.on("resync", ({ change, replicaId }) => told.push(`${change} ${replicaId.length}`));
  const replica = keep(await Replica.open({ of: `127.0.0.1:${primary.replPort}` }));
  const states: string[] = [];
  replica.on("state", ({ state }) => states.push(state));
  replica.on("resync", ({ change }) => states.push(change));
  const { position } = await next(replica, "synced");
  expect(position).toEqual(primary.position);
  expect(String(replica.get("key"))).toBe("value");
  expect(states.slice(-5)).toEqual(["handshake", "restoring", "began", "streaming", "ended"]);
  const gone = next(primary, "link", ({ change }) => change === "gone");
  await replica.close();
  expect((await gone).why).toContain("shutdown");
  expect(told).toEqual(["attached", "began 32", "ended 32", "gone"]);
});

test("a connection that comes back => synced again; with no listener it is not told", async () => {
  const first = keep(await Primary.open());
  const { replPort } = first;
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}` }));
  let times = 0;
  const count = (): void => void (times += 1);
  replica.on("synced", count);
  await next(replica, "synced");
  // Already synced: a new listener waits for the next time.
  const late: unknown[] = [];
  replica.on("synced", (happened) => late.push(happened));
  await sleep(50);
  expect([times, late]).toEqual([1, []]);
  replica.off("synced", count);
  const lost = next(replica, "state", ({ state }) => state === "retrying");
  await first.close();
  expect((await lost).why).toContain("shutdown");
  const again = next(replica, "synced");
  keep(await Primary.open({ replPort }));
  await again;
  expect([times, late.length]).toEqual([1, 1]);
});

test("a wrong password => both ends tell of a refusal, and why", async () => {
  const primary = keep(await Primary.open({ replPassword: "one" }));
  const here = next(primary, "refused");
  const replica = await Replica.open({
    of: `127.0.0.1:${primary.replPort}`,
    replPassword: "another",
  });
  const there = next(keep(replica), "refused");
  const refusals = await Promise.all([here, there]);
  expect(refusals.map(({ by }) => by)).toEqual(["this_node", "upstream"]);
  for (const { why } of refusals) expect(why).toContain("auth");
});

test("a promotion => role; a listener may write in it", async () => {
  const primary = keep(await Primary.open());
  const replica = keep(await Replica.open({ of: `127.0.0.1:${primary.replPort}` }));
  await replica.synced();
  const role = next(replica, "role");
  const promoted = await replica.promote();
  expect(await role).toEqual({ role: "primary", upstream: "" });
  promoted.on("link", ({ change }) => promoted.set("seen", change));
  const second = keep(await Replica.open({ of: `127.0.0.1:${promoted.replPort}` }));
  await second.synced();
  expect(await promoted.waitForReplicas(1, { timeoutMs: 10_000 })).toBe(1);
  expect(String(second.get("seen"))).toBe("attached");
});

test("a listener that throws => logged and told as an error; others are told, the node goes on", async () => {
  const lines: string[] = [];
  const primary = keep(await Primary.open({ log: (line) => lines.push(line) }));
  const others: string[] = [];
  primary.on("link", () => {
    throw new Error("of mine");
  });
  primary.on("link", ({ change }) => others.push(change));
  primary.on("error", () => {
    throw new Error("and another");
  });
  const failed = next(primary, "error");
  const replica = keep(await Replica.open({ of: `127.0.0.1:${primary.replPort}` }));
  await replica.synced({ timeoutMs: 10_000 });
  const { what, why } = await failed;
  expect(what).toBe("listener of link");
  expect(why).toContain("of mine");
  expect(others).toEqual(["attached"]);
  await sleep(20);
  const logged = lines.filter((line) => line.includes("listener_failed"));
  expect(logged.map((line) => /of mine|and another/.exec(line)?.[0])).toEqual([
    "of mine",
    "and another",
  ]);
});

test("a listener that rejects => logged and told as one that throws", async () => {
  const lines: string[] = [];
  const primary = keep(await Primary.open({ log: (line) => lines.push(line) }));
  primary.on("link", async () => {
    await sleep(1);
    throw new Error("of mine, later");
  });
  const failed = next(primary, "error");
  const replica = keep(await Replica.open({ of: `127.0.0.1:${primary.replPort}` }));
  await replica.synced({ timeoutMs: 10_000 });
  expect(await failed).toMatchObject({ what: "listener of link" });
  expect(lines.join("")).toContain("of mine, later");
});
