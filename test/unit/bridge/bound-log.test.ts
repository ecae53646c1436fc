/** The log of a state that binds: a change is in the open batch of its turn, or nowhere. */
import { expect, test } from "vitest";
import { BoundLog } from "../../../src/bridge/bound-log.ts";
import type { Backlog } from "../../../src/log/backlog.ts";
import { batchCount } from "../../../src/wire/frame.ts";
import { batchesFrom, makeBacklog } from "../log/tools.ts";

function setUp(): {
  log: Backlog;
  bound: BoundLog;
  did: string[];
  refusal: { is: Error | null };
  changed: { times: number };
} {
  const log = makeBacklog();
  const did: string[] = [];
  const refusal = { is: null as Error | null };
  const turn = {
    // What was appended before is published, as a long turn does.
    appended: () => {
      if (log.seal()) did.push("published");
    },
    want: () => void did.push("want"),
  };
  const changed = { times: 0 };
  const onChange = (): void => void (changed.times += 1);
  return { log, did, refusal, changed, bound: new BoundLog(log, turn, () => refusal.is, onChange) };
}

test("append => a copy is in the open batch, and a turn is wanted", () => {
  const { log, bound, did, changed } = setUp();
  const record = Buffer.from("abc");
  bound.append(record);
  expect(changed.times).toBe(1);
  record.fill(0);
  expect([log.openBytes > 0, did]).toEqual([true, ["want"]]);
  log.seal();
  expect(batchesFrom(log, 0)[0]!.toString("latin1").endsWith("abc")).toBe(true);
});

test("reserve => filled in place, in memory as it is then; never published before its bytes are there", () => {
  const { log, bound, did } = setUp();
  const at = bound.reserve(3);
  expect(did).toEqual(["want"]);
  bound.memory.write("xyz", at);
  bound.append(Buffer.from("q"));
  expect(did).toEqual(["want", "published", "want"]);
  const large = bound.reserve(5000);
  bound.memory.fill(0x71, large, large + 5000);
  log.seal();
  const all = batchesFrom(log, 0).map((whole) => whole.toString("latin1"));
  expect(all[0]!.endsWith("xyz")).toBe(true);
  expect(all.at(-1)!.endsWith("q".repeat(5000))).toBe(true);
});

test("undo => the newest reserve is gone, once", () => {
  const { log, bound } = setUp();
  bound.append(Buffer.from("a"));
  expect(() => bound.undo()).toThrow("no reserve");
  bound.reserve(9);
  bound.undo();
  expect(() => bound.undo()).toThrow("no reserve");
  log.seal();
  expect(batchesFrom(log, 0).map((whole) => batchCount(whole, 0))).toEqual([1]);
});

test("refused, or too large => throws with nothing done", () => {
  const { log, bound, refusal, did } = setUp();
  refusal.is = new Error("read only");
  expect(() => bound.append(Buffer.from("a"))).toThrow("read only");
  expect(() => bound.reserve(1)).toThrow("read only");
  refusal.is = null;
  expect(() => bound.reserve(2 ** 31)).toThrow("a record of");
  expect([log.tail, did]).toEqual([0, []]);
});
