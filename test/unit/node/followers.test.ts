/** For whom the next start waits: told by links, offsets and clocks. */
import { expect, test } from "vitest";
import { Followers } from "../../../src/node/followers.ts";
import { Peers } from "../../../src/node/peers.ts";
import type { Hello, Id } from "../../../src/wire/messages.ts";
import { helloWith } from "../../../tools/hello.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);

interface Linked {
  readonly hello: Hello | null;
  readonly remote: string;
}

/** Links whose node, log and time are the test's. */
class Rig {
  /** Syncs that were asked for. */
  wanted = 0;
  readonly log = {
    next: 100,
    durable: 0,
    persist: (): void => undefined,
    wantDurable: (): void => {
      this.wanted += 1;
    },
  };
  readonly roles = { swaps: 0, isStopped: false };
  history = "1".repeat(32);
  readonly peers = new Peers([]);
  readonly followers: Followers;
  nowMs = 0;
  /** Of node.json, tried; how many peers the newest that worked has. */
  writes = 0;
  written = 0;
  isDiskFull = false;
  private readonly laters: { atMs: number; run: () => void }[] = [];
  private readonly waits = new Set<{ holds: () => boolean; done: () => void }>();

  constructor() {
    const { log, roles, peers } = this;
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- a getter of an object has its own
    const rig = this;
    this.followers = new Followers({
      identity: {
        get history() {
          return rig.history;
        },
        followedBy: (peer) => void peers.came(peer),
        get arePeersKept() {
          return rig.written === peers.list.length;
        },
        keepPeers: () => {
          this.writes += 1;
          if (!this.isDiskFull) this.written = peers.list.length;
          return !this.isDiskFull;
        },
        awaits: (storeId) => peers.isAwaited(storeId),
        release: (storeIds) => void peers.release(storeIds),
      },
      log,
      roles,
      until: (holds, done) => void this.waits.add({ holds, done }),
      later: (ms, run) => void this.laters.push({ atMs: this.nowMs + ms, run }),
    });
  }

  link(storeId: Id, port = storeId === A ? 1 : 2): Linked {
    const address = { host: "h", clientPort: 0, replPort: port };
    const link = { hello: helloWith({ storeId, address }), remote: "h:9" };
    this.followers.linked(link);
    return link;
  }

  end(link: Linked): void {
    this.followers.ended(link);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const due of this.laters.filter(({ atMs }) => atMs <= this.nowMs)) {
      this.laters.splice(this.laters.indexOf(due), 1);
      due.run();
    }
    // What is done may wait for more.
    for (const wait of this.waits)
      if (wait.holds()) {
        this.waits.delete(wait);
        wait.done();
      }
  }

  get awaited(): string {
    return this.peers.list
      .filter((peer) => peer.awaited)
      .map(({ storeId }) => storeId[0])
      .join("");
  }

  /** What is still waited for here. */
  get pending(): number {
    return this.laters.length + this.waits.size;
  }
}

test("its link ended, and what the log had is durable => nobody waits for it, not before", () => {
  const rig = new Rig();
  const link = rig.link(A);
  rig.link(B);
  rig.end(link);
  rig.log.durable = 99;
  rig.pass(60_000);
  expect([rig.awaited, rig.wanted]).toEqual(["ab", 1]);
  rig.log.durable = 100;
  rig.pass(200);
  expect([rig.awaited, rig.pending]).toEqual(["b", 0]);
});

test("a moment after its link ended, though all is durable => awaited: it may be on its way back", () => {
  const rig = new Rig();
  rig.log.durable = 100;
  rig.end(rig.link(A));
  rig.pass(4_999);
  expect(rig.awaited).toBe("a");
  rig.link(A);
  rig.pass(60_000);
  expect([rig.awaited, rig.pending]).toEqual(["a", 0]);
});

test("an earlier end says nothing of what it was sent since", () => {
  const rig = new Rig();
  rig.end(rig.link(A));
  rig.pass(1_000);
  const again = rig.link(A);
  rig.log.next = 500;
  rig.log.durable = 100;
  rig.end(again);
  rig.pass(60_000);
  expect(rig.awaited).toBe("a");
  rig.log.durable = 500;
  rig.pass(0);
  expect(rig.awaited).toBe("");
});

