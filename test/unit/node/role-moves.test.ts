/** What happens when a node moves from one role to another, and in which order. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../../../src/net/address.ts";
import { NO_RANK } from "../../../src/log/history.ts";
import { Identity } from "../../../src/node/identity.ts";
import type { LedLog } from "../../../src/primary/deps.ts";
import type { ConsentMemory } from "../../../src/node/consent.ts";
import type { Consent } from "../../../src/wire/messages.ts";
import type { RoleMemory } from "../../../src/node/role-memory.ts";
import { RoleMoves } from "../../../src/node/role-moves.ts";
import {
  FAILING_OVER,
  type ReclaimRounds,
  type SeedRounds,
  NEVER_SYNCED,
  RESIGNED,
  type Role,
  startFenced,
  startFollowing,
  startLeading,
  startRecovering,
  startSeeding,
  SILENT,
  STOPPED,
  TORN,
  withHolding,
  writeRefusal,
} from "../../../src/node/roles.ts";

const X = { host: "x", port: 1 };
const Y = { host: "y", port: 2 };
const H1 = "1".repeat(32);
const H2 = "2".repeat(32);
const LOG = { history: H2, rank: { term: 4, run: 0 }, lineage: [] };

/** A node of which only the order of things is real. */
class FakeNode {
  readonly did: string[] = [];
  readonly moves: RoleMoves;
  readonly identity: Identity;
  nowMs = 1_000;
  /** Slices that the session has still to apply, and whether the last of them tears the state. */
  slices = 0;
  tears = false;
  diskFull = false;
  /** The state has not answered yet. */
  busy = false;
  durable = 0;
  readonly untils: (() => void)[] = [];
  readonly waits: { readonly holds: () => boolean; readonly done: () => void }[] = [];
  readonly laters: (() => void)[] = [];
  /** Histories that are not on the disk yet. */
  readonly renames: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  /** How often what an earlier process kept of a snapshot was forgotten. */
  forgets = 0;
  /** What a promotion has to ask others first. */
  round: ReclaimRounds | null = null;
  /** --seed-from, and what its rounds are. */
  sources: readonly Address[] = [];
  seeding: SeedRounds | null = null;
  roundDone: ((why: string | null) => void) | null = null;
  private minted = 16;

  constructor(role: Role) {
    this.identity = new Identity("", () => (this.minted++).toString(16).padStart(32, "0"));
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const node = this;
    const { did, identity } = this;
    this.moves = new RoleMoves(
      role,
      {
        identity,
        backlog: {
          next: 7,
          chain: 9,
          get durable() {
            return node.durable;
          },
          seal: () => did.push("seal") > 0,
          dropReceived: () => did.push("drop rest"),
          rename: (done) => {
            did.push("rename log");
            if (done !== undefined) this.renames.push(done);
          },
          beginHistory: ({ history, parent }) =>
            did.push(`begins ${history.slice(-2)} at ${parent?.offset ?? "nothing"}`),
        },
        completeness: { leads: () => did.push("complete") },
        get sources() {
          return node.sources;
        },
        makeSeeding: () => node.seeding,
        planRound: (done) => {
          this.roundDone = done;
          return this.round;
        },
        session: {
          start: (_nowMs, isSame = false) => did.push(isSame ? "dial again" : "dial"),
          stop: (why, _nowMs, keep = false) => did.push(`hang up: ${why}${keep ? ", keep" : ""}`),
          step: () => this.step(),
          get isBusy() {
            return node.busy;
          },
          resetToLog: () => did.push("session at the log"),
          tear: () => did.push("session torn"),
          forgetKept: () => void (node.forgets += 1),
        },
        feeder: {
          counters: { bump: (name) => did.push(`count ${name}`) },
          cutWaiters: () => did.push("cut waiters"),
          dropAll: (_bye, _reason, why) => did.push(`drop links: ${why}`),
          upstreamResync: () => did.push("resync"),
          stateTorn: () => did.push("torn"),
        },
        synchronous: {
          leads: () => did.push("confirms"),
          ended: () => did.push("confirms no more"),
        },
        announcer: {
          leads: (peers) => did.push(`announce to ${peers.map(({ host }) => host).join()}`),
        },
        turn: {
          changed: () => did.push("changed"),
          dropReplies: () => did.push("drop replies"),
          until: (holds, done) => {
            this.untils.push(done);
            this.waits.push({ holds, done });
            return () => this.untils.splice(0);
          },
        },
      },
      {
        consent: null,
        recovers: true,
        keepConsent: (consent, resetUsed) => {
          if (this.diskFull) throw new Error("no space left");
          const what = consent === null ? "no consent" : textOf(consent);
          this.did.push(`keep ${what}${resetUsed ? ", --allow-reset used" : ""}`);
        },
        remember: (memory, consent) => this.remember(memory, consent),
        journal: (_level, event, { role: told = "" }) =>
          did.push(`${event} ${String(told)}`.trim()),
        onFenced: () => did.push("clients sent away"),
        nextTurn: (run) => this.laters.push(run),
        later: (_ms, run) => this.timers.push(run),
        now: () => this.nowMs,
      },
    );
  }

  private step(): boolean {
    if (this.slices > 0) this.did.push("apply");
    this.slices = Math.max(0, this.slices - 1);
    if (this.slices > 0 || !this.tears) return this.slices > 0;
    this.moves.torn();
    return false;
  }

