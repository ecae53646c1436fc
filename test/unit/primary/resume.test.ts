/** The resume decision (docs/decisions/D08-lineage.md): every row of the table in src/primary/resume.ts, and topologies. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { type LogName, nextTerm, NO_RANK, promoted } from "../../../src/log/history.ts";
import {
  ANSWER,
  decideResume,
  type FeederSelf,
  type ReplicaClaim,
  type ResumeCase,
} from "../../../src/primary/resume.ts";
import type { Consent, Id, Lineage, Rank, ShipWanted } from "../../../src/wire/messages.ts";

const id = (n: number): Id => n.toString(16).padStart(32, "0");
const [H0, H1, H2, H3, OTHER] = [id(0x10), id(0x11), id(0x12), id(0x13), id(0xff)];

/** The chain at an offset, when the log is the one that all histories here share. */
const chainAt = (offset: number): number => (offset * 2_654_435_761) >>> 0;

interface Feeder {
  readonly role?: "primary" | "replica";
  readonly history?: Id;
  readonly lineage?: Lineage;
  readonly first?: number;
  readonly next?: number;
  readonly empty?: boolean;
  /** Default 2.0. */
  readonly rank?: Rank;
}

/** A primary in H1 that holds [100, 1000) with a batch boundary every 10 bytes. */
function feeder(given: Feeder = {}): FeederSelf {
  const first = given.first ?? 100;
  const next = given.next ?? 1000;
  return {
    role: given.role ?? "primary",
    history: given.history ?? H1,
    lineage: given.lineage ?? [],
    first,
    next,
    empty: given.empty ?? false,
    rank: given.rank ?? { term: 2, run: 0 },
    chainAt: (offset) =>
      offset >= first && offset <= next && offset % 10 === 0 ? chainAt(offset) : -1,
  };
}

interface Replica {
  readonly history?: Id;
  readonly offset?: number;
  readonly chain?: number;
  readonly lineage?: Lineage;
  readonly hasData?: boolean;
  readonly consent?: Consent;
  readonly shipWanted?: ShipWanted;
  /** Default 1.0. */
  readonly rank?: Rank;
}

/** A replica in H1 at 500 with data. */
function replica(given: Replica = {}): ReplicaClaim {
  const offset = given.offset ?? 500;
  return {
    position: { history: given.history ?? H1, offset, chain: given.chain ?? chainAt(offset) },
    rank: given.rank ?? { term: 1, run: 0 },
    lineage: given.lineage ?? [],
    hasData: given.hasData ?? true,
    shipWanted: given.shipWanted ?? "no",
    consent: given.consent ?? "none",
  };
}

interface Row {
  readonly name: string;
  readonly feeder?: Feeder;
  readonly replica?: Replica;
  readonly case: ResumeCase;
  /** "" for none. */
  readonly common?: Id;
  readonly fork?: number;
  readonly discard?: number;
}

function check(rows: readonly Row[]): void {
  test.each(rows.map((row) => [row.name, row] as const))("%s", (_name, row) => {
    const decision = decideResume(feeder(row.feeder), replica(row.replica));
    expect(decision.case).toBe(row.case);
    if (row.common !== undefined) expect(decision.common).toBe(row.common);
    if (row.fork !== undefined) expect(decision.fork).toBe(row.fork);
    expect(decision.discardBytes).toBe(row.discard ?? 0);
  });
}

const FOREVER = Number.POSITIVE_INFINITY;

describe("same history", () => {
  check([
    { name: "inside the backlog => continue", case: "continue", common: H1, fork: FOREVER },
    { name: "at first => continue", replica: { offset: 100 }, case: "continue" },
    { name: "at next => continue", replica: { offset: 1000 }, case: "continue" },
    { name: "one boundary before first => too_old", replica: { offset: 90 }, case: "too_old" },
    {
      name: "at 0, never trimmed => continue",
      feeder: { first: 0 },
      replica: { offset: 0 },
      case: "continue",
    },
    { name: "other chain => rolled_back", replica: { chain: 7 }, case: "rolled_back" },
    { name: "not a boundary => rolled_back", replica: { offset: 505 }, case: "rolled_back" },
    {
      name: "chain 0xffffffff at what is no boundary is not -1 => rolled_back",
      replica: { offset: 505, chain: 0xffff_ffff },
      case: "rolled_back",
    },
    {
      name: "beyond a primary, in its own history => rolled_back",
      replica: { offset: 1010 },
      case: "rolled_back",
      discard: 10,
    },
    {
      name: "beyond a replica => ahead_of_replica, discards nothing",
      feeder: { role: "replica" },
      replica: { offset: 1010 },
      case: "ahead_of_replica",
    },
    {
      name: "too old at a replica => too_old",
      feeder: { role: "replica" },
      replica: { offset: 50 },
      case: "too_old",
    },
    {
      name: "without data, same history and in range => continue",
      replica: { hasData: false },
      case: "continue",
    },
  ]);
});

