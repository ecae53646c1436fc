/**
 * Answers of a hostile node to `hawser status` and `hawser verify`: one line that says what is wrong, or
 * text that is safe on a terminal.
 */
import { describe, expect, test } from "vitest";
import { readBucketKeys, readReport } from "../../../src/daemon/answers.ts";
import type { StatusOptions } from "../../../src/daemon/ask-options.ts";
import { show } from "../../../src/daemon/status.ts";
import { reportText } from "../../../src/daemon/verify.ts";
import { differingKeys } from "../../../src/daemon/verify-keys.ts";
import { Random } from "../../../tools/random.ts";
import { corpus, trying } from "./corpus.ts";

const ROUNDS = 3_000;
const ID = "0123456789abcdef0123456789abcdef";
const SUM = "0123456789abcdef";
const TRAP = "\u001b]0;pwned\u0007\u009b2J\r\n\u202e";

const POSITION = { history: ID, offset: 4096, chain: 7 };
const SHIP = { state: "sending", chunksSent: 3, bytesSent: 9, bytesTotal: 90, startedAtMs: 1 };
const STATUS = {
  role: "replica",
  nodeId: ID,
  position: POSITION,
  complete: true,
  rank: "1.0",
  fenced: "",
  supersededBy: "",
  ownBytes: 0,
  clientPort: 6380,
  replPort: 16380,
  backlog: { sizeBytes: 1024, first: 0, next: 4096, heldBytes: 0 },
  reclaiming: "",
  failover: "no-failover",
  quarantined: 0,
  parked: [],
  writePace: -1,
  near: { lacksReplicas: false, isStale: false, staleMs: -1, goodReplicas: -1 },
  sync: null,
  links: [
    {
      replicaId: ID,
      nodeId: ID,
      remote: "127.0.0.1:5",
      host: "127.0.0.1",
      clientPort: 6381,
      replPort: 16381,
      state: "shipping",
      sent: 9,
      applied: 4,
      lagBytes: 5,
      lagMs: -1,
      lastAckAgoMs: 1,
      ship: SHIP,
    },
  ],
  upstream: {
    host: "127.0.0.1",
    port: 16380,
    state: "restoring",
    lastError: "gone",
    received: 3,
    applied: 3,
    upstreamLagBytes: 3,
    rootLink: "down",
    rootDownForMs: 5,
    lagBytes: -1,
    staleMs: -1,
    restore: { chunks: 1, bytes: 2, bytesTotal: 3, startedAtMs: 4 },
  },
  recovery: { startedAtMs: 1, totalBytes: 9, loadedBytes: 3, records: 2 },
  disk: {
    fsync: "always",
    watermarks: { appended: 4, sealed: 3, written: 2, durable: 1 },
    trouble: "full",
    incompleteTo: 9,
    found: { replayed: 1, cutBytes: 2, ms: 3 },
    checkpoint: { offset: 1, clockMs: 2 },
    logBytes: 7,
  },
};
const EVENTS = [
  {
    timeMs: 1_700_000_000_000,
    level: "warn",
    event: "link_closed",
    fields: { replica: ID, reason: "silence", applied: 4000, welcomed: true },
    times: 2,
    sinceMs: 1_600_000_000_000,
  },
];
const REPORT = {
  position: POSITION,
  seed: ID,
  bucketCount: 512,
  records: 100,
  sum: SUM,
  replicas: [
    {
      replicaId: ID,
      remote: "127.0.0.1:5",
      host: "127.0.0.1",
      clientPort: 6381,
      authenticated: true,
      verdict: "differs",
      records: 99,
      sum: SUM,
      buckets: [1, 2, 511],
    },
  ],
};
const BUCKET = { history: ID, from: 0, to: 9, truncated: false, keys: [[SUM, "a2V5", SUM]] };

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const VALUES: readonly Json[] = [
  null,
  true,
  TRAP,
  "",
  "x".repeat(70_000),
  -2,
  0.5,
  1e308,
  9.1e15,
  [],
  [[]],
  {},
  { toString: TRAP },
  { [TRAP]: TRAP },
];