  private remember({ role, upstream }: RoleMemory, consent: ConsentMemory | null): void {
    if (this.diskFull) throw new Error("no space left");
    const whom = upstream === null ? "" : ` of ${upstream.host}`;
    this.did.push(`keep ${role}${whom}${consent === null ? "" : `, ${textOf(consent)}`}`);
  }

  get kind(): Role["kind"] {
    return this.moves.now.kind;
  }

  /** What was done since the last call. */
  done(): string[] {
    return this.did.splice(0);
  }

  promote(force = false): string | null {
    return this.moves.promote(force, (why) => this.did.push(why ?? "OK"));
  }

  nextTurns(): void {
    for (let run = this.laters.shift(); run !== undefined; run = this.laters.shift()) run();
  }
}

function textOf({ kind, nodeId, upstream }: ConsentMemory): string {
  return `${kind} for ${nodeId.slice(0, 1) || "whoever"} at ${upstream.host}`;
}

/** Rounds that say when they are over. */
function seedRounds(): {
  stops: number;
  tears: number;
  why: string;
  start(): void;
  stop(): void;
} {
  return {
    stops: 0,
    tears: 0,
    why: "asking",
    start: () => undefined,
    stop() {
      this.stops += 1;
    },
  };
}

const followingX = withHolding(startFollowing(X, "none"), "whole");

describe("start", () => {
  test("following => dials", () => {
    const node = new FakeNode(followingX);
    node.moves.start();
    expect(node.done()).toEqual(["dial"]);
  });

  test("leading => what it is answered is confirmed from now on", () => {
    const node = new FakeNode(startLeading("none"));
    node.moves.start();
    expect(node.done()).toEqual(["confirms"]);
  });

  test("seeding => asks its sources", () => {
    let asked = 0;
    const node = new FakeNode(startSeeding({ ...seedRounds(), start: () => (asked += 1) }));
    node.moves.start();
    expect([asked, node.done()]).toEqual([1, []]);
  });
});

describe("recovery", () => {
  test("a log of its own => a node that leads begins a history at its end, and recovers on", () => {
    const node = new FakeNode(startRecovering(startLeading("none")));
    const { history } = node.identity;
    node.moves.recovered();
    const begun = node.identity.history;
    expect(node.done()).toEqual(["session at the log", `begins ${begun.slice(-2)} at 7`]);
    expect(node.identity.lineage).toEqual([{ history, left: 7, ...NO_RANK }]);
    expect(node.kind).toBe("recovering");
  });

  test("nothing => the first history of a cluster", () => {
    const node = new FakeNode(startRecovering(startLeading("none")));
    node.moves.recoveredNothing();
    const { history, rank, lineage } = node.identity;
    expect(node.done()).toEqual([`begins ${history.slice(-2)} at nothing`]);
    expect([rank, lineage]).toEqual([{ term: 1, run: 0 }, []]);
  });

  test("a replica => begins none", () => {
    const node = new FakeNode(startRecovering(followingX));
    const { history } = node.identity;
    node.moves.recovered();
    node.moves.recoveredNothing();
    expect([node.done(), node.identity.history]).toEqual([["session at the log"], history]);
  });
});

describe("follow", () => {
  test("leading => following: kept first, sealed, WAITs ended, then dials", () => {
    const node = new FakeNode(startLeading("none"));
    expect(node.moves.follow("replicaof", X)).toBe(null);
    expect(node.done()).toEqual([
      "keep replica of x, replicaof for whoever at x",
      "seal",
      "cut waiters",
      "hang up: following another node",
      "confirms no more",
      "role_changed replica",
      "session at the log",
      "dial",
    ]);
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: X, holds: "whole" });
  });

  test("following => another upstream: the session goes on from where it was", () => {
    const node = new FakeNode(followingX);
    expect(node.moves.follow("none", Y)).toBe(null);
    expect(node.done()).toEqual([
      "keep replica of y",
      "seal",
      "hang up: following another node",
      "role_changed replica",
      "dial",
    ]);
  });

  test("promoting => following: whoever asked for the promotion is told that it happened", () => {
    const node = new FakeNode(followingX);
    node.slices = 2;
    node.promote();
    node.done();
    expect(node.moves.follow("none", Y)).toBe(null);
    expect(node.done().slice(-2)).toEqual(["dial", "OK"]);
    node.nextTurns();
    expect([node.kind, node.done()]).toEqual(["following", []]);
  });

  test("seeding => following: its rounds are over", () => {
    const rounds = seedRounds();
    const node = new FakeNode(startSeeding(rounds));
    node.moves.follow("none", X);
    expect([node.kind, rounds.stops]).toEqual(["following", 1]);
  });

  test("a role that cannot be kept => nothing is changed", () => {
    const node = new FakeNode(startLeading("none"));
    node.diskFull = true;
    expect(node.moves.follow("none", X)).toBe(
      "the role cannot be kept in --dir, and nothing was changed: no space left",
    );
    expect([node.kind, node.done()]).toEqual(["leading", ["role_not_remembered"]]);
  });
});

