/** A primary whose machine crashed takes back from its replicas what its disk had not got. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readNode } from "../../src/node/node-file.ts";
import { converge, count } from "../../tools/converge.ts";
import { Daemon, type Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory, marksOf, newestLog, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";

/** As a crash of the machine leaves it: of what was not synced a part is there. @returns bytes that went */
function loseUnsynced(dir: string, part = 0): number {
  const path = newestLog(dir);
  const { synced, end } = marksOf(path);
  const kept = synced + Math.floor((end - synced) * part);
  truncateSync(path, kept);
  return end - kept;
}

async function fullSyncs(nodes: readonly Daemon[]): Promise<number> {
  let sum = 0;
  for (const node of nodes) sum += count((await node.status()).counters, "sync_full");
  return sum;
}

async function followed(dir: string, replicas: number): Promise<void> {
  await until(() => readNode(dir)!.peers.length === replicas, { what: "peers in node.json" });
}

interface Scene {
  readonly fleet: Fleet;
  readonly dir: string;
  readonly primary: Daemon;
  readonly replicas: readonly Daemon[];
}

/** A primary that is killed, and replicas that have all it had. */
async function crashed(fsync: string, keys = 3_000): Promise<Scene> {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir, "--fsync", fsync);
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  await followed(dir, 2);
  await fill(primary, { keys });
  await converge([primary, ...replicas]);
  await primary.kill();
  return { fleet, dir, primary, replicas };
}

const restarted = ({ fleet, dir, primary }: Scene, ...flags: string[]): Promise<Daemon> =>
  fleet.primary(...portsOf(primary), "--dir", dir, ...flags);

test.each([0, 0.5])(
  "e2e: reclaim: a machine crash, --fsync no, %d of the tail is left => the records are back",
  async (part) => {
    const scene = await crashed("no");
    const { dir, replicas } = scene;
    const fullBefore = await fullSyncs(replicas);
    expect(loseUnsynced(dir, part)).toBeGreaterThan(1_000);

    const again = await restarted(scene);
    expect(await again.call("DBSIZE")).toBe(3_000);
    const { counters } = await converge([again, ...replicas]);
    const line = again.find("reclaimed")!;
    expect(line).toMatchObject({ records: count(counters[0]!, "reclaimed_records") });
    expect(replicas.map(({ replPort }) => `127.0.0.1:${replPort}`)).toContain(line["from"]);
    expect(count(counters[0]!, "reclaimed_records")).toBeGreaterThan(0);
    if (part === 0) expect(line["records"]).toBe(3_000);
    expect(await fullSyncs([again, ...replicas])).toBe(fullBefore);
    expect(count(counters[0]!, "sync_partial_ok")).toBe(2);
    for (const replica of replicas) expect(replica.findAll("restored")).toHaveLength(1);
    await again.call("SET", "more", "1");
    await converge([again, ...replicas]);

    // What was taken is on the disk: nobody has to give it again.
    await again.kill();
    const third = await restarted(scene, "--reclaim", "0");
    expect(await third.call("DBSIZE")).toBeGreaterThanOrEqual(3_000);
    expect(third.find("reclaim")).toBeUndefined();
  },
);

test("e2e: reclaim: everysec, and the last writes before a crash of the machine => they are back", async () => {
  const scene = await crashed("everysec", 100);
  const again = await restarted(scene);
  const { replicas, dir } = scene;
  await converge([again, ...replicas]);
  await Promise.all(Array.from({ length: 200 }, (_, n) => again.call("SET", `late:${n}`, "v")));
  // Why not converge(): a log that rests while it looks is synced.
  expect(await again.call("WAIT", "2", "10000")).toBe(2);
  await again.kill();
  expect(loseUnsynced(dir)).toBeGreaterThan(0);
  const third = await restarted(scene);
  expect(await third.call("DBSIZE")).toBe(300);
  expect(third.find("reclaimed")).toBeDefined();
  await converge([third, ...replicas]);
  expect(count((await third.status()).counters, "sync_full")).toBe(0);
});

test("e2e: reclaim: nothing was lost => all are asked, and it opens at once", async () => {
  const scene = await crashed("everysec", 10);
  const again = await restarted(scene, "--reclaim", "60m");
  expect(again.findAll("reclaim")).toHaveLength(1);
  expect(again.find("reclaim")).toMatchObject({ choice: "open", asked: 2, answered: 2 });
  await converge([again, ...scene.replicas]);
});

test("e2e: reclaim: a replica leads by now => it is followed, and that is remembered", async () => {
  const scene = await crashed("no", 1_000);
  const { dir, fleet, primary, replicas } = scene;
  const [heir, other] = replicas as [Daemon, Daemon];
  await heir.call("REPLICAOF", "NO", "ONE");
  await other.call("REPLICAOF", "127.0.0.1", String(heir.port));
  await heir.call("SET", "since", "then");
  expect(loseUnsynced(dir, 0.5)).toBeGreaterThan(0);

  const again = await restarted(scene);
  const above = `127.0.0.1:${heir.replPort}`;
  expect(again.find("reclaim")).toMatchObject({ choice: "follow", source: above });
  expect(again.find("ready")).toMatchObject({ role: "replica" });
  const { counters } = await converge([heir, again, other]);
  expect(count(counters[1]!, "snapshots_restored")).toBe(0);
  expect(await again.call("DBSIZE")).toBe(1_001);
  expect(readNode(dir)!.role).toMatchObject({ role: "replica", upstream: { port: heir.replPort } });
  await again.stop();
  const third = await fleet.primary(...portsOf(primary), "--dir", dir);
  expect(third.find("role_remembered")).toBeDefined();
  await converge([heir, third, other]);
});

