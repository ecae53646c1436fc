/** Strangers on the replication port: who is let in, who is told what, who goes first. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { Crowd } from "../../../src/primary/crowd.ts";
import { Doorstep, type Visitor } from "../../../src/primary/doorstep.ts";
import { OPENING } from "../../../src/wire/opening.ts";
import { Harness, id } from "./feeder-harness.ts";

class Scene {
  readonly crowd = new Crowd();
  readonly counters: Record<string, number> = {};
  readonly lines: { level: string; event: string; fields: unknown }[] = [];
  clientPort = 6380;
  readonly doorstep = new Doorstep({
    crowd: this.crowd,
    options: { handshakeMs: 10_000 },
    clientPort: () => this.clientPort,
    counters: {
      bump: (name) => {
        this.counters[name] = (this.counters[name] ?? 0) + 1;
      },
    },
    journal: (level, event, fields) => this.lines.push({ level, event, fields }),
  });

  arrive(remote: string, sinceMs = 0): Visitor & { spoke: boolean; told: string | null } {
    const visitor = {
      remote,
      sinceMs,
      spoke: false,
      told: null as string | null,
      turnAway: (text: string) => {
        visitor.told = text;
      },
    };
    this.doorstep.arrive(visitor);
    return visitor;
  }

  say(visitor: Visitor, text: string | Buffer): Buffer | null {
    return this.doorstep.hear(visitor, Buffer.from(text));
  }
}

describe("what a visitor is told", () => {
  test("the opening in pieces, with bytes behind it => let in, with those bytes", () => {
    const at = new Scene();
    const visitor = at.arrive("192.0.2.1:5");
    expect(at.say(visitor, OPENING.subarray(0, 7))).toBeNull();
    expect(at.say(visitor, Buffer.concat([OPENING.subarray(7), Buffer.from("rest")]))).toEqual(
      Buffer.from("rest"),
    );
    expect([at.doorstep.count, visitor.told, at.lines]).toEqual([0, null, []]);
  });

  test.each([
    [6380, "clients connect to port 6380"],
    [0, "this node has no client port"],
  ])("a RESP client, client port %d => one error line", (port, words) => {
    const at = new Scene();
    at.clientPort = port;
    const visitor = at.arrive("192.0.2.1:5");
    expect(at.say(visitor, "*1\r\n$4\r\nPING\r\n")).toBeNull();
    expect(visitor.told).toBe(`-ERR this is hawser's replication port; ${words}\r\n`);
    expect(at.counters).toEqual({ strangers_resp: 1 });
    expect(at.lines).toEqual([
      {
        level: "warn",
        event: "stranger",
        fields: {
          remote: "192.0.2.1:5",
          kind: "resp",
          said: "*1\\u{d}\\u{a}$4\\u{d}\\u{a}PING\\u{d}\\u{a}",
        },
      },
    ]);
    expect(at.say(visitor, "PING\r\n")).toBeNull();
    expect(at.lines).toHaveLength(1);
  });

  test("a browser => a 400 with the same text and a right length", () => {
    const at = new Scene();
    const visitor = at.arrive("192.0.2.1:5");
    at.say(visitor, "GET / HTTP/1.1\r\n\r\n");
    const [head = "", body = ""] = visitor.told!.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(body).toBe("this is hawser's replication port; clients connect to port 6380\n");
    expect(head).toContain(`Content-Length: ${body.length}`);
  });

  test("nothing for the handshake's time => closed without a word; connect and leave => a quiet line", () => {
    const at = new Scene();
    const silent = at.arrive("192.0.2.1:5", 1_000);
    at.doorstep.leave(at.arrive("192.0.2.1:6", 1_000));
    at.doorstep.tick(10_999);
    expect(silent.told).toBeNull();
    at.doorstep.tick(11_000);
    expect([silent.told, at.doorstep.count]).toEqual(["", 0]);
    expect(at.lines.map(({ level }) => level)).toEqual(["debug", "warn"]);
    expect(at.counters).toEqual({ strangers_left: 1, strangers_silent: 1 });
  });
});

describe("who goes first when there are too many", () => {
  const fillUp = (at: Scene, remote: (n: number) => string) =>
    Array.from({ length: LIMITS.pendingHandshakesMax }, (_, n) => at.arrive(remote(n)));

  test("of strangers from one address the oldest, and the newcomer has its place", () => {
    const at = new Scene();
    const strangers = fillUp(at, (n) => `192.0.2.1:${n + 1}`);
    const newcomer = at.arrive("192.0.2.9:1");
    expect(strangers.map(({ told }) => told === "")).toEqual([
      true,
      ...Array<boolean>(99).fill(false),
    ]);
    expect(at.say(newcomer, OPENING)).toEqual(Buffer.alloc(0));
    expect(at.counters).toEqual({ strangers_crowded_out: 1 });
  });

  test("an address with many goes before one with few; who spoke goes after who did not", () => {
    const at = new Scene();
    const few = at.arrive("198.51.100.7:1");
    const strangers = fillUp(at, (n) => `192.0.2.1:${n + 1}`);
    strangers[1]!.spoke = true;
    for (let n = 0; n < 5; n++) at.arrive(`203.0.113.${n}:1`);
    expect(few.told).toBeNull();
    expect(strangers.slice(0, 8).map(({ told }) => told === "")).toEqual([
      true, false, true, true, true, true, true, false,
    ]); // prettier-ignore
  });

  test("an address from which a replica was welcomed keeps its places, however many strangers come", () => {
    const at = new Scene();
    at.crowd.welcomed("192.0.2.77:4000");
    const known = at.arrive("192.0.2.77:4001");
    for (let n = 0; n < 500; n++) at.arrive(`198.51.100.${n % 250}:${n}`);
    expect([known.told, at.doorstep.count]).toEqual([null, LIMITS.pendingHandshakesMax]);
  });

  test("a thousand addresses are remembered, the latest", () => {
    const crowd = new Crowd();
    for (let n = 0; n < 1_001; n++) crowd.welcomed(`10.0.${n >> 8}.${n & 255}:1`);
    const pending = [0, 1].map((n) => ({ remote: `10.0.0.${n}:2`, spoke: false }));
    expect(crowd.firstToGo(pending)).toBe(pending[0]);
    expect(crowd.firstToGo(pending.toReversed())).toBe(pending[0]);
  });
});

describe("links that do not say HELLO", () => {
  test("one too many => the one worth the least hears REJECT; the newcomer is served", () => {
    const h = new Harness();
    const silent = Array.from({ length: LIMITS.pendingHandshakesMax }, () => h.connect());
    const newcomer = h.connect();
    expect(silent[0]!.last("reject")).toMatchObject({ code: "too_many_handshakes" });
    expect(silent.slice(1).every((peer) => peer.last("reject") === undefined)).toBe(true);
    newcomer.hello({ storeId: id(900) });
    expect(newcomer.last("welcome")).toBeDefined();
  });
});