describe("common ancestor", () => {
  const promotedAt600: Feeder = {
    history: H2,
    lineage: [{ history: H1, left: 600, term: 1, run: 0 }],
  };
  check([
    {
      name: "before the fork => continue",
      feeder: promotedAt600,
      replica: { offset: 590 },
      case: "continue",
      common: H1,
      fork: 600,
    },
    {
      name: "at the fork => continue",
      feeder: promotedAt600,
      replica: { offset: 600 },
      case: "continue",
    },
    {
      name: "10 bytes past the fork => diverged by 10, though within the feeder's range",
      feeder: promotedAt600,
      replica: { offset: 610 },
      case: "diverged",
      fork: 600,
      discard: 10,
    },
    {
      name: "past the fork with the very chain the feeder has there => diverged all the same",
      feeder: promotedAt600,
      replica: { offset: 610, chain: chainAt(610) },
      case: "diverged",
      discard: 10,
    },
    {
      name: "before the fork and before first => too_old",
      feeder: { ...promotedAt600, first: 500 },
      replica: { offset: 400 },
      case: "too_old",
    },
    {
      name: "before the fork with another chain => chain_differs",
      feeder: promotedAt600,
      replica: { offset: 400, chain: 1 },
      case: "chain_differs",
    },
    {
      name: "the replica left the common history first => its own fork counts",
      feeder: { next: 1000 },
      replica: { history: H2, lineage: [{ history: H1, left: 300, term: 1, run: 0 }], offset: 420 },
      case: "diverged",
      common: H1,
      fork: 300,
      discard: 120,
    },
    {
      name: "both left it => the smaller offset is the fork",
      feeder: { history: H2, lineage: [{ history: H1, left: 600, term: 1, run: 0 }] },
      replica: { history: H3, lineage: [{ history: H1, left: 550, term: 1, run: 0 }], offset: 560 },
      case: "diverged",
      common: H1,
      fork: 550,
      discard: 10,
    },
    {
      name: "the latest common history decides, not the oldest",
      feeder: {
        history: H3,
        lineage: [
          { history: H0, left: 200, term: 1, run: 0 },
          { history: H1, left: 400, term: 1, run: 0 },
          { history: H2, left: 800, term: 1, run: 0 },
        ],
      },
      replica: {
        history: H2,
        lineage: [
          { history: H0, left: 200, term: 1, run: 0 },
          { history: H1, left: 400, term: 1, run: 0 },
        ],
        offset: 700,
      },
      case: "continue",
      common: H2,
      fork: 800,
    },
    {
      name: "diverged and beyond next => diverged, d counted from the fork",
      feeder: promotedAt600,
      replica: { offset: 1500 },
      case: "diverged",
      discard: 900,
    },
    {
      name: "beyond a feeding replica's next but before the fork => ahead_of_replica",
      feeder: {
        role: "replica",
        history: H2,
        lineage: [{ history: H1, left: 2000, term: 1, run: 0 }],
      },
      replica: { offset: 1500 },
      case: "ahead_of_replica",
    },
  ]);
});