test("one that is superseded by a link that stands => awaited", () => {
  const rig = new Rig();
  rig.log.durable = 100;
  const old = rig.link(A);
  const present = rig.link(A);
  rig.end(old);
  rig.pass(60_000);
  expect([rig.awaited, rig.pending]).toEqual(["a", 0]);
  rig.end(present);
  rig.pass(60_000);
  expect(rig.awaited).toBe("");
});

test("released, and it comes back => awaited", () => {
  const rig = new Rig();
  rig.log.durable = 100;
  rig.end(rig.link(A));
  rig.pass(60_000);
  rig.link(A);
  expect(rig.awaited).toBe("a");
});

test("a swap meanwhile => awaited: the offsets are another log's", () => {
  const rig = new Rig();
  rig.end(rig.link(A));
  rig.pass(60_000);
  rig.roles.swaps = 1;
  rig.log.durable = 1_000;
  rig.pass(0);
  expect([rig.awaited, rig.pending]).toEqual(["a", 0]);
});

test("the node stops, before or after the end => awaited", () => {
  const rig = new Rig();
  rig.log.durable = 100;
  rig.end(rig.link(A));
  const other = rig.link(B);
  rig.roles.isStopped = true;
  rig.end(other);
  rig.pass(60_000);
  expect([rig.awaited, rig.pending]).toEqual(["ab", 0]);
});

test("without a port for links, not welcomed, or ended twice => counts for nothing", () => {
  const rig = new Rig();
  rig.log.durable = 100;
  rig.end(rig.link(A, 0));
  rig.end({ hello: null, remote: "h:9" });
  const link = rig.link(B);
  rig.end(link);
  rig.end(link);
  rig.pass(60_000);
  expect([rig.awaited, rig.pending, rig.peers.list.length]).toEqual(["", 0, 1]);
});

/** A is remembered, was silent, and the node leads without it from 100 on. */
function partedFromA(): Rig {
  const rig = new Rig();
  rig.peers.came({ storeId: A, host: "h", port: 1 });
  rig.log.durable = 100;
  rig.followers.parted([A], 100);
  rig.pass(60_000);
  return rig;
}

test("silent, and the node leads without it => released when the logs have parted on the disk", () => {
  const rig = partedFromA();
  expect([rig.awaited, rig.wanted]).toEqual(["a", 0]);
  rig.log.next = 150;
  rig.pass(0);
  expect([rig.awaited, rig.wanted]).toEqual(["a", 1]);
  rig.log.durable = 150;
  rig.pass(0);
  expect([rig.awaited, rig.pending]).toEqual(["", 0]);
});

test("silent, and it links before the logs have parted => awaited", () => {
  const rig = partedFromA();
  rig.link(A);
  Object.assign(rig.log, { next: 150, durable: 150 });
  rig.pass(200);
  expect([rig.awaited, rig.pending]).toEqual(["a", 0]);
});

test("silent, and the node is in another history before the logs have parted => awaited", () => {
  const rig = partedFromA();
  rig.history = "2".repeat(32);
  Object.assign(rig.log, { next: 150, durable: 150 });
  rig.pass(0);
  expect([rig.awaited, rig.pending]).toEqual(["a", 0]);
});

test("who follows => written before it is sent anything, those that come soon after with the next", () => {
  const rig = new Rig();
  rig.link(A);
  expect([rig.writes, rig.written]).toEqual([1, 1]);
  rig.link(B);
  rig.link("c".repeat(32), 3);
  rig.pass(199);
  expect([rig.writes, rig.written]).toEqual([1, 1]);
  rig.pass(1);
  expect([rig.writes, rig.written]).toEqual([2, 3]);
  rig.pass(200);
  rig.link(A);
  rig.pass(60_000);
  expect([rig.writes, rig.pending]).toEqual([2, 0]);
});

test("who follows cannot be written => tried again until it is, or the node stops", () => {
  const rig = new Rig();
  rig.isDiskFull = true;
  rig.link(A);
  expect(rig.writes).toBe(1);
  rig.pass(4_999);
  expect(rig.writes).toBe(1);
  rig.pass(1);
  expect(rig.writes).toBe(2);
  rig.isDiskFull = false;
  rig.pass(5_000);
  rig.pass(60_000);
  expect(rig.writes).toBe(3);
  expect(rig.pending).toBe(0);

  rig.isDiskFull = true;
  rig.link(B);
  rig.roles.isStopped = true;
  rig.pass(60_000);
  expect(rig.writes).toBe(4);
  expect(rig.pending).toBe(0);
});