/** Replaces, drops or adds one thing somewhere inside. */
function spoil(random: Random, value: Json): Json {
  if (value === null || typeof value !== "object" || random.fraction() < 0.15) {
    return random.pick(VALUES);
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return [random.pick(VALUES)];
    const at = random.between(0, value.length);
    return value.map((each, i) => (i === at ? spoil(random, each) : each));
  }
  const names = Object.keys(value);
  if (names.length === 0 || random.fraction() < 0.1) {
    return { ...value, [random.pick([TRAP, "more", "__proto__"])]: random.pick(VALUES) };
  }
  const name = random.pick(names);
  if (random.fraction() < 0.1) {
    return Object.fromEntries(Object.entries(value).filter(([each]) => each !== name));
  }
  return { ...value, [name]: spoil(random, value[name]!) };
}

const OPTIONS: StatusOptions = {
  target: { host: "127.0.0.1", port: 1 },
  watch: false,
  events: false,
  json: false,
  check: false,
  password: "",
};

type Use = (answer: string) => string | Promise<string>;

/** Every way an answer is used: what it prints. */
const USES: Readonly<Record<string, { good: Json; use: Use }>> = {
  status: { good: STATUS, use: (answer) => show(answer, OPTIONS, false).text },
  status_json: {
    good: STATUS,
    use: (answer) => show(answer, { ...OPTIONS, json: true }, false).text,
  },
  events: {
    good: EVENTS,
    use: (answer) => show(answer, { ...OPTIONS, events: true }, false).text,
  },
  events_json: {
    good: EVENTS,
    use: (answer) => show(answer, { ...OPTIONS, events: true, json: true }, false).text,
  },
  verify: {
    good: REPORT,
    use: (answer) => {
      const report = readReport(answer);
      const named = report.replicas.map((each) => ({ ...each, keys: [], note: "" }));
      return reportText({ ...report, replicas: named });
    },
  },
  bucket: {
    good: BUCKET,
    use: async (answer) => {
      const theirs = readBucketKeys(answer);
      const ours = { ...theirs, truncated: false, keys: [] };
      const found = await differingKeys(
        { keys: () => Promise.resolve(ours), reach: () => Promise.resolve() },
        { keys: () => Promise.resolve(theirs), reach: () => Promise.resolve() },
      );
      const replicas = REPORT.replicas.map((each) => ({
        ...each,
        verdict: "differs" as const,
        keys: found,
        note: "",
      }));
      return reportText({ ...REPORT, replicas });
    },
  },
};

/** Only newlines beside what can be printed. */
const UNSAFE =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** What `use` printed, or the words of its error. */
async function outcome(
  use: (answer: string) => string | Promise<string>,
  answer: string,
): Promise<string> {
  let printed: string;
  try {
    printed = await use(answer);
  } catch (error) {
    const { message } = error as Error;
    expect(message).toMatch(/^its answer is no JSON$|not what a hawser node|more keys than can/);
    expect(message).not.toContain("\n");
    printed = message;
  }
  expect(printed).not.toMatch(UNSAFE);
  return printed;
}

describe.each(Object.entries(USES))("answers: %s", (_, { good, use }) => {
  test("a good one is shown", async () => {
    expect(await use(JSON.stringify(good))).toMatch(/\w/);
  });

  test("spoiled ones => one clear line, or text that is safe", async () => {
    let refused = 0;
    const random = new Random(0xa115);
    for (let round = 0; round < ROUNDS; round++) {
      let value = good;
      for (let n = random.between(1, 4); n > 0; n--) value = spoil(random, value);
      const answer = JSON.stringify(value);
      await trying("answers", Buffer.from(answer), async () => {
        if (/not what a hawser node/.test(await outcome(use, answer))) refused++;
      });
    }
    expect(refused).toBeGreaterThan(ROUNDS / 10);
  });

  test.each(corpus("answers"))("%s", async (_name, bytes) => {
    await outcome(use, bytes.toString("utf8"));
  });

  test("nested beyond any stack", async () => {
    await outcome(use, `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    await outcome(use, `{"more":${"[".repeat(100_000)}`);
  });
});

test("a field that is wrong is named", () => {
  const bad = { ...STATUS, position: { ...POSITION, history: TRAP } };
  expect(() => show(JSON.stringify(bad), OPTIONS, false)).toThrow(
    "position.history of its answer is not what a hawser node of this version answers",
  );
});
