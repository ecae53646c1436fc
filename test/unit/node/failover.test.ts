/** A planned failover at the primary that hands over: what is said when, and every way that it ends. */
import { describe, expect, test } from "vitest";
import { Failover } from "../../../src/node/failover.ts";
import type { FailoverLink } from "../../../src/node/failover-target.ts";
import type { FailoverPlan } from "../../../src/node/api.ts";
import type { Resignation } from "../../../src/node/resignation.ts";
import {
  RECOVERING,
  type ResignedRounds,
  type Role,
  startFenced,
  startFollowing,
  startLeading,
  startRecovering,
  toPaused,
  toPromoting,
  toResigned,
  toResumed,
} from "../../../src/node/roles.ts";
import type { SeedAnswer } from "../../../src/node/seed-choice.ts";
import type { Control, Rank, StateAnswer } from "../../../src/wire/messages.ts";

const H = "1".repeat(32);
const T = "2".repeat(32);
const END = { history: H, offset: 700, chain: 9 };
const AT = { host: "t", port: 7412 };

class FakeLink implements FailoverLink {
  readonly said: Control[] = [];
  readonly remote = "10.0.0.2:5000";
  readonly hello;
  state: { kind: string } = { kind: "streaming" };
  finishing: unknown = null;
  confirmed = 0;
  constructor(storeId = T, replPort = 7412) {
    this.hello = { storeId, address: { host: "t", clientPort: 7402, replPort } };
  }
  sayBetween(message: Control): void {
    this.said.push(message);
  }
  get types(): string[] {
    return this.said.map(({ type }) => type);
  }
}

/** A primary of which only the order of things is real. */
class Rig {
  role: Role = startLeading("none");
  readonly link = new FakeLink();
  links: FakeLink[] = [this.link];
  readonly did: string[] = [];
  isQuiet = true;
  holdsReplies = false;
  isAwaited = false;
  diskFull = false;
  heard: Rank = { term: 0, run: 0 };
  readonly waits = new Set<{ readonly holds: () => boolean; readonly done: () => void }>();
  readonly timers: { readonly ms: number; readonly run: () => void }[] = [];
  readonly asked: ((answers: readonly SeedAnswer[]) => void)[] = [];
  resignation: Resignation | null = null;
  confirmsDurable = false;
  readonly failover: Failover;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const rig = this;
    this.failover = new Failover(
      {
        roles: {
          get now() {
            return rig.role;
          },
          pause: () => {
            this.did.push("pause");
            if (this.role.kind === "leading") this.role = toPaused(this.role);
          },
          resume: () => {
            this.did.push("resume");
            if (this.role.kind === "paused") this.role = toResumed(this.role);
          },
          resign: (resignation, run) => this.resign(resignation, run),
          followTaken: ({ host, port }) => {
            this.did.push(`follow ${host}:${port}`);
            this.leaveFor(startFollowing({ host, port }, "none"));
          },
          leadReleased: (done) => {
            this.did.push("lead again");
            if (this.role.kind === "resigned") this.leaveFor(toPromoting(this.role, []));
            done(null);
            return null;
          },
        },
        identity: {
          rank: { term: 4, run: 1 },
          heardOf: (rank) => {
            this.heard = rank;
          },
        },
        backlog: { seal: () => this.did.push("seal") > 0 },
        position: END,
        feeder: {
          get replicas() {
            return rig.links;
          },
          wantPump: () => undefined,
          counters: { bump: (name) => this.did.push(name) },
        },
        synchronous: {
          get isAwaited() {
            return rig.isAwaited;
          },
          timeoutMs: 5_000,
        },
        turn: {
          get holdsReplies() {
            return rig.holdsReplies;
          },
          changed: () => undefined,
          until: (holds, done) => {
            const wait = { holds, done };
            this.waits.add(wait);
            return () => this.waits.delete(wait);
          },
        },
        isQuiet: () => this.isQuiet,
      },
      {
        ask: (_sources, _withinMs, done) => void this.asked.push(done),
        later: (ms, run) => void this.timers.push({ ms, run }),
        wallClock: () => 1_000,
        randomId: () => (this.minted++).toString(16).padStart(32, "0"),
        journal: () => undefined,
        confirmsDurable: () => this.confirmsDurable,
      },
    );
  }

  private minted = 160;

  private resign(resignation: Resignation, run: ResignedRounds): string | null {
    if (this.diskFull) return "no space left";
    this.did.push("resign");
    this.resignation = resignation;
    if (this.role.kind === "paused") this.role = toResigned(this.role, resignation, run);
    run.start();
    return null;
  }

  /** As role-moves.ts: the rounds end with the role. */
  leaveFor(next: Role): void {
    const before = this.role;
    this.role = next;
    if (before.kind === "resigned") before.rounds.stop();
  }

  turnEnds(): void {
    for (const wait of [...this.waits])
      if (wait.holds()) {
        this.waits.delete(wait);
        wait.done();
      }
  }

  /** FAILOVER, up to PREPARE. */
  begin(plan: { force?: boolean; timeoutMs?: number; to?: typeof AT | null } = {}): void {
    const { force = false, timeoutMs = 0, to = null } = plan;
    const done = (why: string | null): void => void this.did.push(`done: ${why ?? "OK"}`);
    expect(this.failover.start({ to, force, timeoutMs }, done)).toBe(null);
    this.turnEnds();
    this.turnEnds();
  }

  prepared(refusal = "", id = this.attemptId): void {
    this.failover.answered(this.link, { type: "prepared", failoverId: id, refusal });
  }

  get attemptId(): string {
    return (this.link.said.findLast(({ type }) => type === "prepare") as { failoverId: string })
      .failoverId;
  }

  /** What the target answers when it is asked. */
  answer(state: Partial<StateAnswer> | null): void {
    const whole = state === null ? null : (state as StateAnswer);
    this.asked.shift()!([{ source: AT, state: whole, error: "" }]);
  }

  done(): string[] {
    return this.did.splice(0);
  }
}

