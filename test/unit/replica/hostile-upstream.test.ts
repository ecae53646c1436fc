/** What an upstream may cost a replica: numbers at the end of their range, texts, floods. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { upstreamStatus } from "../../../src/node/status.ts";
import type { Control, Greeting, Ping, Verify } from "../../../src/wire/messages.ts";
import { helloWith } from "../../../tools/hello.ts";
import { Middle } from "../fuzz/middle-node.ts";
import { Harness, id } from "./tools.ts";

const GREETING: Greeting = {
  type: "greeting",
  versionMin: 1,
  versionMax: 1,
  nonce: id(50),
  authRequired: false,
};
const PING: Ping = {
  type: "ping",
  sentUs: 1,
  rootClockMs: 1_767_225_600_000,
  rootAgeMs: 0,
  awayMs: 0,
  next: 0,
  rootNext: 0,
  ackNow: false,
};
const VERIFY: Verify = {
  type: "verify",
  verifyId: id(80),
  position: { history: id(1), offset: 0, chain: 0 },
  buckets: 1,
  seed: id(81),
};

/** A session that streams. */
function streaming(): Harness {
  const harness = new Harness();
  harness.greet();
  harness.welcome();
  expect(harness.session.state.kind).toBe("streaming");
  return harness;
}

describe("clocks of the upstream", () => {
  /** A node that streams from an upstream and has a replica of its own. */
  function middle(): Middle {
    const made = new Middle();
    made.connect();
    made.upstreamSays(GREETING, {
      type: "welcome",
      clusterId: null,
      rank: { term: 1, run: 0 },
      decision: "continue",
      proof: "",
      nodeId: id(60),
      path: [id(60)],
      rootId: id(60),
      position: { history: made.core.identity.history, offset: 0, chain: 0 },
      lineage: [],
      skipBytes: 0,
      discardBytes: 0,
    });
    made.arrive();
    made.childSays(0, helloWith());
    return made;
  }

  test.each(["rootClockMs", "rootAgeMs", "awayMs"] as const)(
    "%s of 2^53 - 1 => ERR_WIRE_BODY, and the node's own replicas hear the last sane clock",
    (field) => {
      const node = middle();
      node.upstreamSays(PING);
      node.upstreamSays({ ...PING, [field]: Number.MAX_SAFE_INTEGER });
      expect(node.core.session.lastError).toMatch(
        /ERR_WIRE_BODY: ping: 9007199254740991, more than 8640000000000000/,
      );
      node.pass(1_000);
      expect(node.core.view.root()).toMatchObject({
        clockMs: PING.rootClockMs + 1_000,
        ageMs: 1_000,
        awayMs: 1_000,
      });
    },
  );

  test("the largest that may be said => said on, and never more", () => {
    const node = middle();
    const most = LIMITS.timeMsMax;
    node.upstreamSays({ ...PING, rootClockMs: most, rootAgeMs: most, awayMs: most });
    node.core.session.onClosed("cut", node.nowMs);
    node.pass(10_000);
    const said = { clockMs: most, ageMs: most, awayMs: most };
    expect(node.core.view.root()).toMatchObject(said);
  });
});

