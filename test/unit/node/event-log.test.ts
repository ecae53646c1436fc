/** The memory of events: what repeats is one event, and strangers push nothing out. */
import { describe, expect, test } from "vitest";
import { EventLog } from "../../../src/node/event-log.ts";

const welcomed = { decision: "continue" };
const lost = { why: "connect ECONNREFUSED", retry_ms: 50 };

function shape(log: EventLog): string[] {
  return log.list().map(({ event, times }) => `${event} ${times}`);
}

describe("strangers", () => {
  test("130 plain TCP checks => one event with its count, newest time and fields; nothing is pushed out", () => {
    const log = new EventLog();
    log.note(1, "warn", "fell_behind", { offset: 7 });
    for (let n = 0; n < 130; n++)
      log.note(100 + n, "debug", "stranger", { remote: `10.0.0.1:${n}`, kind: "left", said: "" });
    expect(shape(log)).toEqual(["fell_behind 1", "stranger 130"]);
    expect(log.list()[1]).toEqual({
      timeMs: 229,
      sinceMs: 100,
      times: 130,
      level: "debug",
      event: "stranger",
      fields: { remote: "10.0.0.1:129", kind: "left", said: "" },
    });
  });

  test("from 1,000 addresses and with 1,000 made-up ids => they take turns at 16 places", () => {
    const log = new EventLog();
    for (let n = 0; n < 100; n++) log.note(n, "info", "restored", { offset: n });
    for (let n = 0; n < 1_000; n++) {
      const remote = `10.0.${n >> 8}.${n & 255}:1`;
      log.note(1_000 + n, "warn", "stranger", { remote, kind: "resp", said: "" });
      const fields = { remote, replica: `r${n}`, welcomed: false, reason: "rejected" };
      log.note(1_000 + n, "warn", "link_closed", fields);
      log.note(1_000 + n, "warn", "resume", { case: "unrelated", replica: `r${n}`, remote });
    }
    const { length } = log.list();
    expect(length).toBe(116);
    expect(log.list().filter(({ event }) => event === "restored")).toHaveLength(100);
  });

  test("a replica that is refused every few seconds => one event; links that were welcomed stay apart", () => {
    const log = new EventLog();
    const refused = { replica: "r", reason: "rejected", welcomed: false };
    const ended = { replica: "r", reason: "silence", welcomed: true, remote: "a:1" };
    for (let n = 0; n < 3; n++) {
      log.note(n, "warn", "resume", { case: "unrelated", replica: "r", remote: `a:${n}` });
      log.note(n, "warn", "link_closed", { ...refused, remote: `a:${n}` });
      log.note(n, "warn", "link_closed", ended);
    }
    expect(shape(log)).toEqual([
      "link_closed 1",
      "link_closed 1",
      "resume 3",
      "link_closed 3",
      "link_closed 1",
    ]);
  });
});

describe("an upstream that stays away", () => {
  test("the same refusals and losses again and again => one of each, with a count", () => {
    const log = new EventLog();
    log.note(0, "info", "welcomed", welcomed);
    for (let n = 1; n <= 500; n++) {
      log.note(n, "error", "upstream_refused", { why: "unrelated" });
      log.note(n, "warn", "upstream_lost", lost);
    }
    expect(shape(log)).toEqual(["welcomed 1", "upstream_refused 500", "upstream_lost 500"]);
  });

  test("the same after a connection stood => an event of its own", () => {
    const log = new EventLog();
    for (let n = 0; n < 2; n++) {
      log.note(n, "warn", "upstream_lost", lost);
      log.note(n, "warn", "upstream_lost", { ...lost, retry_ms: 100 });
      log.note(n, "info", "welcomed", welcomed);
    }
    expect(shape(log)).toEqual(["upstream_lost 2", "welcomed 1", "upstream_lost 2", "welcomed 1"]);
  });
});

test("more than 128 of the others => the oldest goes", () => {
  const log = new EventLog();
  for (let n = 0; n < 200; n++) log.note(n, "info", "restored", { offset: n });
  expect([log.list().length, log.list()[0]!.timeMs]).toEqual([128, 72]);
});
