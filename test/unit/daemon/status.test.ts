/** The page of `hawser status`. */
import { describe, expect, test } from "vitest";
import { degradedBecause } from "../../../src/daemon/health.ts";
import { statusText } from "../../../src/daemon/status.ts";
import type { SyncStatus } from "../../../src/node/member-status.ts";
import { DISK, PRIMARY, REPLICA } from "../resp/status-examples.ts";

describe("status", () => {
  test("the page: plain without colour, one line for each fact", () => {
    const text = statusText(REPLICA, false, 1000);
    expect(text).toMatch(/^role {6}replica/);
    expect(text).toContain(
      "upstream  10.0.0.9:16380 restoring, received 20, applied 10, 10 bytes behind it",
    );
    expect(text).toContain(
      "root      away for 3 s, at least 25 bytes behind its last known end, state at most 300 ms old by the root's clock",
    );
    expect(text).toContain("last error: bad\\u000anews");
    expect(text).not.toContain("\u001b");
    expect(statusText(PRIMARY, true, 1000)).toContain("\u001b[32mstreaming");
    expect(text).not.toContain("disk ");
  });

  test("synchronous mode: one line; nothing of it when it is off", () => {
    const sync: SyncStatus = {
      copies: 1,
      level: "durable",
      leads: true,
      confirmed: 70,
      goodMembers: 2,
      members: [],
      heldReplies: 5,
      change: { from: null, to: null },
    };
    const pageOf = (changes: Partial<SyncStatus>): string =>
      statusText({ ...PRIMARY, sync: { ...sync, ...changes } }, false);
    expect(pageOf({})).toContain(
      "\nsync      1 of the others confirm at level durable, 0 members, a change under way, 2 good besides this node; confirmed up to 70, 5 replies held\n",
    );
    expect(pageOf({ change: null, confirmed: -1 })).toContain(
      "0 members, 2 good besides this node; nothing confirmed yet, 5 replies held\n",
    );
    expect(pageOf({ change: null, leads: false })).toContain(
      "0 members; this node does not lead\n",
    );
    expect(statusText(PRIMARY, false)).not.toContain("\nsync ");
  });

  test("the disk: every watermark, what a start reads and what this one found", () => {
    expect(statusText({ ...PRIMARY, disk: DISK }, false)).toContain(
      `disk      fsync everysec, appended 40, sealed 30, written 20, durable 10
          checkpoint at 8, of 1970-01-01T00:00:00.000Z, 2.0 KB of log behind it
          at the start 7 records from the log in 3 ms, 5 bytes cut off its end
`,
    );
    const young = { ...DISK, checkpoint: null, found: null };
    expect(statusText({ ...PRIMARY, disk: young }, false)).toContain(
      "          no checkpoint, 2.0 KB",
    );
  });

  test("a recovery: how far it is, and the node is degraded", () => {
    const recovery = { startedAtMs: 0, totalBytes: 100, loadedBytes: 43, records: 430 };
    const text = statusText({ ...PRIMARY, recovery }, false, 4_300);
    expect(text).toContain("recovery  43 %, 430 of 1000 records, 5.7 s left");
    expect(text).toContain("degraded  it recovers its state from the disk");
  });

  test.each([
    [{ ...DISK, trouble: "ENOSPC\n" }, "its disk: ENOSPC\\u000a"],
    [
      { ...DISK, incompleteTo: -1 },
      "its disk lost log that was synced, and it has not got it back yet",
    ],
    [DISK, ""],
  ])("the disk %j => degraded: %j", (disk, why) => {
    expect(degradedBecause({ ...PRIMARY, disk })).toBe(why);
    const text = statusText({ ...PRIMARY, disk: { ...disk, incompleteTo: 99 } }, false);
    expect(text).toContain("incomplete: log that was synced is missing, up to offset 99");
  });
});