describe("promote", () => {
  test("following => leading: kept first, what was received is applied, then a new history", () => {
    const node = new FakeNode(followingX);
    const { history } = node.identity;
    node.slices = 3;
    expect(node.promote()).toBe(null);
    expect(node.done()).toEqual(["keep primary", "hang up: promoted", "apply"]);
    expect([node.kind, node.forgets]).toEqual(["promoting", 0]);
    node.nextTurns();
    expect(node.forgets).toBe(1);
    expect(node.done()).toEqual([
      "apply",
      "apply",
      "drop rest",
      "session at the log",
      "rename log",
      `begins ${node.identity.history.slice(-2)} at 7`,
      "complete",
      "confirms",
      "role_changed primary",
      "drop links: this node was promoted",
      "OK",
      "announce to x",
      "changed",
    ]);
    expect(node.kind).toBe("leading");
    expect(node.identity.lineage).toEqual([{ history, left: 7, ...NO_RANK }]);
  });

  test("a state that answers later => leads after the answer, not before", () => {
    const node = new FakeNode(followingX);
    node.busy = true;
    node.promote();
    expect([node.kind, node.untils.length]).toEqual(["promoting", 1]);
    node.busy = false;
    node.untils[0]!();
    expect(node.kind).toBe("leading");
    node.timers[0]!();
    expect(node.kind).toBe("leading");
  });

  test("a state that does not answer for a minute => refused, and it follows again", () => {
    const node = new FakeNode(followingX);
    node.busy = true;
    node.promote();
    node.done();
    node.timers[0]!();
    expect(node.done()).toEqual(["keep replica of x", SILENT, "dial again"]);
    expect([node.kind, node.untils]).toEqual(["following", []]);
    node.timers[0]!();
    expect(node.done()).toEqual([]);
  });

  test("the same, told to follow another meanwhile => that one is followed", () => {
    const node = new FakeNode(followingX);
    node.busy = true;
    node.promote();
    node.moves.follow("none", Y);
    node.done();
    node.timers[0]!();
    expect([node.moves.now, node.done()]).toMatchObject([{ upstream: Y }, []]);
  });

  test("a state that answers later, and another upstream meanwhile => it does not lead", () => {
    const node = new FakeNode(followingX);
    node.busy = true;
    node.promote();
    node.moves.follow("none", Y);
    node.busy = false;
    node.untils[0]!();
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: Y });
  });

  test("leading => it is one: nothing is done", () => {
    const node = new FakeNode(startLeading("none"));
    expect(node.promote()).toBe(null);
    expect(node.done()).toEqual(["OK"]);
  });

  test("asked for twice => kept once, both are told", () => {
    const node = new FakeNode(followingX);
    node.slices = 2;
    node.promote();
    expect(node.promote()).toBe(null);
    expect(node.done()).toEqual(["keep primary", "hang up: promoted", "apply"]);
    node.nextTurns();
    expect(node.done().filter((what) => what === "OK")).toEqual(["OK", "OK"]);
  });

  test("without a state => refused, but for force", () => {
    const node = new FakeNode(startFollowing(X, "none"));
    expect(node.promote()).toBe(NEVER_SYNCED);
    expect([node.kind, node.done()]).toEqual(["following", []]);
    expect(node.promote(true)).toBe(null);
    expect(node.kind).toBe("leading");
  });

  test("torn => refused, forced or not", () => {
    const node = new FakeNode(withHolding(followingX, "torn"));
    expect([node.promote(), node.promote(true)]).toEqual([TORN, TORN]);
    expect([node.kind, node.done()]).toEqual(["following", []]);
  });

  test("torn by the rest => a replica again, kept as one, and told so", () => {
    const node = new FakeNode(followingX);
    node.slices = 2;
    node.tears = true;
    node.promote();
    node.nextTurns();
    expect(node.done().slice(2)).toEqual([
      "apply",
      "apply",
      "torn",
      "changed",
      "keep replica of x",
      TORN,
    ]);
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: X, holds: "torn" });
  });

  test("a role that cannot be kept => the session goes on", () => {
    const node = new FakeNode(followingX);
    node.diskFull = true;
    expect(node.promote()).toMatch(/nothing was changed: no space left/);
    expect([node.kind, node.done()]).toEqual(["following", ["role_not_remembered"]]);
  });

  test("while seeding, by hand => its rounds are over at once", () => {
    const rounds = seedRounds();
    const node = new FakeNode(startSeeding(rounds));
    node.slices = 2;
    node.promote(true);
    expect([node.kind, rounds.stops]).toEqual(["promoting", 1]);
    node.nextTurns();
    expect([node.kind, rounds.stops]).toEqual(["leading", 1]);
  });
});

