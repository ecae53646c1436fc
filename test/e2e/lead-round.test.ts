/** The lead round of synchronous mode between processes: whom it needs, and what is said when it lacks them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNode } from "../../src/node/node-file.ts";
import { encodeNode, NODE_FILE } from "../../src/node/node-memory.ts";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { encodeRequest, RawResp } from "../tools/raw-resp.ts";
import { useFleet } from "../tools/fleet.ts";

interface Scene {
  readonly fleet: Fleet;
  readonly dirs: readonly string[];
  readonly primary: Daemon;
  readonly replicas: readonly [Daemon, Daemon];
}

/** A primary and two replicas, all three of them members, one of which confirms. */
async function members(): Promise<Scene> {
  const fleet = useFleet();
  const dirs = [directory(fleet), directory(fleet), directory(fleet)] as const;
  const first = await fleet.primary("--dir", dirs[0]);
  const followers = [
    await fleet.replica(first, "--dir", dirs[1]),
    await fleet.replica(first, "--dir", dirs[2]),
  ] as const;
  await fill(first, { keys: 500 });
  await converge([first, ...followers]);
  await until(() => readNode(dirs[0])!.peers.length === 2, { what: "peers in node.json" });
  for (const node of [...followers, first]) await node.stop();
  const kept = dirs.map((dir) => readNode(dir)!);
  const storeIds = kept.map(({ storeId }) => storeId);
  for (const [n, memory] of kept.entries()) {
    const now = { copies: 1, level: "applied", members: storeIds } as const;
    const text = encodeNode({ ...memory, sync: { now, was: null } });
    writeFileSync(join(dirs[n]!, NODE_FILE), text);
  }
  const back = (node: Daemon, dir: string): Promise<Daemon> =>
    fleet.replica(first, ...portsOf(node), "--dir", dir);
  const replicas = [await back(followers[0], dirs[1]), await back(followers[1], dirs[2])] as const;
  const primary = await fleet.primary(...portsOf(first), "--dir", dirs[0]);
  await converge([primary, ...replicas]);
  return { fleet, dirs, primary, replicas };
}

test("e2e: lead round: a primary starts again => its members promise, and it leads with that rank", async () => {
  const { primary, replicas } = await members();
  const promised = replicas.flatMap((node) => node.findAll("promised"));
  expect(promised.length).toBeGreaterThan(0);
  const rank = (await primary.info()).text("rank");
  for (const line of promised) expect(line["rank"]).toBe(rank);
  expect(await primary.call("DBSIZE")).toBe(500);
});

test("e2e: lead round: a replica is told to lead => the other promises, nothing is lost, no full sync", async () => {
  const { dirs, primary, replicas } = await members();
  const [one, two] = replicas;
  await until(() => readNode(dirs[1]!)!.siblings.length === 1, { what: "siblings in node.json" });
  await primary.call("SET", "last", "1");
  await converge([primary, one, two]);
  await primary.kill();
  expect(await one.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  const info = await one.info();
  const rank = info.text("rank");
  expect(info.text("role")).toBe("master");
  expect(two.findAll("promised").at(-1)!["rank"]).toBe(rank);
  await two.call("REPLICAOF", "127.0.0.1", one.replPort);
  const { counters } = await converge([one, two]);
  expect(await two.text("GET", "last")).toBe("1");
  expect(count(counters[0]!, "sync_full")).toBe(0);
});

test("e2e: lead round: too few => it stays a replica, and names who is missing; FORCE leads", async () => {
  const { primary, replicas } = await members();
  const [one, two] = replicas;
  await two.kill();
  await primary.kill();
  await expect(one.call("REPLICAOF", "NO", "ONE")).rejects.toThrow(
    /^ERR 1 of the 2 complete members.*not: [0-9a-f]{32}.*REPLICAOF NO ONE FORCE/,
  );
  expect((await one.info()).text("role")).toBe("slave");
  expect(await one.call("REPLICAOF", "NO", "ONE", "FORCE")).toBe("OK");
  expect((await one.info()).text("role")).toBe("master");
});

/** What EXEC answers when a node is told to lead in a transaction. */
async function byTransaction(node: Daemon): Promise<string> {
  const client = await RawResp.connect(node.port);
  const lines = ["MULTI", "SLAVEOF NO ONE", "ECHO a", "EXEC"];
  const sent = lines.map((line) => encodeRequest(line.split(" ")));
  return client.replies(Buffer.concat(sent));
}

test("e2e: lead round: told in a transaction => EXEC is answered by how the round ended", async () => {
  const { primary, replicas } = await members();
  const [one, two] = replicas;
  const queued = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n";
  await primary.kill();
  two.signal("SIGSTOP");
  const refused = await byTransaction(one);
  expect(refused.startsWith(`${queued}-ERR 1 of the 2 complete members`)).toBe(true);
  expect((await one.info()).text("role")).toBe("slave");
  two.signal("SIGCONT");
  expect(await byTransaction(one)).toBe(`${queued}+OK\r\n$1\r\na\r\n`);
  expect((await one.info()).text("role")).toBe("master");
  await two.call("REPLICAOF", "127.0.0.1", one.replPort);
  await converge([one, two]);
});

test("e2e: lead round: the old primary lives => nobody follows it any more, and it gives way", async () => {
  const { primary, replicas } = await members();
  const [one, two] = replicas;
  expect(await one.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  await until(() => primary.find("fenced") !== undefined, { what: "the old primary to be fenced" });
  await two.call("REPLICAOF", "127.0.0.1", one.replPort);
  await converge([one, two, primary]);
});
