/** Replies that wait for others: who is let go, in which order, and what is given up. */
import { describe, expect, test } from "vitest";
import { ConfirmQueues, type TurnConfirmer } from "../../../src/node/confirm-queues.ts";
import type { ReplyOut } from "../../../src/node/reply-queue.ts";

const NOT_YET = -1;

function setUp() {
  const did: string[] = [];
  const others: TurnConfirmer & { to: Map<number, number>; heard: number } = {
    isOn: true,
    timeoutMs: 5_000,
    needsDurable: false,
    to: new Map(),
    heard: 0,
    look: () => undefined,
    confirmedTo: (copies: number) => others.to.get(copies) ?? NOT_YET,
    heardUs: () => others.heard,
    ask: () => undefined,
    askToSync: () => undefined,
  };
  const out: ReplyOut = {
    heldReplies: 0,
    writeNow: (bytes) => did.push(String(bytes)) > 0,
    writeUnconfirmed: (bytes) => void did.push(`!${String(bytes)}`),
    drop: () => void did.push("drop"),
  };
  const queues = new ConfirmQueues();
  const hold = (copies: number, what: string, offset: number, hearUs = 0, nowMs = 0): void => {
    queues.hold(copies, out, Buffer.from(what), offset, hearUs, nowMs);
  };
  const release = (durable = Infinity, sinceMs = -1): string[] => {
    queues.release(others, durable, sinceMs);
    return did.splice(0);
  };
  return { queues, others, out, hold, release, did };
}

describe("confirm queues", () => {
  test("a write goes when it is confirmed, and durable here where that is asked", () => {
    const { others, hold, release, queues } = setUp();
    hold(0, "a", 10);
    hold(0, "b", 20);
    expect(release()).toEqual([]);
    others.to.set(0, 10);
    expect(release()).toEqual(["a"]);
    others.to.set(0, 20);
    expect(release(15)).toEqual([]);
    expect(release(20)).toEqual(["b"]);
    expect(queues.isEmpty).toBe(true);
  });

  test("a read goes when others have been heard since, and what comes after it waits", () => {
    const { others, hold, release } = setUp();
    others.to.set(0, 100);
    hold(0, "read", 10, 700);
    hold(0, "write", 20);
    others.heard = 699;
    expect(release()).toEqual([]);
    others.heard = 700;
    expect(release()).toEqual(["read", "write"]);
  });

  test("more copies are a queue of their own, behind that of fewer", () => {
    const { others, hold, release, queues } = setUp();
    hold(2, "two", 10);
    hold(0, "rule", 20);
    others.to.set(0, 20);
    expect(release()).toEqual(["rule"]);
    expect(queues.isEmpty).toBe(false);
    others.to.set(2, 20);
    hold(0, "next", 20);
    expect(release()).toEqual(["next", "two"]);
  });

  test("after the time it is unconfirmed, and only what has waited as long", () => {
    const { hold, release, out } = setUp();
    hold(0, "a", 10, 0, 100);
    hold(0, "b", 20, 0, 200);
    expect(release(Infinity, 99)).toEqual([]);
    expect(release(Infinity, 100)).toEqual(["!a"]);
    expect(out.heldReplies).toBe(1);
    expect(release(Infinity, 200)).toEqual(["!b"]);
  });

  test("the role changes => all is unconfirmed; the log does => dropped", () => {
    const { hold, queues, did } = setUp();
    hold(0, "a", 10);
    hold(3, "b", 10);
    queues.giveUp();
    expect(did.splice(0)).toEqual(["!a", "!b"]);
    hold(0, "c", 10);
    queues.drop();
    expect(did).toEqual(["drop"]);
  });
});
