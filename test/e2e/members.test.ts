/** The members of synchronous mode with processes: one that is dead is removed, another takes its place, writes go on. */
import { expect, test } from "vitest";
import type { SyncStatus } from "../../src/node/member-status.ts";
import { type Daemon, runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { useFleet } from "../tools/fleet.ts";

async function syncOf(primary: Daemon): Promise<SyncStatus> {
  return JSON.parse(await primary.text("REPL.MEMBERS")) as SyncStatus;
}

async function membersAre(primary: Daemon, ids: readonly string[]): Promise<void> {
  const wanted = [...ids].sort().join();
  const idsNow = async (): Promise<string> => {
    const { members, change } = await syncOf(primary);
    if (change !== null) return "";
    return members
      .map(({ storeId }) => storeId)
      .sort()
      .join();
  };
  await until(async () => (await idsNow()) === wanted, { what: "the members to be those" });
}

test("e2e: a dead member is removed, a new one added, and writes go on; who may not be is refused", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--sync", "1", "--sync-timeout", "2s");
  const [a, b] = [await fleet.replica(primary), await fleet.replica(primary)];
  const idOf = async (node: Daemon): Promise<string> => (await node.status()).replicaId;
  const [own, idA, idB] = await Promise.all([idOf(primary), idOf(a), idOf(b)]);
  await membersAre(primary, [own, idA, idB]);
  const at = `127.0.0.1:${primary.port}`;
  const hawser = (...words: string[]): ReturnType<typeof runHawser> =>
    runHawser(["members", at, ...words]);
  await primary.call("SET", "k", "1");

  await b.kill();
  await primary.call("SET", "k", "2");
  const dead = async (): Promise<boolean> => {
    const { members } = await syncOf(primary);
    return members.some(({ storeId, linked, good }) => storeId === idB && !linked && !good);
  };
  await until(dead, { what: "the dead one to be seen" });
  const refused = await hawser("remove", idA);
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain(
    "0 members that are linked, complete and heard of would be left",
  );
  const removed = await hawser("remove", idB, "--json");
  expect([removed.stderr, removed.code]).toEqual(["", 0]);
  expect((JSON.parse(removed.stdout) as SyncStatus).members).toHaveLength(2);
  await membersAre(primary, [own, idA]);
  await primary.call("SET", "k", "3");

  const unknown = await hawser("add", idB);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain(`${idB} is no replica that is linked, complete and heard of`);
  const c = await fleet.replica(primary);
  const idC = await idOf(c);
  // It is taken by itself: S is below three.
  await membersAre(primary, [own, idA, idC]);
  await a.kill();
  await primary.call("SET", "k", "4");
  expect(await c.text("GET", "k")).toBe("4");

  const d = await fleet.replica(primary);
  const idD = await idOf(d);
  const added = (): Promise<boolean> => hawser("add", idD).then(({ code }) => code === 0);
  await until(added, { what: "a fourth to be a member" });
  await membersAre(primary, [own, idA, idC, idD]);
  expect((await hawser("remove", idA)).code).toBe(0);
  // One that was removed and is linked is not taken again by itself.
  expect((await hawser("remove", idC)).code).toBe(0);
  await primary.call("SET", "k", "5");
  await membersAre(primary, [own, idD]);
  const page = await hawser();
  expect(page.stdout).toContain("sync      1 of 2 members besides the leader, level applied");
  expect(page.stdout).toMatch(new RegExp(`${idD}  127.0.0.1:${d.port} +linked, complete, good`));
  const force = await hawser("--force");
  expect([force.code, force.stderr]).toEqual([
    1,
    `hawser members: ${at}: ERR no change is under way`,
  ]);
});

test("e2e: the members that a change needs are dead => it stays under way until --force, and writes go on then", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--sync", "1", "--sync-timeout", "1s");
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  const isThree = ({ members, change }: SyncStatus): boolean =>
    members.length === 3 && change === null;
  await until(async () => isThree(await syncOf(primary)), { what: "three members" });
  for (const replica of replicas) await replica.kill();
  const d = await fleet.replica(primary);
  const idD = (await d.status()).replicaId;
  const at = `127.0.0.1:${primary.port}`;
  const forced = async (): Promise<boolean> => {
    const ran = await runHawser(["members", at, "add", idD, "--force", "--timeout", "500ms"]);
    return ran.code === 0;
  };
  await expect(primary.call("SET", "k", "0")).rejects.toThrow(/^(NOREPLICAS|UNCONFIRMED)/);
  await until(forced, { what: "the change by force" });
  const { members, change } = await syncOf(primary);
  expect([members.length, change]).toEqual([4, null]);
  await primary.call("SET", "k", "1");
  expect(await d.text("GET", "k")).toBe("1");
});

test("e2e: without synchronous mode => it says so", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const ran = await runHawser(["members", `127.0.0.1:${primary.port}`]);
  expect([ran.code, ran.stdout]).toEqual([1, ""]);
  expect(ran.stderr).toContain("synchronous mode is off");
});