describe("seeding", () => {
  test("sync from a source => dials it, nothing is kept", () => {
    const rounds = seedRounds();
    const node = new FakeNode(startSeeding(rounds));
    node.moves.syncFrom(X);
    expect(node.done()).toEqual([
      "seal",
      "hang up: following another node",
      "role_changed replica",
      "dial",
    ]);
    expect(node.moves.now).toMatchObject({ kind: "seeding", source: X });
    expect(rounds.stops).toBe(0);
  });

  test("stay below the source it syncs from => kept, and the connection stands", () => {
    const rounds = seedRounds();
    const node = new FakeNode(startSeeding(rounds));
    node.moves.syncFrom(X);
    node.done();
    node.moves.stayBelow(X);
    expect(node.done()).toEqual(["keep replica of x"]);
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: X });
    expect(rounds.stops).toBe(1);
  });

  test("stay below another => kept, and dialled", () => {
    const node = new FakeNode(startSeeding(seedRounds()));
    node.moves.syncFrom(X);
    node.done();
    node.moves.stayBelow(Y);
    expect(node.done()).toEqual([
      "keep replica of y",
      "seal",
      "hang up: following another node",
      "role_changed replica",
      "dial",
    ]);
  });

  test("stay below a source, which cannot be kept => it follows all the same: others lead", () => {
    const node = new FakeNode(startSeeding(seedRounds()));
    node.diskFull = true;
    node.moves.stayBelow(X);
    expect([node.kind, node.done()[0]]).toEqual(["following", "role_not_remembered"]);
  });

  test("a move of a seeding that is over => an error", () => {
    const node = new FakeNode(followingX);
    expect(() => node.moves.syncFrom(Y)).toThrow("following asks nobody");
    expect(() => node.moves.stayBelow(Y)).toThrow("following asks nobody");
  });
});

describe("reclaiming", () => {
  /** A node that led, and has its log back. */
  function reclaims(): { node: FakeNode; rounds: ReturnType<typeof seedRounds> } {
    const rounds = seedRounds();
    const node = new FakeNode(startRecovering(startLeading("none")));
    node.moves.reclaims({
      ...rounds,
      refusal: null,
      lacks: null,
      stop: () => void (rounds.stops += 1),
      led: () => undefined,
      torn: () => void (rounds.tears += 1),
    });
    node.moves.recovered();
    node.moves.opened("whole");
    node.done();
    return { node, rounds };
  }

  test("recovered => the log goes on under the name that it has", () => {
    const node = new FakeNode(startRecovering(startLeading("none")));
    const { history } = node.identity;
    node.moves.reclaims({
      ...seedRounds(),
      refusal: null,
      lacks: null,
      led: () => undefined,
      torn: () => undefined,
    });
    node.moves.recovered();
    expect([node.identity.history, node.done()]).toEqual([history, ["session at the log"]]);
    node.moves.opened("whole");
    expect([node.kind, node.done()]).toEqual(["reclaiming", ["changed"]]);
  });

  test("take from a source => dials, and nobody hears that it is a replica", () => {
    const { node, rounds } = reclaims();
    node.moves.syncFrom(X);
    expect(node.done()).toEqual(["seal", "hang up: following another node", "dial"]);
    expect(node.moves.now).toMatchObject({ kind: "reclaiming", source: X });
    node.moves.hangUp();
    expect(node.done()).toEqual(["hang up: all is taken that was there"]);
    expect(node.moves.now).toMatchObject({ kind: "reclaiming", source: null });
    expect(rounds.stops).toBe(0);
  });

  test("lead => as after a restart: nothing is kept; open when the history is on the disk", () => {
    const { node, rounds } = reclaims();
    const { history } = node.identity;
    node.moves.leadReclaimed();
    expect(node.done()).toEqual([
      "hang up: it leads again",
      "drop rest",
      "session at the log",
      "rename log",
    ]);
    expect([node.kind, rounds.stops]).toEqual(["promoting", 1]);
    const begins = `begins ${node.identity.history.slice(-2)} at 7`;
    node.renames.shift()!();
    expect([node.kind, node.done()]).toEqual([
      "leading",
      [begins, "complete", "confirms", "drop links: this node was promoted", "changed"],
    ]);
    expect(node.identity.lineage).toEqual([{ history, left: 7, ...NO_RANK }]);
  });

  test("torn by the rest of what it took => it does not lead, and its rounds are told", () => {
    const { node, rounds } = reclaims();
    node.slices = 2;
    node.tears = true;
    node.moves.leadReclaimed();
    node.nextTurns();
    expect([node.kind, rounds.tears]).toEqual(["promoting", 1]);
    expect(node.done().slice(1)).toEqual(["apply", "apply", "torn", "changed"]);
  });

  test("told to follow before its history is on the disk => it does not lead", () => {
    const { node } = reclaims();
    node.moves.leadReclaimed();
    node.moves.follow("none", X);
    node.slices = 3;
    node.promote();
    node.done();
    node.renames.shift()!();
    expect([node.kind, node.done()]).toEqual(["promoting", []]);
  });

  test("another leads => kept, and dialled, also when it was taken from", () => {
    const { node, rounds } = reclaims();
    node.moves.syncFrom(X);
    node.done();
    node.moves.stayBelow(X);
    expect(node.done()).toEqual([
      "keep replica of x",
      "seal",
      "hang up: following another node",
      "role_changed replica",
      "dial again",
    ]);
    expect([node.kind, rounds.stops]).toEqual(["following", 1]);
  });

  test("REPLICAOF NO ONE => it does not wait for anybody", () => {
    const { node, rounds } = reclaims();
    node.moves.syncFrom(X);
    node.done();
    expect(node.promote()).toBe(null);
    node.renames.shift()!();
    expect([node.kind, rounds.stops, node.done().includes("OK")]).toEqual(["leading", 1, true]);
  });

  test("told to follow, or to stop => its rounds are over", () => {
    const one = reclaims();
    one.node.moves.follow("none", X);
    const other = reclaims();
    other.node.moves.stop();
    expect([one.node.kind, one.rounds.stops]).toEqual(["following", 1]);
    expect([other.node.kind, other.rounds.stops]).toEqual(["stopped", 1]);
  });

  test("only a node that is to lead reclaims", () => {
    const node = new FakeNode(startRecovering(followingX));
    expect(() =>
      node.moves.reclaims({
        ...seedRounds(),
        refusal: null,
        lacks: null,
        led: () => undefined,
        torn: () => undefined,
      }),
    ).toThrow("following");
    expect(() => new FakeNode(startSeeding(seedRounds())).moves.leadReclaimed()).toThrow("seeds");
  });
});

