/** Nodes over states of an embedder's own, in one process, over loopback. */
import { describe, expect, test } from "vitest";
import { decodeMark } from "../../../src/bridge/mark.ts";
import { replicate, type ReplicateOptions } from "../../../src/embed/replicate.ts";
import { nodeOf, type ReplicatedNode } from "../../../src/embed/replicated-node.ts";
import { newDir, open } from "../../tools/open-nodes.ts";
import {
  newDisk,
  setRecord,
  type ToyDisk,
  type ToyOptions,
  ToyState,
} from "../../tools/toy-state.ts";

async function node(disk: ToyDisk, options: ReplicateOptions = {}, toy: ToyOptions = {}) {
  const state = new ToyState(disk, toy);
  const made = await replicate(state, options);
  open.push(made);
  return made;
}

const until = (of: ReplicatedNode, holds: () => boolean): Promise<boolean> =>
  nodeOf(of).until(holds, 20_000);

/** It has what `primary` has. */
async function reached(replica: ReplicatedNode, primary: ReplicatedNode): Promise<void> {
  const { history, offset } = primary.position;
  const isThere = (): boolean =>
    replica.position.history === history &&
    replica.position.offset === offset &&
    nodeOf(replica).isSynced;
  expect(await until(replica, isThere), JSON.stringify(replica.status().upstream)).toBe(true);
}

/** As a primary writes: into the log, then into the state. In the first form of replicate() by hand. */
async function write(primary: ReplicatedNode, key: string, value: string): Promise<void> {
  const { backlog, core, bridge } = nodeOf(primary);
  const record = setRecord(key, value);
  const at = backlog.append(record.length);
  record.copy(backlog.bytes, at);
  backlog.seal();
  const { next: offset, chain, newestClockMs: clockMs } = backlog;
  const { history, rank, lineage } = core.identity;
  await bridge!.markAs({ history, rank, lineage, offset, chain, clockMs });
  nodeOf(primary).turn.appended();
}

const content = Array.from(
  { length: 500 },
  (_, n) => [`key${n}`, `value ${"x".repeat(n % 300)}`] as const,
);
const sorted = (map: Map<string, string>): [string, string][] => [...map].sort();
const of = ({ port }: ReplicatedNode): string => `127.0.0.1:${port}`;
const counter = (of: ReplicatedNode, name: string): number => of.status().counters[name] ?? 0;

describe.each([
  ["at once", {}],
  ["later", { later: () => new Promise<void>((resolve) => setImmediate(resolve)) }],
] as const)("states that answer %s", (_, toy) => {
  test("a replica has what was there, by a full sync, and what is written afterwards", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const primary = await node(there, {}, toy);
    const replica = await node(here, { of: of(primary) }, toy);
    await reached(replica, primary);
    expect(sorted(here.map)).toEqual(sorted(there.map));
    expect(counter(primary, "sync_full")).toBe(1);
    there.map.set("more", "1");
    await write(primary, "more", "1");
    await reached(replica, primary);
    expect(here.map.get("more")).toBe("1");
    expect(decodeMark(here.mark!)).toMatchObject(replica.position);
  });

  test("a replica that comes back with its mark goes on from there: no second full sync", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const primary = await node(there, {}, toy);
    const first = await node(here, { of: of(primary) }, toy);
    await reached(first, primary);
    await first.close();
    await write(primary, "meanwhile", "1");
    const second = await node(here, { of: of(primary) }, toy);
    await reached(second, primary);
    expect([here.map.get("meanwhile"), here.map.size]).toEqual(["1", content.length + 1]);
    expect([counter(primary, "sync_full"), counter(primary, "sync_partial_ok")]).toEqual([1, 1]);
  });

  test("a primary that comes back with its mark opens a history there: its replica goes on", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const primary = await node(there, {}, toy);
    const port = primary.port;
    const replica = await node(here, { of: of(primary) }, toy);
    await write(primary, "k", "1");
    await reached(replica, primary);
    const { position } = primary;
    await primary.close();
    const again = await node(there, { listen: port }, toy);
    expect(again.position.offset).toBe(position.offset);
    expect(again.position.history).not.toBe(position.history);
    expect(again.status().lineage.at(-1)).toMatchObject({
      history: position.history,
      left: position.offset,
    });
    await write(again, "k", "2");
    await reached(replica, again);
    expect([here.map.get("k"), counter(again, "sync_full")]).toEqual(["2", 0]);
  });
});

describe("marks at a start", () => {
  test("a seeded primary that dies before its first write is found again by its replica", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const primary = await node(there);
    const port = primary.port;
    const replica = await node(here, { of: of(primary) });
    await reached(replica, primary);
    await primary.close();
    const again = await node(there, { listen: port });
    await reached(replica, again);
    expect(counter(again, "sync_full")).toBe(0);
  });

  test("durability none: no mark is kept, each start is a new one", async () => {
    const disk = newDisk(content);
    const primary = await node(disk, {}, { durability: "none" });
    const { history } = primary.position;
    await primary.close();
    expect(disk.mark).toBeNull();
    const again = await node(disk, {}, { durability: "none" });
    expect([again.position.offset, again.position.history === history]).toEqual([0, false]);
  });

  test("a mark that cannot be read: told, and as none", async () => {
    const disk = newDisk(content);
    disk.mark = Buffer.from("nonsense");
    const lines: string[] = [];
    const primary = await node(disk, { log: (line) => lines.push(line) });
    expect(lines.join("\n")).toMatch(/state_mark_damaged.*8 bytes/);
    expect(primary.position.offset).toBe(0);
    expect(decodeMark(disk.mark)).toMatchObject(primary.position);
  });

  test("data without a mark is not replaced without consent", async () => {
    const primary = await node(newDisk(content));
    const mine = newDisk([["mine", "1"]]);
    const replica = await node(mine, { of: of(primary) });
    await until(
      replica,
      () => replica.status().upstream!.lastError !== "" || nodeOf(replica).isSynced,
    );
    expect(replica.status().upstream!.lastError).toMatch(/unrelated/);
    expect([nodeOf(replica).isSynced, [...mine.map]]).toEqual([false, [["mine", "1"]]]);
    await replica.close();
    const consents = await node(mine, { of: of(primary), allowReset: true });
    await reached(consents, primary);
    expect(mine.map.size).toBe(content.length);
  });

  test("formats that differ: refused, naming both", async () => {
    const primary = await node(newDisk(content));
    const replica = await node(
      newDisk(),
      { of: of(primary) },
      { format: { name: "other", version: 2 } },
    );
    await until(replica, () => replica.status().upstream!.lastError !== "");
    expect(replica.status().upstream!.lastError).toMatch(/format other\/2.*toy\/1/);
  });
});

