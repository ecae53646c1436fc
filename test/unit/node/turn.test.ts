/** The order of a turn, when it comes, and the long turn that does not wait for its end. */
import { describe, expect, test } from "vitest";
import { awaitTurn } from "../../../src/node/await-turn.ts";
import { Turn, type TurnReplies } from "../../../src/node/turn.ts";

const MIB = 1024 * 1024;

/** A turn whose parts write down what it does. */
function setUp() {
  const did: string[] = [];
  const queued: (() => void)[] = [];
  const log = {
    next: 0,
    tail: 0,
    seal(): boolean {
      did.push("seal");
      log.next = log.tail;
      return true;
    },
    persist(): void {
      did.push("persist");
    },
    durable: 0,
    wantDurable(): void {
      did.push("want");
    },
  };
  const feeder = {
    followers: 1,
    more: { feed: false, trim: false },
    wakeMs: Number.POSITIVE_INFINITY,
    feed(): boolean {
      did.push("feed");
      return feeder.more.feed;
    },
    trim(): boolean {
      did.push("trim");
      return feeder.more.trim;
    },
    tell: () => undefined,
    nextWakeMs: () => feeder.wakeMs,
  };
  const wakes: number[] = [];
  const shell = {
    soon: (run: () => void) => void queued.push(run),
    wakeAt: (atMs: number) => void wakes.push(atMs),
  };
  const clock = { ms: 7 };
  const turn = new Turn({ log, feeder, shell, now: () => clock.ms });
  const client: TurnReplies = {
    heldReplies: 0,
    get wroteTo() {
      return log.tail;
    },
    copies: 0,
    get shownTo() {
      return log.tail;
    },
    takeRead: () => false,
    drop: () => void did.push("drop"),
    writeNow: (bytes) => {
      did.push(`answer ${String(bytes)}`);
      return true;
    },
    writeUnconfirmed: (bytes) => void did.push(`unconfirmed ${String(bytes)}`),
  };
  const append = (bytes: number): void => {
    log.tail += bytes;
    turn.appended();
  };
  const endTurn = (): string[] => {
    for (const run of queued.splice(0)) run();
    return did.splice(0);
  };
  return { turn, log, feeder, client, did, queued, wakes, append, endTurn, clock };
}

test("a write and its reply => seal, feed, answer, trim, once however much was asked", () => {
  const { turn, client, did, queued, append, endTurn } = setUp();
  append(10);
  expect(turn.holdReply(client, Buffer.from("a"))).toBe(true);
  append(10);
  expect(turn.holdReply(client, Buffer.from("b"))).toBe(true);
  expect([queued.length, did]).toEqual([1, []]);
  expect(endTurn()).toEqual(["seal", "persist", "feed", "answer a", "answer b", "trim"]);
  expect(endTurn()).toEqual([]);
});

test("replies are held until the answer step, not longer", () => {
  const { turn, client, append, endTurn } = setUp();
  expect(turn.holdsReplies).toBe(false);
  append(10);
  turn.holdReply(client, Buffer.from("a"));
  expect(turn.holdsReplies).toBe(true);
  const seen: boolean[] = [];
  turn.until(
    () => seen.push(turn.holdsReplies) > 0,
    () => undefined,
  );
  endTurn();
  expect(seen).toEqual([false]);
});

test("nothing for a replica => a reply does not wait", () => {
  const { turn, log, feeder, client, queued, append } = setUp();
  append(0);
  expect(turn.holdReply(client, Buffer.from("a"))).toBe(false);
  expect(queued).toEqual([]);
  feeder.followers = 0;
  log.tail = 10;
  expect(turn.holdReply(client, Buffer.from("a"))).toBe(false);
});

test("a reply behind one that waits waits, too; the answer step writes both", () => {
  const { turn, log, client, did, append, endTurn } = setUp();
  append(10);
  turn.holdReply(client, Buffer.from("a"));
  log.tail = 0;
  expect(turn.holdReply(client, Buffer.from("b"))).toBe(true);
  expect(endTurn().filter((what) => what.startsWith("answer"))).toEqual(["answer a", "answer b"]);
  expect(did).toEqual([]);
});

test("--fsync always: a write is answered when it is durable, one wait for all of a turn", () => {
  const { turn, log, feeder, client, append, endTurn } = setUp();
  feeder.followers = 0;
  turn.confirmsDurable = true;
  append(10);
  expect(turn.holdReply(client, Buffer.from("a"))).toBe(true);
  append(10);
  expect(turn.holdReply(client, Buffer.from("b"))).toBe(true);
  expect(endTurn()).toEqual(["seal", "persist", "feed", "want", "trim"]);
  log.durable = 10;
  turn.want();
  expect(endTurn()).toEqual(["seal", "persist", "feed", "answer a", "trim"]);
  log.durable = 20;
  turn.want();
  expect(endTurn()).toEqual(["seal", "persist", "feed", "answer b", "trim"]);
  expect(turn.holdReply(client, Buffer.from("c"))).toBe(false);
});

