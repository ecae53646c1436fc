/** ASK and STATE: a feeder's link at one end, an inquiry at the other, and ends that misbehave. */
import { describe, expect, test } from "vitest";
import type { SessionShell } from "../../../src/replica/deps.ts";
import { type Announcement, Inquiry } from "../../../src/replica/inquiry.ts";
import { encode } from "../../../src/wire/codec.ts";
import {
  PROTOCOL,
  type Control,
  type Greeting,
  type StateAnswer,
} from "../../../src/wire/messages.ts";
import { hmacProof } from "../../../src/wire/proof.ts";
import { decodeFrame } from "../wire/tools.ts";

const NONCE = "ab".repeat(16);
const FEEDER_NONCE = "cd".repeat(16);

const GREETING: Greeting = {
  type: "greeting",
  versionMin: 1,
  versionMax: 1,
  nonce: FEEDER_NONCE,
  authRequired: false,
};

const STATE: StateAnswer = {
  type: "state",
  storeId: "ab".repeat(16),
  clusterId: null,
  durable: 0,
  complete: true,
  intact: true,
  promised: { term: 0, run: 0 },
  rank: { term: 1, run: 0 },
  proof: "",
  nodeId: "01".repeat(16),
  role: "replica",
  hasData: true,
  rootLives: false,
  upstream: { host: "h", port: 1 },
  path: ["02".repeat(16), "01".repeat(16)],
  position: { history: "03".repeat(16), offset: 70, chain: 5 },
  lineage: [],
};

class Asked {
  readonly sent: Control[] = [];
  readonly answers: { readonly state: StateAnswer | null; readonly error: string }[] = [];
  dialled = 0;
  destroyed = 0;
  readonly inquiry: Inquiry;

  constructor(password = "", announcement: Announcement | null = null) {
    const shell: SessionShell = {
      dial: () => (this.dialled += 1),
      pendingBytes: 0,
      write: (bytes) => this.sent.push(decodeFrame(bytes)),
      end: () => undefined,
      destroy: () => (this.destroyed += 1),
      wantStep: () => undefined,
      pauseReading: () => undefined,
    };
    this.inquiry = new Inquiry({
      shell,
      password,
      randomId: () => NONCE,
      timeoutMs: 5_000,
      announcement,
      onAnswer: (state, error) => this.answers.push({ state, error }),
    });
    this.inquiry.start(100);
    this.inquiry.onConnected();
  }

  hears(...messages: readonly Control[]): this {
    for (const message of messages) this.hearsBytes(encode(message));
    return this;
  }

  hearsBytes(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at++) this.inquiry.onBytes(bytes, at, at + 1);
  }

  greeted(authRequired = false): this {
    return this.hears({ ...GREETING, authRequired });
  }

  get error(): string {
    expect(this.answers).toHaveLength(1);
    expect(this.answers[0]!.state).toBe(null);
    expect(this.destroyed).toBe(1);
    return this.answers[0]!.error;
  }
}

describe("an inquiry", () => {
  test("GREETING => ASK; STATE => the answer, once, and the connection ends", () => {
    const asked = new Asked().greeted();
    expect(asked.dialled).toBe(1);
    expect(asked.sent).toEqual([{ type: "ask", version: PROTOCOL.max, nonce: NONCE, proof: "" }]);
    asked.hears(STATE, STATE);
    asked.inquiry.onClosed("the connection ended");
    asked.inquiry.tick(1e9);
    expect(asked.answers).toEqual([{ state: STATE, error: "" }]);
    expect(asked.destroyed).toBe(1);
  });

  test("with a password => both ends prove it", () => {
    const asked = new Asked("sesame").greeted(true);
    const proof = hmacProof("sesame", "replica", FEEDER_NONCE, NONCE);
    expect(asked.sent).toMatchObject([{ proof }]);
    const answer = { ...STATE, proof: hmacProof("sesame", "feeder", FEEDER_NONCE, NONCE) };
    asked.hears(answer);
    expect(asked.answers).toEqual([{ state: answer, error: "" }]);
  });

  test.each<[string, (asked: Asked) => unknown, string | RegExp]>([
    ["a state without a proof", (asked) => asked.greeted(true).hears(STATE), /did not prove/],
    ["a state before GREETING", (asked) => asked.hears(STATE), /before it was asked/],
    [
      "REJECT",
      (asked) =>
        asked.greeted(true).hears({
          type: "reject",
          code: "auth",
          message: "wrong password \u001b[2J",
          retryAfterMs: 0,
        }),
      "auth: wrong password \\u{1b}[2J",
    ],
    [
      "a second GREETING",
      (asked) => asked.greeted(true).greeted(true),
      /^ERR_WIRE_STATE: a second GREETING/,
    ],
    ["no password asked for", (asked) => asked.greeted(), /asks for no password/],
    [
      "no version in common",
      (asked) => asked.hears({ ...GREETING, versionMin: 8, versionMax: 9 }),
      /versions 8 to 9 .* this node 1 to 1/,
    ],
    ["noise", (asked) => asked.hearsBytes(Buffer.alloc(64, 7)), /^ERR_WIRE_HEADER_CRC/],
    ["a frame for another end", (asked) => asked.hears({ ...HEARTBEAT }), /^ERR_WIRE_TYPE/],
    ["the end of the connection", (asked) => asked.inquiry.onClosed("reset"), "reset"],
    ["silence", (asked) => asked.inquiry.tick(5_100), "no answer within 5000 ms"],
  ])("%s => no state, and why", (_name, act, error) => {
    const asked = new Asked("sesame");
    act(asked);
    expect(asked.error).toMatch(error);
  });

  test("GREETINGs without end => one ASK", () => {
    const asked = new Asked().greeted();
    for (let n = 0; n < 1_000; n++) asked.greeted();
    expect(asked.sent).toHaveLength(1);
    expect(asked.error).toMatch(/a second GREETING/);
  });

  test("a password is needed and not there => nothing is sent, the error names the option", () => {
    const asked = new Asked().greeted(true);
    expect(asked.sent).toEqual([]);
    expect(asked.error).toContain("--repl-password");
  });

  test("not late yet => it goes on waiting", () => {
    const asked = new Asked().greeted();
    asked.inquiry.tick(5_099);
    expect(asked.answers).toEqual([]);
  });
});

const HEARTBEAT: Control = {
  type: "ping",
  sentUs: 1,
  rootClockMs: 1,
  rootAgeMs: 0,
  rootNext: null,
  awayMs: 0,
  next: 0,
  ackNow: false,
};

test("it announces instead of asking => ANNOUNCE with what is announced, and a proof", () => {
  const announcement: Announcement = {
    nodeId: "05".repeat(16),
    clusterId: "06".repeat(16),
    address: { host: "h", clientPort: 1, replPort: 2 },
    position: { history: "07".repeat(16), offset: 1, chain: 2 },
    rank: { term: 3, run: 4 },
    lineage: [],
  };
  const asked = new Asked("sesame", announcement);
  asked.hears({ ...GREETING, authRequired: true });
  const proof = hmacProof("sesame", "replica", FEEDER_NONCE, NONCE);
  const version = PROTOCOL.max;
  expect(asked.sent).toEqual([{ type: "announce", version, nonce: NONCE, proof, ...announcement }]);
});
