/**
 * Frames that are right in themselves and say what no sane peer says, to both ends of a node: it
 * must not throw, must not say what cannot be encoded, and must go on afterwards. fast-check prints
 * seed and path of a failure; replay with fc.assert(..., { seed, path }).
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { chooseSeed, type SeedAnswer, type SeedSelf } from "../../../src/node/seed-choice.ts";
import { Inquiry } from "../../../src/replica/inquiry.ts";
import { encodeSetHead, FORMAT, setBytes } from "../../../src/store/record.ts";
import { encode } from "../../../src/wire/codec.ts";
import type { Ack, Control, Hello, SnapshotBegin, Welcome } from "../../../src/wire/messages.ts";
import { helloWith } from "../../../tools/hello.ts";
import { anyMessage, MESSAGES } from "../wire/arbitraries.ts";
import { digits, Middle } from "./middle-node.ts";

/** One thing that a stranger, or time, does to the node. */
type Step = (middle: Middle) => void;

const NO_CHUNKS = createHash("sha256").digest("hex");
const SNAPSHOT_ID = digits(70);

const welcome = (given: Partial<Welcome>, middle: Middle): Welcome => ({
  type: "welcome",
  clusterId: null,
  rank: { term: 1, run: 0 },
  decision: "continue",
  proof: "",
  nodeId: digits(60),
  path: [digits(60)],
  rootId: digits(60),
  position: {
    history: middle.core.identity.history,
    offset: middle.core.backlog.next,
    chain: middle.core.backlog.chain,
  },
  lineage: [],
  skipBytes: 0,
  discardBytes: 0,
  ...given,
});

const greet: Step = (middle) => {
  middle.connect();
  middle.upstreamSays({
    type: "greeting",
    versionMin: 1,
    versionMax: 1,
    nonce: digits(50),
    authRequired: false,
  });
};

/** A whole ship of an empty state, from a snapshot at a position of the upstream's choice. */
const shipTo =
  (begin: SnapshotBegin): Step =>
  (middle) => {
    greet(middle);
    const snapshot = { ...begin, format: FORMAT, firstChunk: 0, snapshotId: SNAPSHOT_ID };
    middle.upstreamSays(welcome({ decision: "ship_new" }, middle), snapshot, {
      type: "end",
      snapshotId: SNAPSHOT_ID,
      chunks: 0,
      records: 0,
      bytes: 0,
      digest: NO_CHUNKS,
    });
  };

const streamTo =
  (path: readonly string[]): Step =>
  (middle) => {
    greet(middle);
    middle.upstreamSays(welcome({ path }, middle));
  };

const child =
  (index: number, given: (middle: Middle) => Control): Step =>
  (middle) =>
    middle.childSays(index, given(middle));

/** A HELLO that may well be welcomed, with the numbers of a strange one. */
const childHello = (index: number, strange: Hello): Step =>
  child(index, (middle) => {
    const { identity, backlog } = middle.core;
    const { partialBytes, partialCrc, address, lineage } = strange;
    const here = { history: identity.history, offset: backlog.next, chain: backlog.chain };
    const position = strange.hasData ? here : strange.position;
    return helloWith({ position, partialBytes, partialCrc, address, lineage });
  });

/** An ACK inside what was sent, at any byte of it, with the other numbers of a strange one. */
const childAck = (index: number, share: number, strange: Ack): Step =>
  child(index, (middle) => {
    const link = middle.children[index % Math.max(1, middle.children.length)]?.link;
    const applied = Math.floor(
      (link?.applied ?? 0) + share * ((link?.sent ?? 0) - (link?.applied ?? 0)),
    );
    const { room, echo } = strange;
    return { type: "ack", mode: "streaming", received: applied, applied, durable: 0, room, echo };
  });

const index = fc.nat(5);
const clockMs = fc.oneof(fc.constantFrom(0, LIMITS.timeMsMax), fc.nat(LIMITS.timeMsMax));

const step: fc.Arbitrary<Step> = fc.oneof(
  anyMessage.map(
    (message): Step =>
      (middle) =>
        middle.upstreamSays(message),
  ),
  MESSAGES.ping.map(
    (message): Step =>
      (middle) =>
        middle.upstreamSays(message),
  ),
  MESSAGES.reject.map((message): Step => {
    return (middle) => {
      greet(middle);
      middle.upstreamSays(message);
    };
  }),
  MESSAGES.welcome.map((message): Step => {
    return (middle) => {
      greet(middle);
      middle.upstreamSays(message);
    };
  }),
  MESSAGES.snapshot.map(shipTo),
  MESSAGES.welcome.map(({ path }) => streamTo(path)),
  clockMs.map(
    (ms): Step =>
      (middle) =>
        middle.upstreamWrites(ms),
  ),
  fc.constant<Step>((middle) => middle.upstreamReads()),
  fc.constant<Step>((middle) => middle.arrive()),
  fc.tuple(index, MESSAGES.hello).map(([at, hello]) => childHello(at, hello)),
  fc
    .tuple(index, fc.double({ min: 0, max: 1, noNaN: true }), MESSAGES.ack)
    .map(([at, share, ack]) => childAck(at, share, ack)),
  fc.tuple(index, anyMessage).map(([at, message]) => child(at, () => message)),
  fc.tuple(fc.constantFrom(0, 0.25, 100, 1_000, 61_000), fc.boolean()).map(
    ([ms, takes]): Step =>
      (middle) =>
        middle.pass(ms, takes),
  ),
);

