/** When a sync is asked for: turns of a loop, told by hand, and clients that wait for their replies. */
import { describe, expect, test } from "vitest";
import { GroupCommit } from "../../../src/node/group-commit.ts";

/** Replies that wait, and a disk that is told what to have. */
class Rig {
  readonly commit = new GroupCommit();
  durable = 0;
  nowMs = 0;
  readonly replies = { length: 0, queued: 0, newestOffset: 0 };

  /** A turn in which so many more wait. */
  turn(more: number): string {
    const { replies } = this;
    replies.length += more;
    replies.queued += more;
    replies.newestOffset += 10 * more;
    return this.commit.choose(replies, this.durable, this.nowMs);
  }

  /** A sync ended: these are answered. */
  synced(count: number): void {
    this.replies.length -= count;
    this.durable += 10 * count;
  }
}

test("one client => asked at once, each time", () => {
  const rig = new Rig();
  for (let round = 0; round < 50; round++) {
    expect(rig.turn(1)).toBe("ask");
    expect(rig.turn(0)).toBe("wait");
    rig.synced(1);
    expect(rig.turn(0)).toBe("wait");
  }
});

/** Fifty waited at once, and all were answered. */
function crowded(): Rig {
  const rig = new Rig();
  expect(rig.turn(50)).toBe("ask");
  rig.synced(50);
  expect(rig.turn(0)).toBe("wait");
  return rig;
}

describe("after a crowd", () => {
  test("a few that are followed by more => they wait for half of the crowd", () => {
    const rig = crowded();
    for (let at = 0; at < 7; at++) expect(rig.turn(3)).toBe("again");
    expect(rig.turn(3)).toBe("ask");
  });

  test("a few that nobody follows => asked in the next turn", () => {
    const rig = crowded();
    expect(rig.turn(3)).toBe("again");
    expect(rig.turn(0)).toBe("ask");
  });

  test("more come all the time, never enough => asked after a millisecond", () => {
    const rig = crowded();
    expect(rig.turn(1)).toBe("again");
    rig.nowMs = 0.9;
    expect(rig.turn(1)).toBe("again");
    rig.nowMs = 1;
    expect(rig.turn(1)).toBe("ask");
  });

  test("a sync is under way => half of the crowd is asked for behind it, fewer wait for its end", () => {
    const rig = crowded();
    expect(rig.turn(25)).toBe("ask");
    expect(rig.turn(20)).toBe("wait");
    expect(rig.turn(5)).toBe("ask");
    expect(rig.turn(3)).toBe("wait");
    rig.synced(25);
    expect(rig.turn(0)).toBe("wait");
    rig.synced(25);
    expect(rig.turn(0)).toBe("again");
    expect(rig.turn(0)).toBe("ask");
  });

  test("the crowd is gone => forgotten after some syncs", () => {
    const rig = crowded();
    let waits = 0;
    for (let round = 0; round < 100; round++) {
      if (rig.turn(2) === "again") {
        waits += 1;
        expect(rig.turn(0)).toBe("ask");
      }
      rig.synced(2);
    }
    expect(waits).toBeGreaterThan(0);
    expect(rig.turn(2)).toBe("ask");
  });
});

test("the log is another one, and shorter => nothing of before is waited for", () => {
  const rig = crowded();
  expect(rig.turn(40)).toBe("ask");
  Object.assign(rig.replies, { length: 0, newestOffset: 5 });
  rig.durable = 0;
  rig.commit.reset();
  expect(rig.turn(1)).toBe("again");
  expect(rig.turn(0)).toBe("ask");
});