const LEADS = {
  role: "primary",
  rootLives: false,
  rank: { term: 5, run: 0 },
  lineage: [{ history: H, left: 700, term: 4, run: 1 }],
} as const;

describe("from FAILOVER to the target that leads", () => {
  test("paused at the end of the turn, sealed, PREPARE; PREPARED => resigned, TAKE; it leads => followed", () => {
    const rig = new Rig();
    const done = (why: string | null): void => void rig.did.push(`done: ${why ?? "OK"}`);
    expect(rig.failover.start({ to: null, force: false, timeoutMs: 0 }, done)).toBe(null);
    expect([rig.failover.state, rig.role.kind, rig.link.types]).toEqual([
      "waiting-for-sync",
      "leading",
      [],
    ]);
    rig.turnEnds();
    expect([rig.role.kind, rig.link.types]).toEqual(["paused", []]);
    rig.turnEnds();
    expect(rig.link.said).toMatchObject([
      { type: "prepare", position: END, clockMs: 1_000, durable: false },
    ]);
    rig.prepared();
    expect([rig.failover.state, rig.role.kind]).toEqual(["failover-in-progress", "resigned"]);
    expect(rig.link.said[1]).toEqual({
      type: "take",
      failoverId: rig.attemptId,
      position: END,
      term: 5,
      forced: false,
    });
    expect(rig.resignation).toMatchObject({ target: T, upstream: AT, end: END, term: 5 });
    rig.answer({ ...LEADS, role: "replica", rank: { term: 4, run: 1 } });
    expect(rig.role.kind).toBe("resigned");
    rig.failover.linkEnded(rig.link);
    rig.answer(LEADS);
    expect(rig.done()).toEqual([
      "pause",
      "seal",
      "resign",
      "failovers_done",
      "follow t:7412",
      "done: OK",
    ]);
    expect(rig.failover.state).toBe("no-failover");
  });

  test("a batch is in flight => sealed when it has ended", () => {
    const rig = new Rig();
    rig.isQuiet = false;
    rig.begin();
    expect([rig.done(), rig.link.types]).toEqual([["pause"], []]);
    rig.isQuiet = true;
    rig.turnEnds();
    expect([rig.done(), rig.link.types]).toEqual([["seal"], ["prepare"]]);
  });

  test("writes are answered when they are durable => the target has to have them so", () => {
    const rig = new Rig();
    rig.confirmsDurable = true;
    rig.begin();
    expect(rig.link.said).toMatchObject([{ durable: true }]);
  });
});