describe("stop", () => {
  test.each([
    ["leading", startLeading("none")],
    ["following", followingX],
    ["seeding", startSeeding(seedRounds())],
  ] as const)("%s => stopped, once", (_, role) => {
    const node = new FakeNode(role);
    node.moves.stop();
    node.moves.stop();
    const ends = role.kind === "leading" ? ["confirms no more"] : [];
    expect(node.done()).toEqual([...ends, "hang up: shutting down, keep", "changed"]);
    expect(node.kind).toBe("stopped");
  });

  test("seeding => its rounds are over", () => {
    const rounds = seedRounds();
    new FakeNode(startSeeding(rounds)).moves.stop();
    expect(rounds.stops).toBe(1);
  });

  test("promoting => who waits is told, and it does not lead any more", () => {
    const node = new FakeNode(followingX);
    node.slices = 2;
    node.promote();
    node.done();
    node.moves.stop();
    expect(node.done()).toEqual(["hang up: shutting down, keep", STOPPED, "changed"]);
    node.nextTurns();
    expect([node.kind, node.done()]).toEqual(["stopped", []]);
  });

  test("stopped => no other role, and it says so", () => {
    const node = new FakeNode(followingX);
    node.moves.stop();
    node.done();
    expect([node.moves.follow("none", Y), node.promote(true)]).toEqual([STOPPED, STOPPED]);
    node.moves.start();
    expect([node.kind, node.done()]).toEqual(["stopped", []]);
  });
});

describe("consent that outlives the process", () => {
  function told(startConsent: Consent = "none"): FakeNode {
    const node = new FakeNode(startLeading(startConsent));
    node.moves.follow("replicaof", X);
    node.done();
    return node;
  }

  test("WELCOME => kept again, for the node that it is for now, once", () => {
    const node = told();
    node.moves.welcomed(H1, [], null);
    node.moves.welcomed(H2, [], null);
    expect(node.done().filter((what) => what.startsWith("keep"))).toEqual([
      "keep replicaof for 1 at x",
    ]);
  });

  test("a swap => kept until a restart would find the new state", () => {
    const node = told();
    node.moves.welcomed(H1, [], null);
    node.done();
    node.durable = 900;
    node.moves.swapping();
    node.moves.swapped(LOG, null);
    node.durable = 0;
    expect(node.done()).not.toContain("keep no consent");
    // The connection was cut before that: the log of the new state goes on, or is refused for good.
    node.moves.adopted(LOG, null);
    node.moves.refused();
    expect(node.done()).not.toContain("keep no consent");
    const [wait] = node.waits;
    expect(wait!.holds()).toBe(false);
    node.durable = 1;
    expect(wait!.holds()).toBe(true);
    wait!.done();
    expect(node.done()).toEqual(["keep no consent"]);
  });

  test("another REPLICAOF before that => what is kept is for that one", () => {
    const node = told();
    node.moves.swapping();
    node.moves.swapped(LOG, null);
    node.moves.follow("replicaof", Y);
    node.done();
    const [wait] = node.waits;
    expect(wait!.holds()).toBe(true);
    wait!.done();
    expect(node.done()).toEqual([]);
  });

  test("--allow-reset => marked as used before the swap, and kept for the same node", () => {
    const node = told("reset");
    node.moves.welcomed(H1, [], null);
    node.done();
    node.moves.swapping();
    expect(node.done()).toEqual(["keep reset for 1 at x, --allow-reset used"]);
  });

  test.each<[string, (node: FakeNode) => void]>([
    ["a refusal", (node) => node.moves.refused()],
    ["its log goes on with ours", (node) => node.moves.adopted(LOG, null)],
  ])("%s => kept no more, said once", (_what, happens) => {
    const node = told();
    happens(node);
    happens(node);
    expect(node.done().filter((what) => what.startsWith("keep"))).toEqual(["keep no consent"]);
  });

  test("it cannot be kept => the log says so, and the node goes on", () => {
    const node = told();
    node.diskFull = true;
    node.moves.welcomed(H1, [], null);
    expect(node.done()).toContain("identity_not_kept");
    expect(node.moves.now).toMatchObject({ consent: { kind: "replicaof", nodeId: H1 } });
  });
});