/** Every number is one that JSON and people can read, every text is fit for a terminal. */
function expectFit(value: unknown): void {
  JSON.stringify(value, (_name, each: unknown) => {
    if (typeof each === "number") expect(Number.isFinite(each)).toBe(true);
    if (typeof each === "string") expect(each).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    return each;
  });
}

/** What the node owes whoever comes next: a new link, a promotion, a write of its own. */
function expectGoesOn(middle: Middle): void {
  const { core } = middle;
  const { state } = core.session;
  if (state.kind === "retrying")
    expect(state.atMs - middle.nowMs).toBeLessThanOrEqual(LIMITS.retryAfterMsMax);
  core.roles.promote(true, () => undefined);
  for (let n = 0; core.role === "replica" && n < 100; n++) middle.pass(1);
  expect(core.role).toBe("primary");
  const length = setBytes(1, 1, 0);
  const at = core.backlog.append(length);
  core.backlog.bytes.write("kv", encodeSetHead(core.backlog.bytes, at, 1, 0));
  middle.store.apply(core.backlog.bytes, at, at + length);
  middle.arrive();
  middle.pass(100);
  middle.childSays(middle.children.length - 1, helloWith());
  middle.pass(100);
  const heard = middle.children.at(-1)!.heard.map((message) => message.type);
  expect(heard).toEqual(["greeting", "welcome"]);
}

describe("fuzz: peers that say what no sane peer says", () => {
  test("any frames from both sides, in any order => never a throw, figures fit to be shown, and it goes on", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const middle = new Middle();
        for (const one of steps) {
          one(middle);
          expectFit(middle.figures());
          expect(middle.pendingBytes).toBeLessThan(2 * LIMITS.sessionOutputBytesMax);
        }
        expectGoesOn(middle);
      }),
      { numRuns: 600 },
    );
  }, 60_000);
});

describe("fuzz: who answers a seeding node", () => {
  /** Whatever arrives, in any pieces: at most one ASK and one answer. */
  function asks(password: string, frames: readonly Buffer[], piece: number): SeedAnswer {
    const answers: SeedAnswer[] = [];
    let asked = 0;
    let ended = 0;
    const source = { host: "h", port: 1 };
    const inquiry = new Inquiry({
      shell: {
        dial: () => undefined,
        pendingBytes: 0,
        write: () => (asked += 1),
        end: () => undefined,
        destroy: () => (ended += 1),
        wantStep: () => undefined,
        pauseReading: () => undefined,
      },
      password,
      randomId: () => digits(5),
      timeoutMs: 100,
      onAnswer: (state, error) => answers.push({ source, state, error }),
    });
    inquiry.start(0);
    inquiry.onConnected();
    const bytes = Buffer.concat(frames);
    for (let at = 0; at < bytes.length; at += piece)
      inquiry.onBytes(bytes, at, Math.min(bytes.length, at + piece));
    inquiry.tick(100);
    expect(asked).toBeLessThanOrEqual(1);
    expect([answers.length, ended]).toEqual([1, 1]);
    return answers[0]!;
  }

  const SELF: SeedSelf = {
    nodeId: digits(1),
    clusterId: null,
    history: digits(2),
    rank: { term: 0, run: 0 },
    lineage: [],
    offset: 0,
    synced: false,
  };
  const anyState = MESSAGES.state.map((state): Control => ({ ...state, proof: "" }));
  const message = fc.oneof(anyMessage, anyState, MESSAGES.reject, MESSAGES.bye, MESSAGES.greeting);

  test("any frames and noise from any number of sources => an answer each, and a choice fit to be shown", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(message, { maxLength: 4 }), fc.uint8Array(), fc.boolean()), {
          maxLength: 5,
        }),
        fc.constantFrom("", "sesame"),
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        fc.constantFrom("", "it was fenced"),
        (sources, password, piece, synced, mayNotLead) => {
          const answers = sources.map(([messages, noise, greets]) => {
            const said = greets ? [greetingOf(password !== ""), ...messages] : messages;
            return asks(password, [...said.map(encode), Buffer.from(noise)], piece);
          });
          // What a source says without a proof is no answer.
          if (password !== "") expect(answers.every(({ state }) => state === null)).toBe(true);
          const choice = chooseSeed({ ...SELF, synced }, answers, {
            isFollower: ({ hasData }) => hasData,
            mayNotLead,
          });
          if (mayNotLead !== "") expect(choice.kind).not.toBe("promote");
          expectFit([choice, answers.map(({ error }) => error)]);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

function greetingOf(authRequired: boolean): Control {
  return { type: "greeting", versionMin: 1, versionMax: 1, nonce: digits(50), authRequired };
}