describe("what was executed is answered before it resigns", () => {
  const waits: readonly (readonly [string, "holdsReplies" | "isAwaited"])[] = [
    ["replies wait", "holdsReplies"],
    ["an embedder waits", "isAwaited"],
  ];
  test.each(waits)("%s => resigned when they have it, and reads wait until then", (_name, what) => {
    const rig = new Rig();
    rig[what] = true;
    rig.begin();
    expect(rig.failover.holdsReads).toBe(false);
    rig.prepared();
    rig.turnEnds();
    expect([rig.role.kind, rig.failover.holdsReads]).toEqual(["paused", true]);
    // Said twice, it is waited for once.
    rig.prepared();
    expect(rig.timers.length).toBe(1);
    rig[what] = false;
    rig.turnEnds();
    expect([rig.role.kind, rig.failover.holdsReads]).toEqual(["resigned", false]);
    expect(rig.done()).toEqual(["pause", "seal", "resign"]);
    expect(rig.link.said[1]).toMatchObject({ type: "take", forced: false });
  });

  test("nobody waits => resigned at once", () => {
    const rig = new Rig();
    rig.begin();
    rig.prepared();
    expect([rig.role.kind, rig.timers.length]).toEqual(["resigned", 0]);
  });

  test("--sync-timeout is over: all who waited have heard => it goes on", () => {
    const rig = new Rig();
    rig.holdsReplies = true;
    rig.begin();
    rig.prepared();
    expect(rig.timers[0]!.ms).toBe(5_000);
    rig.timers[0]!.run();
    rig.turnEnds();
    expect([rig.role.kind, rig.link.types]).toEqual(["resigned", ["prepare", "take"]]);
  });

  test("TIMEOUT comes first => everything is as before", () => {
    const rig = new Rig();
    rig.holdsReplies = true;
    rig.begin({ timeoutMs: 500 });
    rig.prepared();
    rig.timers[0]!.run();
    expect(rig.done().at(-1)).toBe("done: what was executed was not confirmed in time");
    rig.holdsReplies = false;
    rig.timers[1]!.run();
    rig.turnEnds();
    expect([rig.role.kind, rig.failover.holdsReads, rig.waits.size]).toEqual(["leading", false, 0]);
    expect([rig.done(), rig.link.types]).toEqual([[], ["prepare"]]);
  });

  test("TIMEOUT comes first, FORCE => it resigns, and the target leads with all", () => {
    const rig = new Rig();
    rig.holdsReplies = true;
    rig.begin({ to: AT, force: true, timeoutMs: 500 });
    rig.prepared();
    rig.timers[0]!.run();
    expect(rig.link.said[1]).toMatchObject({ type: "take", forced: false });
    rig.holdsReplies = false;
    rig.turnEnds();
    expect(rig.done()).toEqual(["pause", "seal", "resign"]);
  });

  test("ABORT, and another FAILOVER => what the first waited for resigns for nobody", () => {
    const rig = new Rig();
    rig.holdsReplies = true;
    rig.begin();
    rig.prepared();
    rig.failover.abort(() => undefined);
    rig.begin();
    rig.timers[0]!.run();
    rig.holdsReplies = false;
    rig.turnEnds();
    expect([rig.role.kind, rig.failover.holdsReads]).toEqual(["paused", false]);
  });
});

