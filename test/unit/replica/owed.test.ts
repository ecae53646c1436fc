/** What a session says of its lag, from what WELCOME and PING told it. */
import { expect, test } from "vitest";
import { downForMs, owedBytes, staleMs, wordOnRoot } from "../../../src/replica/owed.ts";
import { RootView } from "../../../src/replica/root-view.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { Session } from "../../../src/replica/session.ts";
import type { Ping, Welcome } from "../../../src/wire/messages.ts";

const ROOT = "a".repeat(32);
const MIDDLE = "b".repeat(32);
const HISTORY = "c".repeat(32);
const CLOCK = 1_700_000_000_000;

/** Of the node MIDDLE, which says who leads. */
function welcome(offset: number, rootId: string | null, history = HISTORY): Welcome {
  const position = { history, offset, chain: 0 };
  return { nodeId: MIDDLE, rootId, position } as unknown as Welcome;
}

function ping(fields: Partial<Ping>): Ping {
  return {
    type: "ping",
    sentUs: 1,
    rootClockMs: CLOCK,
    rootAgeMs: 0,
    awayMs: 0,
    next: 100,
    rootNext: 100,
    ackNow: false,
    ...fields,
  };
}

interface Given {
  next?: number;
  newestClockMs?: number;
  owesSnapshot?: boolean;
  restore?: unknown;
  state?: unknown;
  lastReceivedMs?: number;
}

function session(root: RootView, given: Given = {}): Session {
  const { next = 0, newestClockMs = 0, owesSnapshot = false, restore = null } = given;
  const log = { next, newestClockMs };
  const { lastReceivedMs = -1 } = given;
  const { state = { kind: "restoring", begin: {} } } = given;
  const parts = { root, deps: { log }, owesSnapshot, restore, lastReceivedMs, state };
  return parts as unknown as Session;
}

const owed = (root: RootView, given?: Given) => owedBytes(session(root, given), root.end);

test("before anything was heard, and of another upstream => unknown", () => {
  const root = new RootView();
  expect(owed(root)).toBe(-1);
  root.onWelcome(welcome(50, ROOT));
  root.onPing(ping({ next: 50, rootNext: 50 }), 0);
  expect(owed(root, { next: 20 })).toBe(30);
  root.forget();
  expect([owed(root), root.upstreamNext]).toEqual([-1, -1]);
});

test("welcomed by a middle node => unknown until it says what it knows of the root", () => {
  const root = new RootView();
  root.onWelcome(welcome(50, ROOT));
  expect([owed(root, { next: 50 }), root.upstreamNext]).toEqual([-1, 50]);
  root.onPing(ping({ next: 60, rootNext: 90 }), 0);
  expect(owed(root, { next: 50 })).toBe(40);
  expect(owedBytes(session(root, { next: 50 }), root.upstreamNext)).toBe(10);
  root.onPing(ping({ next: 60, rootNext: null }), 0);
  expect(owed(root, { next: 50 })).toBe(-1);
});

test("a cut and another way to the same root => what was heard of before still counts", () => {
  const root = new RootView();
  root.onWelcome(welcome(50, ROOT));
  root.onPing(ping({ next: 90, rootNext: 90 }), 0);
  root.onWelcome(welcome(60, ROOT));
  expect(owed(root, { next: 60 })).toBe(30);
  root.onWelcome(welcome(60, HISTORY));
  expect(owed(root, { next: 60 })).toBe(-1);
});

test("welcomed by the node that leads => to the end of its log, at once", () => {
  const root = new RootView();
  root.onWelcome(welcome(90, MIDDLE));
  expect([owed(root, { next: 80 }), root.upstreamNext]).toEqual([10, 90]);
  // Started again it has less: what it said before is no end of this log.
  root.onWelcome(welcome(85, MIDDLE));
  expect(owed(root, { next: 80 })).toBe(5);
});

test("welcomed by a node that does not know who leads => unknown, whatever was heard before", () => {
  const root = new RootView();
  root.onWelcome(welcome(90, null));
  root.onPing(ping({ next: 90, rootNext: 120 }), 0);
  root.onWelcome(welcome(90, null));
  expect([owed(root, { next: 80 }), root.upstreamNext]).toEqual([-1, 90]);
  root.onPing(ping({ next: 90, rootNext: null }), 0);
  expect(owed(root, { next: 80 })).toBe(-1);
  root.onPing(ping({ next: 90, rootNext: 120 }), 0);
  expect(owed(root, { next: 80 })).toBe(40);
});