test("a replica that reads an older version follows a primary that has it, and one that is upgraded", async () => {
  const [there, here] = [newDisk(content), newDisk()];
  const primary = await node(there, {}, { format: { name: "toy", version: 1 } });
  const port = primary.port;
  const format = { name: "toy", version: 2, reads: [1] };
  const replica = await node(here, { of: of(primary) }, { format });
  await reached(replica, primary);
  expect(counter(primary, "sync_full")).toBe(1);
  await primary.close();
  const upgraded = await node(there, { listen: port }, { format });
  await write(upgraded, "new", "1");
  await reached(replica, upgraded);
  expect([here.map.get("new"), counter(upgraded, "sync_full")]).toEqual(["1", 0]);
});

test("verify: equal, and not when a record differs", async () => {
  const [there, here] = [newDisk(content), newDisk()];
  const primary = await node(there);
  const replica = await node(here, { of: of(primary) });
  await reached(replica, primary);
  const verdicts = async (): Promise<string[]> => {
    const { replicas } = await nodeOf(primary).inspection.verify(10_000);
    return replicas.map(({ verdict }) => verdict);
  };
  expect(await verdicts()).toEqual(["equal"]);
  here.map.set("key7", "other");
  expect(await verdicts()).toEqual(["differs"]);
});

describe("with dir", () => {
  test("a replica killed between its state and its log: goes on at the mark, by partial resync", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const dir = newDir();
    const primary = await node(there);
    const first = await node(here, { of: of(primary), dir });
    await reached(first, primary);
    await first.close();
    // What the state applied, and no log of it: as a process that was killed in between.
    const other = await node(here, { of: of(primary) });
    await write(primary, "beyond", "1");
    await reached(other, primary);
    await other.close();
    await write(primary, "later", "1");
    const lines: string[] = [];
    const again = await node(here, { of: of(primary), dir, log: (line) => lines.push(line) });
    expect(lines.join("\n")).toMatch(/log_begins_anew.*beyond/);
    await reached(again, primary);
    expect([here.map.get("beyond"), here.map.get("later")]).toEqual(["1", "1"]);
    expect(counter(primary, "sync_full")).toBe(1);
  });

  test("a replica whose state is behind its log: replayed from the mark, not from before", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const dir = newDir();
    const primary = await node(there);
    const first = await node(here, { of: of(primary), dir });
    await reached(first, primary);
    const before = { map: new Map(here.map), mark: here.mark };
    await write(primary, "a", "1");
    await write(primary, "b", "2");
    await reached(first, primary);
    await first.close();
    const state = new ToyState(before);
    const again = await replicate(state, { of: "127.0.0.1:1", dir });
    open.push(again);
    expect([before.map.get("a"), before.map.get("b")]).toEqual(["1", "2"]);
    expect(again.position).toEqual(primary.position);
    expect(state.asked.filter((what) => what === "apply").length).toBeGreaterThan(0);
  });

  test("a primary with dir comes back where it was; a replica goes on", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const dir = newDir();
    const primary = await node(there, { dir });
    const port = primary.port;
    const replica = await node(here, { of: of(primary) });
    await write(primary, "a", "1");
    await reached(replica, primary);
    await primary.close();
    const again = await node(there, { dir, listen: port });
    await write(again, "b", "2");
    await reached(replica, again);
    expect([here.map.get("b"), counter(again, "sync_full")]).toEqual(["2", 0]);
  });

  test("a primary whose state is of another log is refused, and loses nothing", async () => {
    const dir = newDir();
    const first = await node(newDisk(content), { dir });
    await write(first, "a", "1");
    await first.close();
    const other = newDisk([["x", "1"]]);
    await expect(node(other, { dir })).rejects.toThrow(
      /ERR_DISK_DAMAGED.*no mark that says where it is/,
    );
    await expect(node(newDisk(), { dir })).resolves.toBeDefined();
  });

  test("durability none: checkpoint and log, as the built-in store", async () => {
    const [there, here] = [newDisk(content), newDisk()];
    const dir = newDir();
    const primary = await node(there);
    const first = await node(here, { of: of(primary), dir }, { durability: "none" });
    await reached(first, primary);
    const { checkpoints } = nodeOf(first);
    await until(first, () => checkpoints!.status.newest !== null);
    await write(primary, "a", "1");
    await reached(first, primary);
    await first.close();
    const memory = newDisk();
    const again = await replicate(new ToyState(memory, { durability: "none" }), {
      of: "127.0.0.1:1",
      dir,
    });
    open.push(again);
    expect(again.position).toEqual(primary.position);
    expect([memory.map.size, memory.map.get("a")]).toEqual([content.length + 1, "1"]);
  });
});