describe("a replica that asks for a ship", () => {
  const wanted = (shipWanted: ShipWanted, more: Replica = {}): Replica => ({ ...more, shipWanted });
  const behind: Feeder = { role: "replica" };
  check([
    {
      name: "torn, else continue => asked",
      replica: wanted("torn"),
      case: "asked",
      fork: Infinity,
    },
    { name: "damaged, else continue => asked", replica: wanted("damaged"), case: "asked" },
    {
      name: "torn, else wait => asked",
      feeder: behind,
      replica: wanted("torn", { offset: 1500 }),
      case: "asked",
    },
    {
      name: "damaged, else wait => ahead_of_replica",
      feeder: behind,
      replica: wanted("damaged", { offset: 1500 }),
      case: "ahead_of_replica",
    },
    { name: "torn, too old => too_old", replica: wanted("torn", { offset: 50 }), case: "too_old" },
    {
      name: "torn, of another history => unrelated: its data goes by consent only",
      replica: wanted("torn", { history: OTHER }),
      case: "unrelated",
    },
    {
      name: "torn, of another history, empty feeder, REPLICAOF => unrelated_empty",
      feeder: { empty: true },
      replica: wanted("torn", { history: OTHER, consent: "replicaof" }),
      case: "unrelated_empty",
    },
    {
      name: "torn, of another history, REPLICAOF => reset",
      replica: wanted("torn", { history: OTHER, consent: "replicaof" }),
      case: "reset",
    },
  ]);
});

describe("unrelated", () => {
  const stranger: Replica = { history: OTHER };
  check([
    {
      name: "no data => new",
      replica: { ...stranger, hasData: false },
      case: "new",
      common: "",
      fork: -1,
    },
    { name: "data => unrelated", replica: stranger, case: "unrelated", common: "", fork: -1 },
    {
      name: "data at offset 0 => unrelated",
      replica: { ...stranger, offset: 0 },
      case: "unrelated",
    },
    {
      name: "data beyond the feeder's end => unrelated",
      replica: { ...stranger, offset: 5000 },
      case: "unrelated",
    },
    {
      name: "data, and the chain is equal by chance => unrelated",
      replica: { ...stranger, chain: chainAt(500) },
      case: "unrelated",
    },
    {
      name: "data, REPLICAOF => reset",
      replica: { ...stranger, consent: "replicaof" },
      case: "reset",
    },
    {
      name: "data, REPLICAOF, empty feeder => unrelated_empty",
      feeder: { empty: true },
      replica: { ...stranger, consent: "replicaof" },
      case: "unrelated_empty",
    },
    {
      name: "data, --allow-reset => reset",
      replica: { ...stranger, consent: "reset" },
      case: "reset",
    },
    {
      name: "data, --allow-reset, empty feeder => reset",
      feeder: { empty: true },
      replica: { ...stranger, consent: "reset" },
      case: "reset",
    },
    {
      name: "data, no consent, empty feeder => unrelated",
      feeder: { empty: true },
      replica: stranger,
      case: "unrelated",
    },
    {
      name: "no data, no consent, empty feeder => new",
      feeder: { empty: true },
      replica: { ...stranger, hasData: false },
      case: "new",
    },
    {
      name: "consent does not turn a continue into a reset",
      replica: { consent: "reset" },
      case: "continue",
    },
    {
      name: "a diverged replica needs no consent: it descends from us",
      feeder: { history: H2, lineage: [{ history: H1, left: 600, term: 1, run: 0 }], empty: true },
      replica: { offset: 700 },
      case: "diverged",
      discard: 100,
    },
  ]);
});

