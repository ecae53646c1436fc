/**
 * A replica whose state has a limit that its primary's has not: keys of an LMDB have at most 1956 bytes, those of a
 * Level any number. The replica stops there, says which limit it is at both ends, and keeps what it has.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { MemoryLevel } from "memory-level";
import { afterEach, expect, test } from "vitest";
import { type LevelState, levelState } from "../../../src/adapters/level.ts";
import { lmdbState } from "../../../src/adapters/lmdb.ts";
import { type ReplicatedNode, replicate } from "../../../src/index.ts";
import { until } from "../../../tools/wait.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const LONG = "k".repeat(2000);
const SAYS = /this state can never have it: a key has 2000 bytes; LMDB takes 1 to 1956/;

interface Pair {
  readonly level: LevelState<string, string>;
  readonly primary: ReplicatedNode;
  readonly replica: ReplicatedNode;
  readonly valueOf: (key: string) => string | undefined;
  /** What the primary logged. */
  readonly lines: readonly string[];
}

async function pair(before: readonly string[]): Promise<Pair> {
  const level = levelState<string, string>(new MemoryLevel());
  const lines: string[] = [];
  const primary = await replicate(level, { log: (line) => lines.push(line) });
  closing.push(() => primary.close());
  for (const key of before) await primary.write(level.put(key, "1"));
  const dir = mkdtempSync(join(tmpdir(), "hawser-limits-"));
  closing.push(() => rmSync(dir, { recursive: true }));
  const db = open<string, string>({ path: join(dir, "lmdb"), encoding: "string" });
  closing.push(() => db.close());
  const replica = await replicate<unknown>(lmdbState(db), { of: `127.0.0.1:${primary.port}` });
  closing.push(() => replica.close());
  const valueOf = (key: string): string | undefined => db.get(key);
  return { level, primary, replica: replica as unknown as ReplicatedNode, valueOf, lines };
}

async function expectStopped({ primary, replica, lines }: Pair): Promise<void> {
  expect(replica.status().upstream).toMatchObject({
    state: "stopped",
    lastError: expect.stringMatching(SAYS) as string,
  });
  await until(() => primary.status().links.length === 0, { what: "the link to be gone" });
  expect(lines.filter((line) => SAYS.test(line))).toHaveLength(1);
  expect(primary.status().counters["sync_full"]).toBe(1);
}

test("a write of a longer key => the replica stops before it; the primary goes on", async () => {
  const both = await pair(["a"]);
  const { level, primary, replica, valueOf } = both;
  await replica.synced({ timeoutMs: 20_000 });
  const at = await primary.write([level.put("b", "2"), level.put(LONG, "2")]);
  await expect(replica.reached(at, { timeoutMs: 20_000 })).rejects.toMatchObject({
    code: "ERR_CANNOT_FOLLOW",
    message: expect.stringMatching(SAYS) as string,
  });
  await expectStopped(both);
  expect([valueOf("a"), valueOf("b")]).toEqual(["1", undefined]);
  await primary.write(level.put("c", "3"));
});

test("a full sync with a longer key => the replica stops, and does not ask for another one", async () => {
  const both = await pair(["a", LONG]);
  await expect(both.replica.synced({ timeoutMs: 20_000 })).rejects.toMatchObject({
    code: "ERR_CANNOT_FOLLOW",
    message: expect.stringMatching(SAYS) as string,
  });
  await expectStopped(both);
  expect(both.valueOf("a")).toBeUndefined();
});