test("a snapshot that is owed => unknown, then what is left of it and the log after it, never 0", () => {
  const root = new RootView();
  root.onWelcome(welcome(500, ROOT));
  root.onPing(ping({ next: 500, rootNext: 500 }), 0);
  const begin = { bytes: 1000, position: { history: HISTORY, offset: 450 } };
  expect(owed(root, { next: 500, owesSnapshot: true })).toBe(-1);
  expect(owed(root, { owesSnapshot: true, restore: { begin, bytes: 300 } })).toBe(750);
  expect(owed(root, { restore: { begin, bytes: 2000 } })).toBe(51);
  // What an earlier connection left says nothing of another ship, and of another root.
  const restore = { begin, bytes: 300 };
  expect(owed(root, { restore, state: { kind: "restoring", begin: null } })).toBe(-1);
  root.onWelcome(welcome(500, ROOT, MIDDLE));
  expect(owed(root, { restore, state: { kind: "retrying" } })).toBe(-1);
});

test("staleness => since the word on the root, or since the newest batch while something is missing", () => {
  const root = new RootView();
  expect(staleMs(session(root, { newestClockMs: CLOCK }), 0)).toBe(-1);
  root.onWelcome(welcome(100, ROOT));
  root.onPing(ping({ rootAgeMs: 700 }), 1000);
  expect(staleMs(session(root, { next: 100 }), 1000)).toBe(700);
  expect(staleMs(session(root, { next: 100 }), 1300)).toBe(1000);
  const newestClockMs = CLOCK - 200;
  expect(staleMs(session(root, { next: 100, newestClockMs }), 1300)).toBe(500);
  expect(staleMs(session(root, { next: 90, newestClockMs: CLOCK - 9000 }), 1000)).toBe(9000);
  expect(staleMs(session(root, { next: 90 }), 1000)).toBe(-1);
  // A clock that jumped back cannot make it newer than what was last received.
  const ahead = { next: 100, newestClockMs: CLOCK + 99_999, lastReceivedMs: 1000 };
  expect(staleMs(session(root, ahead), 4000)).toBe(3000);
});

test("a word that is handed on => older by the time it lay here, the outage too, never more than a PING may say", () => {
  const root = new RootView();
  expect(root.wordAt(5, 0)).toBe(null);
  root.onPing(ping({ rootAgeMs: 10, awayMs: 0 }), 100);
  expect(root.wordAt(150, 0)).toEqual({ clockMs: CLOCK + 50, ageMs: 60, awayMs: 0 });
  expect(root.wordAt(150, 30)?.awayMs).toBe(30);
  root.onPing(ping({ awayMs: 400 }), 100);
  expect(root.wordAt(150.4, 30)?.awayMs).toBe(450);
  const most = LIMITS.timeMsMax;
  root.onPing(ping({ rootClockMs: most, rootAgeMs: most, awayMs: most }), 100);
  expect(root.wordAt(9000, 0)).toEqual({ clockMs: most, ageMs: most, awayMs: most });
});

test("a link that went down this very moment is down", () => {
  expect(downForMs({ downSinceMs: -1 } as unknown as Session, 5)).toBe(0);
  expect(downForMs({ downSinceMs: 5 } as unknown as Session, 5)).toBe(1);
});

test("nothing heard of the root for 5 s => away, though all links seem to stand; unless it is the upstream, and sends", () => {
  const awayMs = (root: RootView, nowMs: number, lastReceivedMs: number): number | undefined => {
    const seen = { root, lastReceivedMs, downSinceMs: -1 } as unknown as Session;
    return wordOnRoot(seen, nowMs)?.awayMs;
  };
  const root = new RootView();
  expect(awayMs(root, 5, 5)).toBe(undefined);
  root.onWelcome(welcome(50, ROOT));
  root.onPing(ping({ rootAgeMs: 1_000 }), 0);
  expect([awayMs(root, 4_000, 4_000), awayMs(root, 4_001, 4_001)]).toEqual([0, 5_001]);
  root.onPing(ping({ rootAgeMs: 6_000, awayMs: 2_000 }), 0);
  expect(awayMs(root, 10, 10)).toBe(2_010);
  root.onWelcome(welcome(50, MIDDLE));
  root.onPing(ping({}), 0);
  expect([awayMs(root, 9_000, 9_000), awayMs(root, 9_000, 3_999)]).toEqual([0, 9_000]);
});
