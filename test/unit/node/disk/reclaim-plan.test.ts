/** Whom a leader that was started again asks, and with which log it may lead. */
import { expect, test } from "vitest";
import type { Address } from "../../../../src/net/address.ts";
import type { LogEnd } from "../../../../src/log/history.ts";
import type { Missing } from "../../../../src/log/disk/manifest.ts";
import { planReclaim } from "../../../../src/node/disk/reclaim-plan.ts";
import type { RecoveredNode } from "../../../../src/node/disk/disk-recovery.ts";
import { startLeading, startRecovering } from "../../../../src/node/roles.ts";
import type { Rank } from "../../../../src/wire/messages.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const PEER = { storeId: id(7), host: "a", port: 1, awaited: false };
const LED = { term: 3, run: 1 };

function plan(incompleteTo: Missing | null, followers = [PEER], sources: Address[] = []) {
  const verdict = {
    end: 100,
    proven: 900,
    reason: "no_sync_mark",
  } as unknown as RecoveredNode["verdict"];
  const found = { hasState: true, incompleteTo, lastLog: 1, verdict } as RecoveredNode;
  const node = { followers, rebooted: false, ownRank: LED };
  const role = { now: startRecovering(startLeading("none")) };
  return planReclaim(role, node, found, -1, null, sources)!;
}

const log = (offset: number, rank: Rank): LogEnd => ({
  history: id(2),
  rank,
  lineage: [{ history: id(1), left: 100, term: 1, run: 0 }],
  offset,
});

test("nothing is missing => whoever is not awaited is not, and it may lead with what it has", () => {
  const { peers, patienceMs, refusalOf } = plan(null);
  expect([peers[0]!.awaited, patienceMs]).toEqual([false, 5_000]);
  expect(refusalOf(log(0, LED))).toBeNull();
});

test("its sources are asked as well, once each, and waited for: they may know who leads", () => {
  const sources = [
    { host: "a", port: 1 },
    { host: "b", port: 2 },
  ];
  const named = plan(null, [PEER], sources).peers.map(
    ({ host, storeId, awaited }) => `${host} ${storeId === "" ? "unknown" : "known"} ${awaited}`,
  );
  expect(named).toEqual(["a known false", "b unknown true"]);
  expect(plan(null, [], sources).peers).toHaveLength(2);
  expect(plan(null, [], [])).toBeNull();
});

test.each<[string, LogEnd, boolean]>([
  ["its own, up to there", log(900, LED), true],
  ["its own of an earlier run, up to there", log(900, { term: 3, run: 0 }), true],
  ["its own, short of that", log(899, LED), false],
  ["one that a later leader went on with, however short", log(500, { term: 4, run: 0 }), true],
  [
    "one of a lower term, however long: it went another way",
    log(5_000, { term: 2, run: 9 }),
    false,
  ],
  // The last byte is of term 1: what leads on from there is not in this log.
  ["the end at which a later leader began, and no more", log(100, { term: 4, run: 0 }), false],
])("something is missing up to 900: with %s", (_what, end, mayLead) => {
  const { peers, refusalOf } = plan(900);
  expect(peers[0]!.awaited).toBe(true);
  expect(refusalOf(end) === null).toBe(mayLead);
});

test("nobody knows how much is missing => not with any log of its own", () => {
  const { refusalOf } = plan("unknown");
  expect(refusalOf(log(Number.MAX_SAFE_INTEGER, LED))).not.toBeNull();
  expect(refusalOf(log(500, { term: 4, run: 0 }))).toBeNull();
});