describe("what ends it before it has resigned", () => {
  test("another leads with a higher rank, which ends all links => it says so, and where that is", () => {
    const rig = new Rig();
    rig.begin();
    rig.done();
    rig.role = startFenced({
      history: "5".repeat(32),
      rank: { term: 6, run: 0 },
      led: { term: 4, run: 1 },
      fork: 700,
      leader: { host: "x", port: 7411 },
    });
    rig.failover.linkEnded(rig.link);
    const why = "it led with rank 4.1, and x:7411 leads with rank 6.0";
    expect(rig.done()).toEqual(["failovers_resumed", `done: this node was fenced: ${why}`]);
    expect(rig.failover.state).toBe("no-failover");
  });

  const cases: readonly (readonly [string, (rig: Rig) => void, string])[] = [
    ["the target refuses", (rig) => rig.prepared("torn"), "the target cannot lead: torn"],
    [
      "its link ends",
      (rig) => rig.failover.linkEnded(rig.link),
      "the connection of the target ended",
    ],
    ["ABORT", (rig) => void rig.failover.abort(() => undefined), "FAILOVER ABORT"],
    [
      "the time is over",
      (rig) => rig.timers[0]!.run(),
      "the target did not get to the end of the log in time",
    ],
    [
      "the resignation cannot be kept",
      (rig) => {
        rig.diskFull = true;
        rig.prepared();
      },
      "no space left",
    ],
    ["the node stops", (rig) => rig.failover.stopped(), "this node was stopped"],
  ];
  test.each(cases)("%s => everything is as before", (_name, fault, why) => {
    const rig = new Rig();
    rig.begin({ timeoutMs: 500 });
    fault(rig);
    expect(rig.done()).toEqual(["pause", "seal", "resume", "failovers_resumed", `done: ${why}`]);
    expect([rig.role.kind, rig.failover.state, rig.link.types]).toEqual([
      "leading",
      "no-failover",
      ["prepare"],
    ]);
    // What comes late changes nothing.
    rig.prepared();
    for (const { run } of rig.timers) run();
    rig.failover.linkEnded(rig.link);
    expect([rig.done(), rig.role.kind]).toEqual([[], "leading"]);
  });

  test("PREPARED of an attempt before, or of another link => passed over", () => {
    const rig = new Rig();
    rig.begin();
    const first = rig.attemptId;
    rig.failover.abort(() => undefined);
    rig.begin();
    rig.prepared("", first);
    rig.failover.answered(new FakeLink(), {
      type: "prepared",
      failoverId: rig.attemptId,
      refusal: "",
    });
    expect(rig.role.kind).toBe("paused");
    rig.prepared();
    expect(rig.role.kind).toBe("resigned");
  });

  test("ABORT, or a fault, before the turn has ended => never paused", () => {
    const rig = new Rig();
    rig.failover.start({ to: null, force: false, timeoutMs: 0 }, () => undefined);
    rig.failover.abort(() => undefined);
    rig.turnEnds();
    expect([rig.done(), rig.role.kind, rig.waits.size]).toEqual([
      ["failovers_resumed"],
      "leading",
      0,
    ]);
  });

  test("the state is torn meanwhile => it goes on as that", () => {
    const rig = new Rig();
    rig.begin();
    rig.role = toPaused({ kind: "leading", startConsent: "none", holds: "torn" });
    rig.prepared();
    expect([rig.role.kind, rig.link.types]).toEqual(["leading", ["prepare"]]);
  });

  test("FORCE => when the time is over the target leads with what it has", () => {
    const rig = new Rig();
    rig.begin({ to: AT, force: true, timeoutMs: 500 });
    rig.timers[0]!.run();
    expect([rig.role.kind, rig.link.said[1]]).toMatchObject([
      "resigned",
      { type: "take", forced: true },
    ]);
  });
});

describe("resigned", () => {
  function resigned(): Rig {
    const rig = new Rig();
    rig.begin();
    rig.prepared();
    rig.done();
    return rig;
  }

  test("TAKE is said again on every link of the target's store, and to no other", () => {
    const rig = resigned();
    const again = new FakeLink();
    const other = new FakeLink("3".repeat(32));
    rig.failover.linked(again);
    rig.failover.linked(other);
    expect([again.types, other.types]).toEqual([["take"], []]);
  });

  test("the target comes back at another address => it is asked there", () => {
    const rig = resigned();
    const again = new FakeLink(T, 9999);
    rig.failover.linked(again);
    rig.answer(null);
    rig.timers.at(-1)!.run();
    rig.answer(LEADS);
    expect(rig.done()).toContain("follow t:9999");
  });

  const notYet: readonly (readonly [string, Partial<StateAnswer> | null])[] = [
    ["no answer", null],
    ["a primary of the term that was resigned", { ...LEADS, rank: { term: 4, run: 2 } }],
    ["a replica of nobody that is heard of", { ...LEADS, role: "replica" }],
    ["another cluster's primary", { ...LEADS, lineage: [] }],
  ];
  test.each(notYet)("%s => asked again", (_name, state) => {
    const rig = resigned();
    rig.answer(state);
    expect([rig.role.kind, rig.asked.length]).toEqual(["resigned", 0]);
    rig.timers.at(-1)!.run();
    expect(rig.asked.length).toBe(1);
  });

  test("it follows who leads in a higher term by now => followed", () => {
    const rig = resigned();
    rig.answer({ ...LEADS, role: "replica", rootLives: true, rank: { term: 7, run: 0 } });
    expect(rig.done()).toContain("follow t:7412");
  });

  test("another FAILOVER => refused", () => {
    const rig = resigned();
    const again = rig.failover.start({ to: null, force: false, timeoutMs: 0 }, () => undefined);
    expect(again).toBe("FAILOVER already in progress.");
  });

  test("REPLICAOF meanwhile => whoever waits is told, and the target is asked no more", () => {
    const rig = resigned();
    rig.leaveFor(startFollowing({ host: "x", port: 1 }, "none"));
    expect(rig.done()).toEqual(["done: somebody decided otherwise"]);
    rig.answer(LEADS);
    expect(rig.done()).toEqual([]);
  });
});

