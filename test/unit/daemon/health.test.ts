/** `hawser status --check`: the reasons, and that the manual has each. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CHECK_NAMES, degradedBecause, reasonsOf } from "../../../src/daemon/health.ts";
import { show } from "../../../src/daemon/status.ts";
import type { NodeStatus, UpstreamStatus } from "../../../src/node/api.ts";
import type { SyncStatus } from "../../../src/node/member-status.ts";
import { FakeNode } from "../resp/fake-node.ts";
import { DISK, LINK, REPLICA } from "../resp/status-examples.ts";

const WELL: NodeStatus = { ...new FakeNode().status(), links: [] };
const STREAMS: UpstreamStatus = {
  ...REPLICA.upstream!,
  state: "streaming",
  rootLink: "up",
  rootDownForMs: 0,
  restore: null,
};
const LINKED = { ...LINK, state: "streaming", ship: null } as const;
const OPTIONS = {
  target: { host: "", port: 1 },
  watch: false,
  events: false,
  json: false,
  check: true,
  password: "",
};

const SYNC: SyncStatus = {
  copies: 2,
  level: "applied",
  leads: true,
  confirmed: 7,
  goodMembers: 2,
  members: [],
  heldReplies: 0,
  change: null,
};

describe("reasons", () => {
  test.each<[string, Partial<NodeStatus>, string]>([
    ["fenced", { fenced: "rank 3.0 leads" }, "it is fenced: rank 3.0 leads"],
    [
      "recovering",
      { recovery: { startedAtMs: 0, totalBytes: 1, loadedBytes: 0, records: 0 } },
      "it recovers",
    ],
    ["disk", { disk: { ...DISK, trouble: "ENOSPC\n" } }, "ENOSPC\\u000a"],
    ["log", { disk: { ...DISK, incompleteTo: 5 } }, "lost log that was synced"],
    ["upstream", { upstream: { ...STREAMS, state: "retrying" } }, "retrying"],
    ["root", { upstream: { ...STREAMS, rootLink: "down", rootDownForMs: 7_200 } }, "away for 7 s"],
    ["reclaiming", { reclaiming: "n2 has not answered" }, "n2 has not answered"],
    ["failover", { failover: "waiting-for-sync" }, "waiting-for-sync"],
    [
      "members",
      { sync: { ...SYNC, goodMembers: 1 } },
      "good are 1 member besides it, and 2 have to confirm",
    ],
    [
      "noreplicas",
      { near: { ...WELL.near, lacksReplicas: true, goodReplicas: 1 } },
      "near is 1 replica, fewer",
    ],
    ["stale", { near: { ...WELL.near, isStale: true, staleMs: 77 } }, "77 ms old"],
    ["stale", { near: { ...WELL.near, isStale: true } }, "nobody knows"],
    ["paced", { writePace: 1000 }, "1000 bytes"],
    ["replica", { links: [LINK] }, "10.0.0.1:6381 does not stream: shipping"],
    ["replica", { links: [{ ...LINKED, lastAckAgoMs: 6_100 }] }, "has said nothing for 6 s"],
    [
      "parked",
      {
        parked: [
          { replicaId: "a", snapshotId: "5".repeat(32), heldBytes: 0, leftMs: 1 },
          { replicaId: "b", snapshotId: "", heldBytes: 7, leftMs: 1 },
        ],
      },
      "1 replica went away",
    ],
    ["quarantined", { quarantined: 2 }, "2 replicas may not"],
  ])("%s %j => one line, exit 1", (name, wrong, says) => {
    const reasons = reasonsOf({ ...WELL, ...wrong });
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain(`${name}: `);
    expect(reasons[0]).toContain(says);
  });

  test("all right, a replica that streams and a disk that takes included => nothing", () => {
    // Of who only streamed, and went, the log is held for a while.
    const parked = [{ replicaId: "a", snapshotId: "", heldBytes: 7, leftMs: 1 }];
    const well = { ...WELL, sync: SYNC, disk: DISK, links: [LINKED], upstream: STREAMS, parked };
    expect(reasonsOf(well)).toEqual([]);
    expect(degradedBecause(well)).toBe("");
    // One that does not lead knows nothing of others.
    expect(reasonsOf({ ...WELL, sync: { ...SYNC, leads: false, goodMembers: 0 } })).toEqual([]);
  });

  test("several => a line each, its own first; the page has the first of its own alone", () => {
    const status = { ...WELL, fenced: "rank 3.0 leads", links: [LINK], writePace: 5 };
    expect(reasonsOf(status).map((reason) => reason.split(":")[0])).toEqual([
      "fenced",
      "paced",
      "replica",
    ]);
    expect(degradedBecause(status)).toBe("it is fenced: rank 3.0 leads");
    expect(degradedBecause({ ...WELL, links: [LINK] })).toBe("");
  });

  test("--check prints them, and nothing when all is well", () => {
    expect(show(JSON.stringify(WELL), OPTIONS, true)).toEqual({ text: "", code: 0 });
    const shown = show(JSON.stringify({ ...WELL, quarantined: 2, writePace: 5 }), OPTIONS, true);
    expect(shown.code).toBe(1);
    expect(shown.text).toMatch(/^paced: .*\nquarantined: .*\n$/);
  });

  test("the manual has every one, in this order", () => {
    const page = readFileSync(
      new URL("../../../docs/reference/command-line.md", import.meta.url),
      "utf8",
    );
    const rows = page.slice(page.indexOf("| `--check` says |")).split("\n\n")[0]!.split("\n");
    expect(rows.slice(2).map((row) => row.split("|")[1]!.trim())).toEqual(CHECK_NAMES);
  });
});