test("--fsync always: a connection that wrote nothing is answered at once", () => {
  const { turn, client, append } = setUp();
  turn.confirmsDurable = true;
  append(10);
  const reader = { ...client, heldReplies: 0, wroteTo: 0 };
  expect(turn.holdReply(client, Buffer.from("a"))).toBe(true);
  expect(turn.holdReply(reader, Buffer.from("b"))).toBe(false);
});

describe("--fsync always, a disk that takes nothing", () => {
  function held(): ReturnType<typeof setUp> {
    const all = setUp();
    all.feeder.followers = 0;
    all.turn.confirmsDurable = true;
    all.append(10);
    all.turn.holdReply(all.client, Buffer.from("a"));
    all.endTurn();
    all.turn.diskTakes(false);
    return all;
  }

  test("what was executed waits a second from the first word of it, and wakes for that", () => {
    const { turn, clock, wakes, endTurn } = held();
    endTurn();
    expect(wakes.at(-1)).toBe(1_007);
    clock.ms = 500;
    turn.diskTakes(false);
    endTurn();
    expect(wakes.at(-1)).toBe(1_007);
    clock.ms = 1_007;
    turn.want();
    expect(endTurn()).toEqual(["seal", "persist", "feed", "unconfirmed a", "trim"]);
    expect(wakes.at(-1)).toBe(Number.POSITIVE_INFINITY);
  });

  test("what is durable by then is answered as it is, what is not, not", () => {
    const { turn, log, clock, client, append, endTurn } = held();
    append(10);
    turn.holdReply(client, Buffer.from("b"));
    clock.ms = 1_007;
    log.durable = 10;
    expect(endTurn()).toContain("answer a");
    expect(turn.holdReply(client, Buffer.from("c"))).toBe(false);
  });

  test("it takes again in time => all is answered when it is durable", () => {
    const { turn, log, clock, endTurn } = held();
    clock.ms = 900;
    turn.diskTakes(true);
    clock.ms = 2_000;
    expect(endTurn()).toContain("want");
    log.durable = 10;
    turn.want();
    expect(endTurn()).toContain("answer a");
  });

  test("what comes meanwhile stays in the order of its connection; later nothing waits", () => {
    const { turn, client, clock, endTurn } = held();
    expect(turn.holdReply(client, Buffer.from("b"))).toBe(true);
    clock.ms = 1_007;
    expect(turn.holdReply(client, Buffer.from("c"))).toBe(true);
    expect(endTurn().filter((what) => what.startsWith("unconfirmed"))).toEqual([
      "unconfirmed a",
      "unconfirmed b",
      "unconfirmed c",
    ]);
    expect(turn.holdReply(client, Buffer.from("d"))).toBe(false);
    turn.diskTakes(true);
    expect(turn.holdReply(client, Buffer.from("e"))).toBe(true);
  });
});

test("--fsync always is turned off => what waits is answered; another log => it never is", () => {
  const { turn, client, append, endTurn } = setUp();
  turn.confirmsDurable = true;
  append(10);
  turn.holdReply(client, Buffer.from("a"));
  turn.confirmsDurable = false;
  expect(endTurn()).toContain("answer a");
  turn.confirmsDurable = true;
  append(10);
  turn.holdReply(client, Buffer.from("b"));
  turn.dropReplies();
  expect(endTurn()).toEqual(["drop", "seal", "persist", "feed", "trim"]);
});

test("more than a page of replies => what waits is written, and the rest is the caller's", () => {
  const { turn, client, did, append } = setUp();
  append(10);
  turn.holdReply(client, Buffer.from("a"));
  expect(turn.holdReply(client, Buffer.alloc(64 * 1024))).toBe(false);
  expect([did, client.heldReplies]).toEqual([["answer a"], 0]);
});

test("a MiB inside a turn is sealed and fed at once; its replies wait for the end", () => {
  const { turn, client, did, append, endTurn } = setUp();
  append(MIB - 1);
  expect(did).toEqual([]);
  turn.holdReply(client, Buffer.from("a"));
  append(1);
  expect(did.splice(0)).toEqual(["seal", "persist", "feed", "trim"]);
  append(MIB - 1);
  expect(endTurn()).toEqual(["seal", "persist", "feed", "answer a", "trim"]);
});