describe("what a ship would discard, by ranks", () => {
  const [low, high] = [
    { term: 2, run: 0 },
    { term: 3, run: 0 },
  ];
  /** Both left H1 at 600: the replica wrote up to 700 in H2, the feeder leads in H3. */
  const left = [{ history: H1, left: 600, term: 1, run: 0 }];
  const forked = { history: H2, offset: 700, lineage: left };
  const leads = { history: H3, lineage: left };
  check([
    {
      name: "a fork of a lower rank => diverged",
      feeder: { ...leads, rank: high },
      replica: { ...forked, rank: low },
      case: "diverged",
      discard: 100,
    },
    {
      name: "a fork of a higher rank => outranked",
      feeder: { ...leads, rank: low },
      replica: { ...forked, rank: high },
      case: "outranked",
      discard: 100,
    },
    {
      name: "of equal ranks the history decides: H3 is above H2 => diverged",
      feeder: { ...leads, rank: low },
      replica: { ...forked, rank: low },
      case: "diverged",
      discard: 100,
    },
    {
      name: "of equal ranks the history decides: H2 is below H3 => outranked",
      feeder: { ...leads, history: H2, rank: low },
      replica: { ...forked, history: H3, rank: low },
      case: "outranked",
      discard: 100,
    },
    {
      name: "a later run of the same term => diverged",
      feeder: { ...leads, rank: { term: 2, run: 1 } },
      replica: { ...forked, rank: low },
      case: "diverged",
      discard: 100,
    },
    {
      name: "a cascade of a lower rank => outranked",
      feeder: { ...leads, role: "replica", rank: low },
      replica: { ...forked, rank: high },
      case: "outranked",
      discard: 100,
    },
    {
      name: "REPLICAOF is no consent to lose a higher rank => outranked",
      feeder: { ...leads, rank: low },
      replica: { ...forked, rank: high, consent: "reset" },
      case: "outranked",
      discard: 100,
    },
    {
      name: "a log without data is a log: its deletes count => outranked",
      feeder: { ...leads, rank: low },
      replica: { ...forked, rank: high, hasData: false },
      case: "outranked",
      discard: 100,
    },
    {
      name: "the last byte decides, not the history it is in: nothing written in the higher one => diverged",
      feeder: { ...leads, history: H3, rank: high, next: 1000 },
      replica: {
        history: OTHER,
        rank: { term: 9, run: 0 },
        offset: 700,
        lineage: [...left, { history: H2, left: 700, term: 2, run: 0 }],
      },
      case: "diverged",
      discard: 100,
    },
    {
      name: "behind the feeder's memory, of a higher rank and all of it here: nothing is discarded => too_old",
      feeder: { history: H1, rank: low },
      replica: {
        history: H2,
        rank: high,
        offset: 50,
        lineage: [{ history: H1, left: 60, term: 1, run: 0 }],
      },
      case: "too_old",
    },
    {
      name: "torn, and it went its own way with a higher rank => outranked",
      feeder: { ...leads, rank: low },
      replica: { ...forked, rank: high, shipWanted: "torn" },
      case: "outranked",
      discard: 100,
    },
    {
      name: "another chain before the fork, below the feeder's rank => chain_differs",
      feeder: { ...leads, rank: high },
      replica: { history: H1, offset: 500, chain: 7 },
      case: "chain_differs",
    },
  ]);
});