describe("REJECT", () => {
  const reject = (retryAfterMs: number, message = "no"): Control => ({
    type: "reject",
    code: "not_ready",
    message,
    retryAfterMs,
  });

  test.each([
    ["", LIMITS.retryAfterMsMax],
    ["harbour", 15_000],
  ])("with the password %j, to come back in 49 days => back in %d ms", (password, most) => {
    const harness = new Harness({ replPassword: password });
    harness.greet({ authRequired: password !== "" });
    harness.hear(reject(0xffff_ffff));
    const { state } = harness.session;
    expect(state).toEqual({ kind: "retrying", atMs: harness.nowMs + most });
    harness.tick(most);
    expect(harness.session.state.kind).toBe("connecting");
  });

  test("a hint that is shorter => kept", () => {
    const harness = new Harness();
    harness.greet();
    harness.hear(reject(3_000));
    expect(harness.session.state).toEqual({ kind: "retrying", atMs: harness.nowMs + 3_000 });
  });

  test("a text with escape sequences => escaped before anybody sees it", () => {
    const harness = new Harness();
    harness.greet();
    harness.hear(reject(0, "\u001b]0;owned\u0007\u009b2J\u202e"));
    expect(harness.session.lastError).toBe(
      "rejected: not_ready: \\u{1b}]0;owned\\u{7}\\u{9b}2J\\u{202e}",
    );
  });

  test("while streaming => ERR_WIRE_STATE", () => {
    const harness = streaming();
    harness.hear(reject(0xffff_ffff));
    expect(harness.session.lastError).toMatch(/^ERR_WIRE_STATE: a REJECT while streaming/);
  });
});

describe("BYE", () => {
  test("a text with escape sequences => escaped", () => {
    const harness = streaming();
    harness.hear({ type: "bye", code: "shutdown", message: "\u001b[2J" });
    expect(harness.session.lastError).toBe("upstream said bye: shutdown: \\u{1b}[2J");
  });
});

describe("another upstream", () => {
  test("what the former one said, and its errors => forgotten before the new one answers", () => {
    const node = new Middle();
    node.connect();
    node.upstreamSays(GREETING, {
      type: "welcome",
      clusterId: null,
      rank: { term: 1, run: 0 },
      decision: "continue",
      proof: "",
      nodeId: id(60),
      path: [id(60)],
      rootId: id(60),
      position: { history: node.core.identity.history, offset: 0, chain: 0 },
      lineage: [],
      skipBytes: 0,
      discardBytes: 0,
    });
    node.upstreamSays(PING);
    node.upstreamSays({ type: "bye", code: "shutdown", message: "gone" });
    const { session } = node.core;
    expect(session.lastError).not.toBe("");
    expect(session.root.wordAt(node.nowMs, 0)).not.toBeNull();
    node.core.roles.follow("replicaof", { host: "other", port: 1 });
    expect(session.root.wordAt(node.nowMs, 0)).toBeNull();
    const status = upstreamStatus(node.core, { host: "other", port: 1 }, node.nowMs, 0);
    expect(status).toMatchObject({ staleMs: -1, lastIoAgoMs: -1, lastError: "", lagBytes: -1 });
  });

  test("BYE history_changed again and again => the returns come further and further apart", () => {
    const harness = new Harness();
    const delays: number[] = [];
    for (let n = 0; n < 8; n++) {
      harness.greet();
      harness.welcome();
      harness.hear({ type: "bye", code: "history_changed", message: "" });
      const { state } = harness.session;
      if (state.kind === "retrying") delays.push(state.atMs - harness.nowMs);
    }
    expect(delays.map((ms) => ms / delays[0]!)).toEqual([1, 1, 2, 4, 8, 16, 32, 64]);
  });
});