test.each(["feed", "trim"] as const)("more to %s => another turn at once, and no wake", (what) => {
  const { turn, feeder, queued, wakes, endTurn } = setUp();
  feeder.more[what] = true;
  turn.want();
  endTurn();
  expect([queued.length, wakes]).toEqual([1, []]);
  feeder.more[what] = false;
  feeder.wakeMs = 50;
  endTurn();
  expect([queued.length, wakes]).toEqual([0, [50]]);
});

test("batches that a session applied => a turn, unless they are published", () => {
  const { turn, log, queued, endTurn } = setUp();
  turn.applied();
  expect(queued).toEqual([]);
  log.tail = log.next = 100;
  turn.applied();
  expect(endTurn()).toContain("feed");
  turn.applied();
  expect(queued).toEqual([]);
});

test("who waits for something => told once, at the end of the turn at which it holds", () => {
  const { turn, did, queued, endTurn } = setUp();
  let holds = false;
  turn.until(
    () => holds,
    () => did.push("told"),
  );
  expect(endTurn()).toEqual(["seal", "persist", "feed", "trim"]);
  expect(queued).toEqual([]);
  holds = true;
  turn.changed();
  expect(endTurn()).toEqual(["seal", "persist", "feed", "trim", "told"]);
  turn.changed();
  expect(queued).toEqual([]);
});

test("a wait that was cancelled, before the turn or by another that was told => nothing", () => {
  const { turn, did, queued, endTurn } = setUp();
  const first = turn.until(
    () => true,
    () => did.push("first"),
  );
  turn.until(
    () => true,
    () => {
      did.push("second");
      third();
    },
  );
  const third = turn.until(
    () => true,
    () => did.push("third"),
  );
  first();
  expect(endTurn().slice(4)).toEqual(["second"]);
  turn.changed();
  turn.applied();
  expect(queued).toEqual([]);
});

test("awaitTurn() => true at a turn's end, false after its time, and nobody waits any more", async () => {
  const { turn, queued, endTurn } = setUp();
  const told = awaitTurn(turn, () => true, Number.POSITIVE_INFINITY);
  endTurn();
  expect(await told).toBe(true);
  const late = awaitTurn(turn, () => false, 5);
  endTurn();
  expect(await late).toBe(false);
  turn.changed();
  expect(queued).toEqual([]);
});

describe("synchronous mode", () => {
  function leading() {
    const all = setUp();
    const others = {
      isOn: true,
      timeoutMs: 1_000,
      needsDurable: true,
      to: 0,
      heard: 0,
      asked: 0,
      look: () => undefined,
      confirmedTo: () => others.to,
      heardUs: () => others.heard,
      ask: () => void (others.asked += 1),
      syncs: 0,
      askToSync: () => void (others.syncs += 1),
    };
    all.turn.confirmer = others;
    return { ...all, others };
  }

  test("a reply waits until others have what it shows, and the disks are asked to", () => {
    const { turn, client, others, log, append, endTurn } = leading();
    append(10);
    expect(turn.holdReply(client, Buffer.from("A"))).toBe(true);
    expect(endTurn()).toContain("want");
    expect(others.syncs).toBe(1);
    others.to = log.tail;
    turn.want();
    expect(endTurn()).toContain("answer A");
    // Nothing waits: no disk is asked.
    expect(others.syncs).toBe(1);
    expect(turn.holdReply(client, Buffer.from("b"))).toBe(false);
  });

  test("a read of what is confirmed waits until others were heard; they are asked once a turn", () => {
    const { turn, client, others, log, append, endTurn } = leading();
    append(10);
    endTurn();
    others.to = log.tail;
    const reader = { ...client, shownTo: log.tail, takeRead: () => true };
    expect(turn.holdReply(reader, Buffer.from("r"))).toBe(true);
    expect(turn.holdReply(reader, Buffer.from("s"))).toBe(true);
    expect(others.asked).toBe(1);
    expect(endTurn().some((did) => did.startsWith("answer"))).toBe(false);
    others.heard = 7_000;
    turn.want();
    expect(endTurn()).toEqual(expect.arrayContaining(["answer r", "answer s"]));
  });

  test("after the time, and when the node leads no more => unconfirmed", () => {
    const { turn, client, clock, append, endTurn, did } = leading();
    append(10);
    turn.holdReply(client, Buffer.from("A"));
    endTurn();
    clock.ms += 1_000;
    turn.want();
    expect(endTurn()).toContain("unconfirmed A");
    append(10);
    turn.holdReply(client, Buffer.from("B"));
    turn.endConfirming();
    expect(did).toContain("unconfirmed B");
  });
});
