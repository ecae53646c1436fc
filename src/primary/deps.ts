/**
 * What the feeding side needs of the node it is part of.
 *
 * Owns: interfaces. Does not own: any implementation (node/core.ts, node/views.ts), the state
 * (store/state.ts), options (options.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import type { Backlog } from "../log/backlog.ts";
import type { LogName } from "../log/history.ts";
import type {
  DigestAnswer,
  Hello,
  Id,
  Prepared,
  PromiseAsked,
  Rank,
  Released,
  SyncState,
} from "../wire/messages.ts";
import type { Journal } from "./journal.ts";
import type { Link } from "./link.ts";
import type { FeederOptions } from "./options.ts";
import type { StateSource } from "../store/state.ts";

/** The root, as PING tells of it; times in ms, what each means: Ping. */
export interface RootWord {
  readonly clockMs: number;
  readonly ageMs: number;
  readonly awayMs: number;
  /** Bytes that this node lacks to where the root's log ends; -1 unknown. */
  readonly owedBytes: number;
}

/** What the feeder knows of the node it is part of; read at every use, never kept. */
export interface NodeView extends LogName {
  readonly nodeId: Id;
  readonly storeId: Id;
  readonly clusterId: Id | null;
  /** By whom writes are confirmed. */
  readonly sync: SyncState;
  /** Meant: it has all that it ever acknowledged. As yet: it has a state. */
  readonly complete: boolean;
  /** Its last start found all that was ever durable. */
  readonly intact: boolean;
  /** It follows nobody who leads with a lower rank. */
  readonly promised: Rank;
  readonly role: "primary" | "replica";
  /** Node ids from the root to this node. */
  readonly path: readonly Id[];
  /** The node that leads, this one or another; null unknown. */
  readonly rootId: Id | null;
  /** The format of records and chunks. */
  readonly format: { readonly name: string; readonly version: number };
  /** It has a state to offer: false on a replica that never synced. */
  readonly ready: boolean;
  /** Why it feeds nobody though it has a state: another leads with a higher rank; "" when none does. */
  readonly fenced: string;
  /** Its state is inside a batch that it cannot apply: it has none to offer. */
  readonly torn: boolean;
  /** Its state is at a batch boundary. */
  readonly atBoundary: boolean;
  /** It is a replica, and every link up to a primary stands, as far as it knows. */
  readonly rootLives: boolean;
  /** Whom it follows; "" and 0 on a primary. */
  readonly upstream: { readonly host: string; readonly port: number };
  /** What this node knows of the root, itself or another. */
  root(): RootWord;
}

/** The log that somebody leads, as a node that has adopted its history names it. */
export interface LedLog extends LogName {
  /** Null on one that never followed a leader. */
  readonly clusterId: Id | null;
  /** Its leader's replication port, host "" for whoever said it; null when only a replica told of it. */
  readonly leader: { readonly host: string; readonly port: number } | null;
}

/** What open snapshots keep from being used again, and how much of that is too much. */
export interface Pinned {
  readonly bytes: number;
  readonly capBytes: number;
}

export interface FeederDeps {
  readonly options: FeederOptions;
  readonly backlog: Backlog;
  readonly source: StateSource;
  readonly node: NodeView;
  readonly journal: Journal;
  readonly randomId: () => Id;
  /** Asks for the end of this turn of the loop: feed(), trim(). */
  readonly wantTurn: () => void;
  /** Monotonic, ms; the `now` of every event comes from the same clock. */
  readonly now: () => number;
  /** Somebody leads with a higher rank than this node, which leads too, was fenced before, or follows a lower one. */
  readonly onLeader: (led: LedLog, remote: string) => void;
  /**
   * A replica has log of this node's own history that this node has not: `bytes` more, 0 when it has other bytes
   * at the same place.
   */
  readonly onRolledBack: (hello: Hello, bytes: number) => void;
  /** A replica has promised to follow nobody below `rank`, which is above the one of this node's log. */
  readonly onPromised: (rank: Rank, remote: string) => void;
  /** Somebody is to lead, and asks for a promise: it is answered afterwards. @returns that rank is promised to a third one */
  readonly onPromise: (asked: PromiseAsked, remote: string) => boolean;
  /** Somebody who may come dials this node as an upstream, whatever is answered. */
  readonly onHello?: (hello: Hello) => void;
  /** Somebody asks what this node has, and does not follow it. */
  readonly onAsked?: () => void;
  /** What open snapshots pin of the state's memory. */
  readonly pinned: () => Pinned;
  /** A replica answered a VERIFY. */
  readonly onDigest: (link: Link, answer: DigestAnswer) => void;
  /** A replica answered PREPARE or RELEASE. */
  readonly onFailoverAnswer: (link: Link, answer: Prepared | Released) => void;
  /** A replica was welcomed, no copy. */
  readonly onWelcomed: (link: Link) => void;
  /** About ten times a second, after the clocks of links. */
  readonly onTick?: () => void;
  /** A link ended, and is no longer in the list. */
  readonly onLinkClosed: (link: Link) => void;
}