describe("what the session found out", () => {
  let node: FakeNode;
  beforeEach(() => {
    node = new FakeNode(startFollowing(X, "replicaof"));
    node.moves.welcomed(H1, [H1, node.identity.nodeId], null);
  });

  test("who the upstream is => consent is for it, links learn of the path", () => {
    expect(node.moves.now).toMatchObject({ consent: { kind: "replicaof", nodeId: H1 } });
    expect(node.done()).toEqual(["drop links: the path to the root changed"]);
    node.moves.welcomed(H1, [H1, node.identity.nodeId], null);
    expect(node.done()).toEqual([]);
  });

  test("it does not suit => consent is used up", () => {
    node.moves.refused();
    expect(node.moves.now).toMatchObject({ holds: "nothing", consent: { kind: "none" } });
  });

  test("its log goes on with ours => it has a state, consent is used up", () => {
    node.done();
    node.moves.adopted(LOG, null);
    node.moves.adopted(LOG, null);
    expect(node.moves.now).toMatchObject({ holds: "whole", consent: { kind: "none" } });
    expect([node.identity.history, node.moves.swaps]).toEqual([H2, 0]);
    expect(node.done()).toEqual(["rename log", "drop links: the upstream's history changed"]);
  });

  test("its snapshot is our state => one swap more, torn or not, consent is used up", () => {
    node.moves.torn();
    node.done();
    node.moves.swapping();
    node.moves.swapped(LOG, null);
    expect(node.moves.now).toMatchObject({ holds: "whole", consent: { kind: "none" } });
    expect([node.identity.history, node.moves.swaps]).toEqual([H2, 1]);
    expect(node.done()).toEqual(["drop replies", "resync"]);
  });

  test("a batch that cannot be applied whole => nobody is fed, who waits is told", () => {
    node.done();
    node.moves.torn();
    expect(node.moves.now).toMatchObject({ holds: "torn" });
    expect(node.done()).toEqual(["torn", "changed"]);
  });
});

describe("somebody leads with a higher rank", () => {
  const CLUSTER = "c".repeat(32);

  /** Leads H1 up to 7, which `led` left at `fork`. */
  function leading(): FakeNode {
    const node = new FakeNode(startLeading("none"));
    node.identity.adopt({ history: H1, rank: { term: 3, run: 1 }, lineage: [] }, CLUSTER);
    return node;
  }

  const led = (fork: number, more: Partial<LedLog> = {}): LedLog => ({
    clusterId: CLUSTER,
    ...LOG,
    lineage: [{ history: H1, left: fork, term: 3, run: 1 }],
    leader: null,
    ...more,
  });

  test("it stops, then keeps that, then tells its replicas and clients", () => {
    const node = leading();
    node.moves.heardLeader(led(5), "r:1");
    expect(node.moves.now).toMatchObject({ kind: "fenced", fence: { fork: 5, leader: null } });
    expect(writeRefusal(node.moves.now)).toBe("fenced");
    expect(node.done()).toEqual([
      "confirms no more",
      "seal",
      "cut waiters",
      "session at the log",
      "keep fenced",
      "count fenced",
      "fenced",
      "drop links: this node is fenced: it led with rank 3.1, and another node leads with rank 4.0",
      "clients sent away",
      "changed",
    ]);
    node.nextTurns();
    expect(node.kind).toBe("fenced");
  });

  test("while a planned failover has paused it => the same, and it leads no more", () => {
    const node = leading();
    node.moves.pause();
    node.moves.heardLeader(led(5, { clusterId: null }), "r:1");
    expect(node.kind).toBe("paused");
    node.moves.heardLeader(led(5), "r:1");
    expect(node.kind).toBe("fenced");
  });

  test("it cannot be kept => it stops all the same", () => {
    const node = leading();
    node.diskFull = true;
    node.moves.heardLeader(led(5), "r:1");
    expect([node.kind, node.done().includes("role_not_remembered")]).toEqual(["fenced", true]);
  });

  test.each([
    ["another cluster", led(5, { clusterId: "d".repeat(32) })],
    ["no cluster", led(5, { clusterId: null })],
    ["no history in common", led(5, { lineage: [] })],
    ["a lower rank", led(5, { rank: { term: 3, run: 0 } })],
    [
      "the same rank, a lower history",
      led(5, { rank: { term: 3, run: 1 }, history: "0".repeat(32) }),
    ],
  ])("%s => it leads on", (_what, other) => {
    const node = leading();
    node.moves.heardLeader(other, "r:1");
    expect([node.kind, node.done()]).toEqual(["leading", []]);
  });

  test("the same rank, a higher history => fenced", () => {
    const node = leading();
    node.moves.heardLeader(led(5, { rank: { term: 3, run: 1 } }), "r:1");
    expect(node.kind).toBe("fenced");
  });

  test("the leader says where it is, and nothing would be discarded => it follows, in a later turn", () => {
    const node = leading();
    node.moves.heardLeader(led(7, { leader: X }), "r:1");
    expect(node.kind).toBe("fenced");
    node.done();
    node.nextTurns();
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: X, holds: "whole" });
    expect(node.done().slice(0, 2)).toEqual(["keep replica of x", "seal"]);
  });

  test("the same, and it has bytes of its own => it waits to be told", () => {
    const node = leading();
    node.moves.heardLeader(led(6, { leader: X }), "r:1");
    node.nextTurns();
    expect(node.kind).toBe("fenced");
    expect(node.moves.follow("none", X)).toBeNull();
    expect(node.moves.now).toMatchObject({ kind: "following", holds: "whole" });
  });

  test("fenced, and the leader is heard of later => as if it had been known; of a lower one, nothing", () => {
    const node = leading();
    node.moves.heardLeader(led(7), "r:1");
    node.done();
    node.moves.heardLeader(led(7, { rank: { term: 3, run: 9 }, leader: Y }), "y:1");
    expect([node.kind, node.done()]).toEqual(["fenced", []]);
    node.moves.heardLeader(led(7, { leader: X }), "x:1");
    expect(node.moves.now).toMatchObject({ kind: "following", upstream: X });
    expect(node.done().slice(0, 2)).toEqual(["keep fenced", "keep replica of x"]);
  });

  test("fenced, and told to lead => in a term above whoever fenced it", () => {
    const node = leading();
    node.moves.heardLeader(led(5, { rank: { term: 9, run: 2 } }), "r:1");
    expect(node.promote()).toBeNull();
    expect([node.kind, node.identity.rank]).toEqual(["leading", { term: 10, run: 0 }]);
  });

  test("fenced, told to follow, then to lead before it had anything of the other => above it all the same", () => {
    const node = leading();
    node.moves.heardLeader(led(5, { rank: { term: 9, run: 2 } }), "r:1");
    expect(node.moves.follow("none", X)).toBeNull();
    expect(node.promote()).toBeNull();
    expect([node.kind, node.identity.rank]).toEqual(["leading", { term: 10, run: 0 }]);
  });

  test("a replica hears of it => nothing", () => {
    const node = new FakeNode(startFollowing(X, "none"));
    node.moves.heardLeader(led(5), "r:1");
    expect([node.kind, node.done()]).toEqual(["following", []]);
  });

  test("started fenced => it follows by itself only when it has nothing of its own", () => {
    for (const [fork, kind] of [
      [7, "following"],
      [6, "fenced"],
    ] as const) {
      const fence = { history: H2, rank: LOG.rank, led: { term: 3, run: 1 }, fork, leader: X };
      const node = new FakeNode(startRecovering(startFenced(fence)));
      node.moves.recovered();
      node.moves.opened("whole");
      node.moves.start();
      expect(node.kind).toBe(kind);
    }
  });
});