describe("topologies", () => {
  /** A node at `offset` of the shared log, as feeder and as replica. */
  class Node {
    state: LogName;
    role: "primary" | "replica";
    next: number;
    constructor(history: Id, next: number, role: "primary" | "replica", lineage: Lineage = []) {
      this.state = { history, rank: { term: lineage.length + 1, run: 0 }, lineage };
      this.next = next;
      this.role = role;
    }
    promote(fresh: Id): void {
      this.state = promoted(this.state, this.next, fresh, nextTerm(this.state.rank));
      this.role = "primary";
    }
    feeds(other: Node, first = 0): { case: ResumeCase; discardBytes: number } {
      return decideResume(
        feeder({ role: this.role, first, next: this.next, ...this.state }),
        replica({
          history: other.state.history,
          rank: other.state.rank,
          lineage: other.state.lineage,
          offset: other.next,
        }),
      );
    }
  }

  test("a promoted replica without writes rejoins the old primary => continue", () => {
    const primary = new Node(H1, 800, "primary");
    const rejoins = new Node(H1, 800, "replica");
    rejoins.promote(H2);
    expect(primary.feeds(rejoins).case).toBe("continue");
  });

  test("the other direction: the old primary follows the promoted replica => continue", () => {
    const old = new Node(H1, 800, "primary");
    const fresh = new Node(H1, 800, "replica");
    fresh.promote(H2);
    expect(fresh.feeds(old).case).toBe("continue");
    fresh.next = 900;
    expect(fresh.feeds(old).case).toBe("continue");
  });

  test("the other direction, 30 bytes that never reached the promoted => diverged by 30", () => {
    const old = new Node(H1, 830, "primary");
    const fresh = new Node(H1, 800, "replica");
    fresh.promote(H2);
    fresh.next = 900;
    expect(fresh.feeds(old)).toMatchObject({ case: "diverged", discardBytes: 30 });
  });

  test("promoted with writes rejoins the old primary, which wrote too => outranked by its own", () => {
    const old = new Node(H1, 850, "primary");
    const fresh = new Node(H1, 800, "replica");
    fresh.promote(H2);
    fresh.next = 820;
    expect(old.feeds(fresh)).toMatchObject({ case: "outranked", discardBytes: 20 });
  });

  test("there and back without writes: both directions, twice => continue every time", () => {
    const a = new Node(H1, 800, "primary");
    const b = new Node(H1, 800, "replica");
    b.promote(H2);
    expect(b.feeds(a).case).toBe("continue");
    a.state = b.state;
    a.role = "replica";
    a.promote(H3);
    expect(a.feeds(b).case).toBe("continue");
    expect(b.feeds(a).case).toBe("continue");
  });

  test("a middle node promoted below its replica's position => diverged by the difference", () => {
    const middle = new Node(H1, 400, "replica");
    const leaf = new Node(H1, 500, "replica");
    expect(middle.feeds(leaf).case).toBe("ahead_of_replica");
    middle.promote(H2);
    middle.next = 600;
    expect(middle.feeds(leaf)).toMatchObject({ case: "diverged", discardBytes: 100 });
  });

  test("a middle node that had adopted a newer history, promoted below both => lowered, diverged", () => {
    // The upstream became H2 at 500; the middle heard of it at 300 and is promoted there.
    const middle = new Node(H2, 300, "replica", [{ history: H1, left: 500, term: 1, run: 0 }]);
    middle.promote(H3);
    expect(middle.state.lineage).toEqual([
      { history: H1, left: 300, term: 1, run: 0 },
      { history: H2, left: 300, term: 2, run: 0 },
    ]);
    middle.next = 700;
    const leaf = new Node(H1, 450, "replica");
    expect(middle.feeds(leaf)).toMatchObject({ case: "diverged", discardBytes: 150 });
  });

  test("a rebooted empty primary that wrote more than the replica holds => unrelated, no ship", () => {
    const rebooted = new Node(OTHER, 5000, "primary");
    const holds = new Node(H1, 500, "replica");
    expect(rebooted.feeds(holds).case).toBe("unrelated");
    expect(ANSWER["unrelated"]).toEqual({ reject: "unrelated" });
  });

  test("re-parenting to a sibling 10 bytes behind => wait; 10 bytes ahead => continue", () => {
    const sibling = new Node(H1, 490, "replica");
    const moves = new Node(H1, 500, "replica");
    expect(sibling.feeds(moves).case).toBe("ahead_of_replica");
    sibling.next = 510;
    expect(sibling.feeds(moves).case).toBe("continue");
  });

  test("follows a new primary, then the old one again before it got to the fork => continue", () => {
    const old = new Node(H1, 600, "primary");
    const moves = new Node(H2, 300, "replica", [{ history: H1, left: 500, term: 1, run: 0 }]);
    expect(old.feeds(moves).case).toBe("continue");
    moves.next = 520;
    expect(old.feeds(moves)).toMatchObject({ case: "outranked", discardBytes: 20 });
  });
});

describe("64 histories and more", () => {
  test(`promoted ${LIMITS.lineageEntriesMax + 6} times => the shortest are forgotten, the newest and the oldest known`, () => {
    let state: LogName = { history: id(1), rank: NO_RANK, lineage: [] };
    const count = LIMITS.lineageEntriesMax + 6;
    for (let n = 2; n <= count + 1; n++) state = promoted(state, 100, id(n), NO_RANK);
    expect(state.lineage).toHaveLength(LIMITS.lineageEntriesMax);
    const newest = feeder({ ...state, next: 100 });
    const known = replica({ history: id(count), offset: 100 });
    expect(decideResume(newest, known).case).toBe("continue");
    const oldestKept = replica({ history: state.lineage[0]!.history, offset: 100 });
    expect(decideResume(newest, oldestKept).case).toBe("continue");
    const forgotten = replica({ history: id(2), offset: 100 });
    expect(decideResume(newest, forgotten).case).toBe("unrelated");
    // The replica still knows: it names the histories it came through.
    const through = replica({
      history: id(2),
      offset: 100,
      lineage: [{ history: state.lineage[3]!.history, left: 100, term: 1, run: 0 }],
    });
    expect(decideResume(newest, through).case).toBe("continue");
  });
});

test("every case has an answer, and only strangers and lower ranks are refused", () => {
  const refused = Object.entries(ANSWER).filter(([, outcome]) => "reject" in outcome);
  expect(refused.map(([name]) => name).sort()).toEqual([
    "outranked",
    "rolled_back",
    "unrelated",
    "unrelated_empty",
  ]);
});