test("e2e: reclaim: nobody answers => it opens after --reclaim with what it has", async () => {
  const scene = await crashed("no", 100);
  for (const replica of scene.replicas) await replica.kill();
  const again = await restarted(scene, "--reclaim", "300ms");
  const choices = again.findAll("reclaim").map((line) => line["choice"]);
  expect([choices[0], choices.at(-1)]).toEqual(["ask_again", "open"]);
  expect(await again.call("DBSIZE")).toBe(100);
});

/** Of those that followed it: for how many a start would wait. */
const awaited = (dir: string): number => readNode(dir)!.peers.filter((peer) => peer.awaited).length;

test("e2e: reclaim: one is gone for good => one restart waits for it, no other", async () => {
  const scene = await crashed("everysec", 100);
  const { dir, replicas } = scene;
  await replicas[0]!.kill();
  const again = await restarted(scene, "--reclaim", "300ms");
  expect(again.find("reclaim", { choice: "ask_again" })).toBeDefined();
  expect(awaited(dir)).toBe(2);
  // From here on the logs have parted.
  await again.call("SET", "since", "1");
  await until(() => awaited(dir) === 1, { what: "the silent one to be released" });
  await converge([again, replicas[1]!]);
  await again.kill();
  const third = await restarted(scene, "--reclaim", "60m");
  expect(third.findAll("reclaim")).toHaveLength(1);
  expect(third.find("reclaim")).toMatchObject({ choice: "open", asked: 2, answered: 1 });
  await converge([third, replicas[1]!]);
});

test("e2e: reclaim: one left, and came back as another store elsewhere => no restart waits for it", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir);
  const gone = await fleet.replica(primary);
  await followed(dir, 1);
  await fill(primary, { keys: 100 });
  await converge([primary, gone]);
  await gone.kill();
  const here = await fleet.replica(primary);
  await followed(dir, 2);
  await until(() => awaited(dir) === 1, { what: "the one that left to be released" });
  await primary.kill();
  const again = await fleet.primary(...portsOf(primary), "--dir", dir, "--reclaim", "60m");
  expect(again.findAll("reclaim")).toHaveLength(1);
  expect(again.find("reclaim")).toMatchObject({ choice: "open", asked: 2, answered: 1 });
  await converge([again, here]);
  expect(readNode(dir)!.peers.map((peer) => peer.awaited)).toEqual([false, true]);
});

test("e2e: reclaim: while it waits => -LOADING, replicas come back later, REPLICAOF NO ONE ends it", async () => {
  const scene = await crashed("everysec", 100);
  const { fleet, dir, primary, replicas } = scene;
  await replicas[1]!.kill();
  const again = await Daemon.launch("again", [
    ...["primary", ...portsOf(primary), "--dir", dir],
    ...["--reclaim", "60m"],
  ]);
  fleet.nodes.push(again);
  again.port = primary.port;
  await until(() => again.find("reclaim", { choice: "ask_again" }), { what: "the wait" });
  expect(String(await again.ask("GET", "key:1"))).toContain("LOADING");
  expect(String(await again.ask("SET", "key:1", "x"))).toContain("LOADING");
  const info = await again.info();
  expect(info.text("loading")).toBe("1");
  expect(info.text("role")).toBe("master");
  expect(await again.text("REPLICAOF", "NO", "ONE")).toBe("OK");
  await again.ready();
  await again.call("SET", "open", "1");
  await converge([again, replicas[0]!]);
  expect(replicas[0]!.findAll("restored")).toHaveLength(1);
});

test("e2e: reclaim: told to stop while it waits => it ends, and leads nothing", async () => {
  const scene = await crashed("everysec", 10);
  for (const replica of scene.replicas) await replica.kill();
  const { fleet, dir, primary } = scene;
  const args = ["primary", ...portsOf(primary), "--dir", dir, "--reclaim", "60m"];
  const again = await Daemon.launch("again", args);
  fleet.nodes.push(again);
  await until(() => again.find("reclaim"), { what: "the wait" });
  expect(await again.stop()).toMatchObject({ code: 0 });
  expect(again.find("ready")).toBeUndefined();
});

/** Something synced is gone: a byte in front of the newest mark is another one. */
async function withHole(): Promise<Scene> {
  const scene = await crashed("always", 300);
  const path = newestLog(scene.dir);
  const at = Math.floor(marksOf(path).end / 2);
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  writeFileSync(path, bytes);
  return scene;
}

test("e2e: reclaim: what was synced is gone, and replicas have it => it leads", async () => {
  const scene = await withHole();
  const again = await restarted(scene);
  expect(again.find("log_incomplete")).toBeDefined();
  expect(await again.call("DBSIZE")).toBe(300);
  const { counters } = await converge([again, ...scene.replicas]);
  expect(count(counters[0]!, "sync_full")).toBe(0);
  await again.stop();
  const third = await restarted(scene);
  expect(third.find("log_incomplete")).toBeUndefined();
});

test("e2e: reclaim: what was synced is gone, and nobody has it => it says whom it asked", async () => {
  const scene = await withHole();
  for (const replica of scene.replicas) await replica.kill();
  const { fleet, dir, primary } = scene;
  const args = ["primary", ...portsOf(primary), "--dir", dir, "--reclaim", "300ms"];
  const again = await Daemon.launch("again", args);
  fleet.nodes.push(again);
  expect(await again.ended()).toMatchObject({ code: 1 });
  const { message } = again.find("cannot_recover") as unknown as { message: string };
  expect(message).toMatch(/\.log is whole up to offset \d+ .*--accept-loss.*Asked: /);
  for (const { replPort } of scene.replicas) expect(message).toContain(`127.0.0.1:${replPort}`);
  const third = await restarted(scene, "--reclaim", "300ms", "--accept-loss");
  expect(await third.call("DBSIZE")).toBeLessThan(300);
});