describe("a planned failover", () => {
  const resignation = {
    failoverId: "8".repeat(32),
    target: H2,
    upstream: X,
    end: { history: H1, offset: 7, chain: 9 },
    term: 5,
    forced: false,
  };
  const rounds = { ...seedRounds(), resignation, upstream: X, hasten: () => undefined };

  test("paused, and resumed => leading as before; what changes the role is refused meanwhile", () => {
    const node = new FakeNode(startLeading("reset"));
    node.moves.pause();
    expect([node.kind, node.promote(), node.moves.follow("none", X)]).toEqual([
      "paused",
      FAILING_OVER,
      FAILING_OVER,
    ]);
    node.moves.resume();
    expect(node.moves.now).toEqual(startLeading("reset"));
    expect(node.done()).toEqual(["changed"]);
  });

  test("stopped while paused => what it was", () => {
    const node = new FakeNode(startLeading("none"));
    node.moves.pause();
    node.moves.stop();
    expect(node.moves.now).toMatchObject({ kind: "stopped", from: { kind: "leading" } });
  });

  test("resigned: kept first, then the target is asked; it leads => followed", () => {
    const node = new FakeNode(startLeading("none"));
    node.moves.pause();
    const asks = {
      ...rounds,
      start: () => node.did.push("ask"),
      stop: () => node.did.push("ask no more"),
    };
    expect(node.moves.resign(resignation, asks)).toBe(null);
    expect(node.done()).toEqual([
      "keep resigned of x",
      "confirms no more",
      "cut waiters",
      "session at the log",
      "resigned",
      "ask",
    ]);
    expect([node.kind, node.promote()]).toEqual(["resigned", RESIGNED]);
    node.moves.followTaken(Y);
    expect(node.done()).toEqual([
      "keep replica of y",
      "seal",
      "hang up: following another node",
      "ask no more",
      "role_changed replica",
      "dial",
    ]);
  });

  test("the resignation cannot be kept => paused on", () => {
    const node = new FakeNode(startLeading("none"));
    node.moves.pause();
    node.diskFull = true;
    expect(node.moves.resign(resignation, rounds)).toMatch(/no space left/);
    expect(node.kind).toBe("paused");
  });

  test.each([
    [
      "released",
      (node: FakeNode) => {
        node.identity.heardOf({ term: 5, run: 0 });
        return node.moves.leadReleased((why) => node.did.push(why ?? "OK"));
      },
    ],
    ["promoted by force", (node: FakeNode) => node.promote(true)],
  ])(
    "%s after it had resigned => a history of its own above the target's, on the disk before it opens",
    (_name, act) => {
      const node = new FakeNode(startLeading("none"));
      node.moves.pause();
      node.moves.resign(resignation, rounds);
      node.done();
      expect(act(node)).toBe(null);
      expect([node.kind, node.done().includes("OK")]).toEqual(["promoting", false]);
      node.renames.shift()!();
      expect([node.kind, node.identity.rank]).toEqual(["leading", { term: 6, run: 0 }]);
    },
  );

  test("it takes over: the role is kept, and its history is on the disk before it opens", () => {
    const node = new FakeNode(followingX);
    node.identity.adopt(LOG, null);
    expect(node.moves.take((why) => node.did.push(why ?? "OK"))).toBe(null);
    expect(node.done()).toEqual([
      "keep primary",
      "hang up: promoted",
      "drop rest",
      "session at the log",
      "rename log",
    ]);
    expect([node.kind, node.identity.rank]).toEqual(["promoting", { term: 5, run: 0 }]);
    node.renames.shift()!();
    expect(node.kind).toBe("leading");
    expect(node.done()).toContain("OK");
    expect(node.moves.take(() => undefined)).toBe("this node is leading");
  });
});