describe("ABORT of a node that has resigned", () => {
  function releasing(): { rig: Rig; told: (string | null)[] } {
    const rig = new Rig();
    rig.begin();
    rig.prepared();
    rig.done();
    const told: (string | null)[] = [];
    expect(rig.failover.abort((why) => told.push(why))).toBe(null);
    expect(rig.link.types).toEqual(["prepare", "take", "release"]);
    return { rig, told };
  }

  test("RELEASED => it leads again, above what it handed on", () => {
    const { rig, told } = releasing();
    rig.failover.answered(rig.link, { type: "released", failoverId: rig.attemptId });
    expect([rig.heard, told]).toEqual([{ term: 5, run: 0 }, [null]]);
    expect(rig.done()).toContain("lead again");
  });

  test("the target's link ends => it may lead: resigned on", () => {
    const { rig, told } = releasing();
    rig.failover.linkEnded(rig.link);
    expect([rig.role.kind, told.length]).toEqual(["resigned", 1]);
    expect(told[0]).toMatch(/REPLICAOF NO ONE FORCE/);
    rig.failover.answered(rig.link, { type: "released", failoverId: rig.attemptId });
    expect(rig.role.kind).toBe("resigned");
  });

  test("no answer in time => the same; RELEASED of another link, or of another attempt, is none", () => {
    const { rig, told } = releasing();
    const failoverId = rig.attemptId;
    rig.failover.answered(new FakeLink(), { type: "released", failoverId });
    rig.failover.answered(rig.link, { type: "released", failoverId: "f".repeat(32) });
    expect(told).toEqual([]);
    rig.timers.at(-1)!.run();
    expect([rig.role.kind, told.length]).toEqual(["resigned", 1]);
  });

  test("the target is not linked => refused at once", () => {
    const rig = new Rig();
    rig.begin();
    rig.prepared();
    rig.links = [];
    expect(rig.failover.abort(() => undefined)).toMatch(/not heard of/);
  });

  test("nothing to abort", () => {
    expect(new Rig().failover.abort(() => undefined)).toBe("No failover in progress.");
  });
});

describe("refused", () => {
  const plan = { to: null, force: false, timeoutMs: 0 };
  const cases: readonly (readonly [string, (rig: Rig) => void, FailoverPlan, string])[] = [
    ["under way", (rig) => rig.begin(), plan, "FAILOVER already in progress."],
    [
      "on a replica",
      (rig) => {
        rig.role = startFollowing(AT, "none");
      },
      plan,
      "FAILOVER is not valid when server is a replica.",
    ],
    [
      "without replicas",
      (rig) => {
        rig.links = [];
      },
      plan,
      "FAILOVER requires connected replicas.",
    ],
    [
      "FORCE alone",
      () => undefined,
      { ...plan, force: true },
      "FAILOVER with force option requires both a timeout and target HOST and IP.",
    ],
    [
      "TO nobody",
      () => undefined,
      { ...plan, to: { host: "t", port: 1 } },
      "FAILOVER target HOST and PORT is not a replica.",
    ],
    [
      "while it recovers",
      (rig) => {
        rig.role = startRecovering(startLeading("none"));
      },
      plan,
      RECOVERING,
    ],
  ];
  test.each(cases)("%s", (_name, before, given, why) => {
    const rig = new Rig();
    before(rig);
    expect(rig.failover.start(given, () => undefined)).toBe(why);
  });
});