describe("floods", () => {
  test("a second GREETING => ERR_WIRE_STATE, after one HELLO", () => {
    const harness = new Harness();
    harness.greet();
    for (let n = 0; n < 1_000; n++) harness.hear(GREETING);
    expect(harness.said.map(({ type }) => type)).toEqual(["hello"]);
    expect(harness.session.lastError).toMatch(/^ERR_WIRE_STATE: a second GREETING/);
  });

  test("a GREETING while streaming => ERR_WIRE_STATE", () => {
    const harness = streaming();
    harness.hear(GREETING);
    expect(harness.session.lastError).toMatch(/^ERR_WIRE_STATE: .*while streaming/);
  });

  test("a VERIFY before WELCOME => ERR_WIRE_STATE", () => {
    const harness = new Harness();
    harness.greet();
    harness.hear(VERIFY);
    expect(harness.session.lastError).toMatch(/^ERR_WIRE_STATE: a VERIFY while handshake/);
  });

  test("PINGs without end from an upstream that reads nothing => a bounded number of ACKs waits", () => {
    const node = new Middle();
    node.connect();
    node.upstreamSays(GREETING, {
      type: "welcome",
      clusterId: null,
      rank: { term: 1, run: 0 },
      decision: "continue",
      proof: "",
      nodeId: id(60),
      path: [id(60)],
      rootId: id(60),
      position: { history: node.core.identity.history, offset: 0, chain: 0 },
      lineage: [],
      skipBytes: 0,
      discardBytes: 0,
    });
    for (let n = 1; n <= 5_000; n++) node.upstreamSays({ ...PING, sentUs: n });
    expect(node.pendingBytes).toBeLessThan(LIMITS.sessionOutputBytesMax + 100);
    const before = node.told.length;
    node.upstreamReads();
    node.pass(100);
    expect(node.told.slice(before)).toMatchObject([{ type: "ack", echo: 5_000 }]);
  });
});

describe("GREETING", () => {
  test("no version in common => refused with both ranges, on both ends", () => {
    const harness = new Harness();
    harness.greet({ versionMin: 7, versionMax: 9 });
    const why = "the upstream speaks versions 7 to 9 of the protocol, this node 1 to 1";
    expect(harness.session.lastError).toBe(why);
    expect(harness.said).toEqual([{ type: "bye", code: "protocol", message: why }]);
  });

  test("a password is asked for and none is here => a HELLO without proof: the feeder says what is missing", () => {
    const harness = new Harness();
    harness.greet({ authRequired: true });
    expect(harness.last("hello").proof).toBe("");
    expect(harness.session.state.kind).toBe("handshake");
  });

  test("no password is asked for and one is here => refused before HELLO, on both ends", () => {
    const harness = new Harness({ replPassword: "harbour" });
    harness.greet();
    expect(harness.session.lastError).toMatch(/asks for no password .* --repl-password/);
    expect(harness.said).toMatchObject([{ type: "bye", code: "protocol" }]);
  });
});

describe("HELLO of a descendant", () => {
  test("a primary hears of a newer one => it is fenced, and says so to who comes", () => {
    const node = new Middle();
    node.core.roles.promote(true, () => undefined);
    node.pass(1);
    const { core } = node;
    const { clusterId, history, rank } = core.identity;
    expect(core.roles.now.kind).toBe("leading");
    node.arrive();
    const left = { history, left: core.backlog.next, ...rank };
    const position = { history: id(90), offset: core.backlog.next, chain: 0 };
    const newer = { term: rank.term + 1, run: 0 };
    node.childSays(0, helloWith({ clusterId, position, rank: newer, lineage: [left] }));
    expect(core.roles.now).toMatchObject({
      kind: "fenced",
      fence: { history: id(90), rank: newer, led: rank, leader: null },
    });
    expect([core.role, core.feeder.counters.get("fenced"), core.feeder.links.length]).toEqual([
      "replica",
      1,
      0,
    ]);
  });

  test("of another cluster, and of a rank that is not above => it leads on", () => {
    const node = new Middle();
    node.core.roles.promote(true, () => undefined);
    node.pass(1);
    const { core } = node;
    const { clusterId, history, rank } = core.identity;
    const left = { history, left: core.backlog.next, ...rank };
    const position = { history: id(90), offset: core.backlog.next, chain: 0 };
    const newer = { term: rank.term + 1, run: 0 };
    node.arrive();
    node.childSays(0, helloWith({ clusterId: id(91), position, rank: newer, lineage: [left] }));
    node.arrive();
    const older = { term: 0, run: 5 };
    node.childSays(1, helloWith({ clusterId, position, rank: older, lineage: [left] }));
    expect([core.roles.now.kind, core.feeder.counters.get("fenced")]).toEqual(["leading", 0]);
  });
});
