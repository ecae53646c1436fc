/** A planned failover at the replica that is to lead: when it says so, and when it does. */
import { describe, expect, test } from "vitest";
import { type Role, startFollowing, startLeading, withHolding } from "../../../src/node/roles.ts";
import { Taking } from "../../../src/node/taking.ts";
import type { Prepared, Released } from "../../../src/wire/messages.ts";

const H = "1".repeat(32);
const ID = "8".repeat(32);
const END = { history: H, offset: 700, chain: 9 };
const PREPARE = {
  type: "prepare",
  failoverId: ID,
  position: END,
  clockMs: 100_000,
  durable: false,
} as const;
const TAKE = { type: "take", failoverId: ID, position: END, term: 5, forced: false } as const;

class Rig {
  role: Role = withHolding(startFollowing({ host: "p", port: 1 }, "none"), "whole");
  history = H;
  next = 700;
  chain = 9;
  durable = Number.POSITIVE_INFINITY;
  decoder: object | null = {};
  wants = 0;
  refusal: string | null = null;
  leads = 0;
  clockMs = 100_000;
  readonly said: (Prepared | Released)[] = [];
  readonly told: string[] = [];
  readonly timers: (() => void)[] = [];
  readonly waits = new Set<{ readonly holds: () => boolean; readonly done: () => void }>();
  readonly taking: Taking;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const rig = this;
    this.taking = new Taking(
      {
        roles: {
          get now() {
            return rig.role;
          },
          take: (done) => {
            if (this.refusal !== null) return this.refusal;
            this.leads += 1;
            done(null);
            return null;
          },
        },
        identity: {
          get history() {
            return rig.history;
          },
        },
        backlog: {
          get next() {
            return rig.next;
          },
          get chain() {
            return rig.chain;
          },
          store: {
            get durable() {
              return rig.durable;
            },
          },
          persist: () => undefined,
          wantDurable: () => void (this.wants += 1),
        },
        session: {
          get decoder() {
            return rig.decoder;
          },
          answerFailover: (message) => void this.said.push(message),
        },
        feeder: { counters: { bump: (name) => void this.told.push(name) } },
        turn: {
          until: (holds, done) => {
            const wait = { holds, done };
            this.waits.add(wait);
            return () => this.waits.delete(wait);
          },
        },
      },
      {
        later: (_ms, run) => void this.timers.push(run),
        wallClock: () => this.clockMs,
        journal: (_level, event) => void this.told.push(event),
      },
    );
  }

  turnEnds(): void {
    for (const wait of [...this.waits])
      if (wait.holds()) {
        this.waits.delete(wait);
        wait.done();
      }
  }

  turns(): void {
    for (let i = 0; i < 4; i++) this.turnEnds();
  }

  get answers(): string[] {
    return this.said.map((each) => (each.type === "prepared" ? each.refusal || "yes" : each.type));
  }
}

describe("PREPARE", () => {
  test("at the end of the log => yes, and nothing else; before it => when it is there", () => {
    const rig = new Rig();
    rig.next = 600;
    rig.taking.on(PREPARE);
    rig.turns();
    expect(rig.answers).toEqual([]);
    rig.next = 700;
    rig.turns();
    expect([rig.answers, rig.leads]).toEqual([["yes"], 0]);
  });

  test("durable is asked for => when it is synced", () => {
    const rig = new Rig();
    rig.durable = 600;
    rig.taking.on({ ...PREPARE, durable: true });
    rig.turns();
    expect([rig.answers, rig.wants]).toEqual([[], 1]);
    rig.durable = 700;
    rig.turns();
    expect(rig.answers).toEqual(["yes"]);
  });

  const refused: readonly (readonly [string, (rig: Rig) => void, RegExp, boolean])[] = [
    ["no disk, and durable is asked for", () => undefined, /keeps no log/, true],
    ["the clock is far off", (rig) => void (rig.clockMs = 170_000), /70 s off/, false],
    ["it leads", (rig) => void (rig.role = startLeading("none")), /leading/, false],
    ["torn", (rig) => void (rig.role = withHolding(rig.role, "torn")), /inside a batch/, false],
    ["its log went on", (rig) => void (rig.next = 800), /800/, false],
    ["another content", (rig) => void (rig.chain = 1), /at 700/, false],
  ];
  test.each(refused)("%s => refused", (_name, change, why, durable) => {
    const rig = new Rig();
    change(rig);
    rig.taking.on({ ...PREPARE, durable });
    rig.turns();
    expect(rig.answers[0]).toMatch(why);
  });

  test("its connection ends => nothing is said on the next", () => {
    const rig = new Rig();
    rig.next = 600;
    rig.taking.on(PREPARE);
    rig.decoder = {};
    rig.next = 700;
    rig.turns();
    expect([rig.answers, rig.waits.size]).toEqual([[], 0]);
  });
});

describe("TAKE", () => {
  test("at the end of the log, and durable => it leads; not before either", () => {
    const rig = new Rig();
    rig.next = 600;
    rig.durable = 500;
    rig.taking.on(TAKE);
    rig.turns();
    rig.next = 700;
    rig.turns();
    expect([rig.leads, rig.wants]).toEqual([0, 1]);
    rig.durable = 700;
    rig.turns();
    expect([rig.leads, rig.told]).toEqual([1, ["failover_take", "failovers_taken"]]);
  });

  test.each([
    ["another history", (rig: Rig) => void (rig.history = "2".repeat(32))],
    ["another content", (rig: Rig) => void (rig.chain = 1)],
    ["further", (rig: Rig) => void (rig.next = 701)],
  ])("elsewhere: %s => passed over; forced => it leads with that", (_name, change) => {
    const rig = new Rig();
    change(rig);
    rig.taking.on(TAKE);
    rig.turns();
    expect([rig.leads, rig.told]).toEqual([0, ["failover_take", "failover_passed_over"]]);
    rig.taking.on({ ...TAKE, forced: true });
    rig.turns();
    expect(rig.leads).toBe(1);
  });

  test("forced, before the end => at once", () => {
    const rig = new Rig();
    rig.next = 10;
    rig.taking.on({ ...TAKE, forced: true });
    rig.turns();
    expect(rig.leads).toBe(1);
  });

  test("RELEASE before it leads => RELEASED, and it never does by that TAKE", () => {
    const rig = new Rig();
    rig.next = 600;
    rig.taking.on(TAKE);
    rig.taking.on({ type: "release", failoverId: ID });
    rig.next = 700;
    rig.turns();
    expect([rig.answers, rig.leads]).toEqual([["released"], 0]);
  });

  test("its connection ends before it is there => it waits for the next TAKE", () => {
    const rig = new Rig();
    rig.next = 600;
    rig.taking.on(TAKE);
    rig.decoder = null;
    rig.next = 700;
    rig.turns();
    expect(rig.leads).toBe(0);
    rig.decoder = {};
    rig.taking.on(TAKE);
    rig.turns();
    expect(rig.leads).toBe(1);
  });

  test("the role cannot be kept => tried again, as long as nothing else was said", () => {
    const rig = new Rig();
    rig.refusal = "no space left";
    rig.taking.on(TAKE);
    rig.turns();
    rig.refusal = null;
    rig.timers.shift()!();
    expect(rig.leads).toBe(1);
    rig.refusal = "no space left";
    rig.taking.on(TAKE);
    rig.turns();
    rig.taking.on({ type: "release", failoverId: ID });
    rig.refusal = null;
    rig.timers.shift()!();
    expect(rig.leads).toBe(1);
  });
});
