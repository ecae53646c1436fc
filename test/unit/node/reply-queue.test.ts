/** Replies that wait for a turn's answer step: order, copies, the page, conditions on the log. */
import { expect, test } from "vitest";
import { ReplyQueue, type ReplyOut } from "../../../src/node/reply-queue.ts";

const ALL = Number.POSITIVE_INFINITY;

class Out implements ReplyOut {
  heldReplies = 0;
  written: Buffer[] = [];
  keeps = false;
  writeNow(bytes: Buffer): boolean {
    this.written.push(bytes);
    return !this.keeps;
  }
  unconfirmed: Buffer[] = [];
  writeUnconfirmed(bytes: Buffer): void {
    this.unconfirmed.push(Buffer.from(bytes));
  }
  drops = 0;
  drop(): void {
    this.drops += 1;
  }
}

test("writes what waits in order, each to its own connection, once", () => {
  const [queue, a, b] = [new ReplyQueue(), new Out(), new Out()];
  queue.hold(a, Buffer.from("1"), 0);
  queue.hold(b, Buffer.from("2"), 0);
  queue.hold(a, Buffer.from("3"), 0);
  expect([a.heldReplies, b.heldReplies, a.written, b.written]).toEqual([2, 1, [], []]);
  queue.releaseTo(ALL);
  queue.releaseTo(ALL);
  expect(a.written.map(String)).toEqual(["1", "3"]);
  expect(b.written.map(String)).toEqual(["2"]);
  expect([a.heldReplies, b.heldReplies]).toEqual([0, 0]);
});

test("keeps a copy: the writer's buffer is used again before the release", () => {
  const [queue, out, bytes] = [new ReplyQueue(), new Out(), Buffer.from("one")];
  queue.hold(out, bytes, 0);
  bytes.write("two");
  queue.releaseTo(ALL);
  expect(String(out.written[0])).toBe("one");
});

test("does not write over bytes that a connection kept", () => {
  const [queue, out] = [new ReplyQueue(), new Out()];
  out.keeps = true;
  queue.hold(out, Buffer.from("kept"), 0);
  queue.releaseTo(ALL);
  queue.hold(out, Buffer.from("next"), 0);
  expect(String(out.written[0])).toBe("kept");
});

test("refuses more than a page, and takes none of it", () => {
  const [queue, out] = [new ReplyQueue(), new Out()];
  expect(queue.hold(out, Buffer.alloc(64 * 1024), 0)).toBe(true);
  expect(queue.hold(out, Buffer.alloc(1), 0)).toBe(false);
  queue.releaseTo(ALL);
  expect(out.written.map((bytes) => bytes.length)).toEqual([64 * 1024]);
});

test("a condition on the log releases the front of the queue, and what follows waits behind it", () => {
  const [queue, a, b] = [new ReplyQueue(), new Out(), new Out()];
  a.keeps = true;
  queue.hold(a, Buffer.from("1"), 100);
  queue.hold(b, Buffer.from("2"), 200);
  queue.hold(a, Buffer.from("3"), 300);
  queue.releaseTo(99);
  expect([a.written, b.written]).toEqual([[], []]);
  queue.releaseTo(200);
  expect([a, b].map(({ written }) => written.map(String))).toEqual([["1"], ["2"]]);
  expect([a.heldReplies, b.heldReplies]).toEqual([1, 0]);
  queue.hold(b, Buffer.from("4"), 400);
  queue.releaseTo(400);
  queue.hold(b, Buffer.from("x"), 500);
  expect([a, b].map(({ written }) => written.map(String))).toEqual([
    ["1", "3"],
    ["2", "4"],
  ]);
});

test("what must wait does, however much it is, in order, and on a page that nobody keeps", () => {
  const [queue, a, b] = [new ReplyQueue(), new Out(), new Out()];
  a.keeps = true;
  const sent: string[] = [];
  for (let n = 1; n <= 300; n++) {
    const bytes = Buffer.alloc(1000, n);
    sent.push(String(bytes));
    expect(queue.hold(n % 2 === 0 ? a : b, bytes, n, true)).toBe(true);
    if (n % 7 === 0) queue.releaseTo(n - 40);
  }
  expect(queue.length).toBe(300 - 254);
  queue.releaseTo(ALL);
  const got = Array.from({ length: 300 }, (_, i) =>
    String((i % 2 === 1 ? a : b).written[Math.floor(i / 2)]),
  );
  expect(got).toEqual(sent);
  expect([queue.length, a.heldReplies, b.heldReplies]).toEqual([0, 0, 0]);
});

test("what waits for a log that is no more is dropped, once for each connection", () => {
  const [queue, a, b] = [new ReplyQueue(), new Out(), new Out()];
  queue.hold(a, Buffer.from("1"), 1);
  queue.hold(b, Buffer.from("2"), 2);
  queue.hold(b, Buffer.from("3"), 3);
  queue.releaseTo(1);
  queue.drop();
  queue.releaseTo(ALL);
  expect([a.written.length, a.drops, b.written, b.drops, b.heldReplies]).toEqual([1, 0, [], 1, 0]);
});

test("what is given up goes out in order, as not confirmed, and the queue goes on", () => {
  const [queue, a, b] = [new ReplyQueue(), new Out(), new Out()];
  a.keeps = true;
  queue.hold(a, Buffer.from("1"), 10);
  queue.hold(a, Buffer.from("2"), 20);
  queue.hold(b, Buffer.from("3"), 20);
  queue.releaseTo(10);
  queue.giveUp();
  expect([a, b].map((out) => out.unconfirmed.map(String))).toEqual([["2"], ["3"]]);
  expect([a.heldReplies, b.heldReplies, queue.length]).toEqual([0, 0, 0]);
  queue.hold(a, Buffer.from("4"), 30);
  queue.releaseTo(30);
  expect(a.written.map(String)).toEqual(["1", "4"]);
});