describe("a lead round", () => {
  const answers: (string | null)[] = [];
  const told = (why: string | null): void => void answers.push(why);

  function asks(role: Role): { node: FakeNode; rounds: ReturnType<typeof seedRounds> } {
    answers.length = 0;
    const rounds = seedRounds();
    const node = new FakeNode(role);
    node.round = {
      ...rounds,
      refusal: null,
      lacks: null,
      stop: () => void (rounds.stops += 1),
      led: () => undefined,
      torn: () => undefined,
    };
    return { node, rounds };
  }
  const replica = (): Role => withHolding(startFollowing(X, "none"), "whole");

  test("told to lead => it hangs up and asks; with enough it remembers, and leads with the promised rank", () => {
    const { node, rounds } = asks(replica());
    expect(node.moves.promote(false, told)).toBe(null);
    expect([node.moves.now.kind, answers]).toEqual(["reclaiming", []]);
    expect(node.done()).toEqual([
      "seal",
      "hang up: it is to lead",
      "drop links: this node asks who is to lead",
    ]);
    node.moves.leadReclaimed({ term: 9, run: 0 });
    for (const rename of node.renames) rename();
    expect([node.moves.now.kind, answers, rounds.stops]).toEqual(["leading", [null], 1]);
    expect(node.identity.rank).toEqual({ term: 9, run: 0 });
    expect(node.done()).toEqual(
      expect.arrayContaining(["keep primary", "begins 14 at 7", "announce to x"]),
    );
  });

  test("too few => it is the replica that it was, dials again, and says why", () => {
    const { node } = asks(replica());
    node.moves.promote(false, told);
    node.done();
    node.moves.giveUpRound("too few");
    expect([node.moves.now.kind, answers]).toEqual(["following", ["too few"]]);
    expect(node.done()).toEqual(["dial again", "changed"]);
    node.moves.giveUpRound("again");
    expect(answers).toHaveLength(1);
  });

  test("a fenced one goes back to being fenced", () => {
    const fence = { history: H2, rank: NO_RANK, led: NO_RANK, fork: 5, leader: null };
    const { node } = asks(withHolding(startFenced(fence), "whole"));
    node.moves.promote(false, told);
    node.moves.giveUpRound("too few");
    expect([node.moves.now.kind, answers]).toEqual(["fenced", ["too few"]]);
  });

  test("one that seeds => it asks too; given up it asks its sources again, from none of them", () => {
    const seeding = { ...seedRounds(), starts: 0 };
    seeding.start = () => void (seeding.starts += 1);
    const { node } = asks(withHolding({ ...startSeeding(seeding), source: X }, "whole"));
    expect(node.moves.promote(false, told)).toBe(null);
    expect([node.moves.now.kind, seeding.stops, answers]).toEqual(["reclaiming", 1, []]);
    node.done();
    node.moves.giveUpRound("too few");
    expect(node.moves.now).toMatchObject({ kind: "seeding", source: null, holds: "whole" });
    expect([seeding.starts, answers]).toEqual([1, ["too few"]]);
    expect(node.done()).toEqual(["changed"]);
  });

  test("one that seeds leads => remembered, with the promised rank; its sources hear of it", () => {
    const { node } = asks(withHolding({ ...startSeeding(seedRounds()), source: X }, "whole"));
    node.sources = [X, Y];
    node.moves.promote(false, told);
    node.done();
    node.moves.leadReclaimed({ term: 9, run: 0 });
    for (const rename of node.renames) rename();
    expect([node.moves.now.kind, answers]).toEqual(["leading", [null]]);
    expect(node.identity.rank).toEqual({ term: 9, run: 0 });
    const did = node.done();
    expect(did[0]).toBe("keep primary");
    expect(did).toContain("announce to x,y,x");
  });

  test("FORCE => nobody is asked", () => {
    const { node } = asks(replica());
    node.moves.promote(true, told);
    for (const rename of node.renames) rename();
    expect([node.moves.now.kind, answers]).toEqual(["leading", [null]]);
  });

  test("told to follow meanwhile, or another leads => whoever waits is told", () => {
    const { node } = asks(replica());
    node.moves.promote(false, told);
    node.moves.follow("none", Y);
    expect([node.moves.now.kind, answers]).toEqual(["following", [null]]);
    const other = asks(replica()).node;
    other.moves.promote(false, told);
    other.moves.stayBelow(Y);
    expect(answers).toEqual([expect.stringContaining("another node leads")]);
  });

  test("one that leads asks => its WAITs end, and it goes on when it has asked", () => {
    const { node } = asks(startLeading("none"));
    expect(node.moves.beginRound(null)).toBe(true);
    expect(node.done()).toEqual([
      "seal",
      "confirms no more",
      "cut waiters",
      "session at the log",
      "drop links: this node asks who is to lead",
    ]);
    node.moves.leadReclaimed({ term: 9, run: 0 });
    for (const rename of node.renames) rename();
    expect(node.moves.now.kind).toBe("leading");
    expect(node.identity.rank).toEqual({ term: 9, run: 0 });
  });
});
