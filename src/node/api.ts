/**
 * What the client port (commands, INFO, status) sees of the node it runs in. node.ts implements it;
 * tests of commands use it with a store and a log and no network.
 *
 * Owns: interfaces. Does not own: roles (roles.ts), links (primary/), commands (resp/commands/).
 * Tested in: test/unit/node/status.test.ts.
 */
import type { LiveSettings } from "./options.ts";
import type { LogName } from "../log/history.ts";
import type { FsyncPolicy } from "../log/disk/sync-policy.ts";
import type { Watermarks } from "../log/log-store.ts";
import type { WriterTurn } from "../primary/pace.ts";
import type { Holders, Wanted } from "../primary/waiters.ts";
import type { Store } from "../store/store.ts";
import type { Near } from "./nearness.ts";
import type { SyncStatus } from "./member-status.ts";
import type { Synchronous } from "./synchronous.ts";
import type { ClientTurn } from "./turn.ts";
import type { BucketKeys, BucketRequest } from "./bucket.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { VerifyReport } from "./verifier.ts";
import type { KeptEvent } from "./event-log.ts";
import type { Address } from "../net/address.ts";
import type { Consent, Id, Lineage, Position } from "../wire/messages.ts";

/** The primary's log, for writing. */
export interface WritableLog {
  /**
   * Makes room for one record of `length` bytes; nothing is in the log yet. The caller fills
   * `log.bytes[at, at + length)`, applies the same range to the store, and appends it, in one
   * synchronous step.
   * Throws LogError ERR_LOG_RECORD_SIZE above LIMITS.recordBytesMax, ERR_LOG_FULL without memory.
   * @returns `at`, an index into `bytes` (read `bytes` after this call: it may have changed)
   */
  reserve(length: number): number;
  /** Appends the record of exactly `length` bytes; where room was reserved for it this cannot fail. */
  append(length: number): number;
  /** What was reserved will not be appended: the store did not take it. */
  unreserve(): void;
  /** Memory of the newest log segment; valid until the next reserve(). */
  readonly bytes: Buffer;
  /** End of what is sealed, or applied on a replica, bytes. */
  readonly next: number;
  /** End of what was appended, bytes; inside the open batch it is where sealing would put it. */
  readonly tail: number;
}

/**
 * Where a write is refused, the reply to give; null when writes are welcome. `paused`: a planned failover
 * holds it, until it is known who leads.
 */
export type WriteRefusal =
  | "readonly"
  | "fenced"
  | "seeding"
  | "loading"
  | "paused"
  | "disk"
  | "nomembers"
  | "noreplicas"
  | null;

export interface HawserNode {
  readonly role: "primary" | "replica";
  /** Replaced when a snapshot is swapped in: never keep it across turns. */
  readonly store: Store;
  readonly log: WritableLog;
  /** Why a write must be refused now. */
  writeRefusal(): WriteRefusal;
  /** By whom writes are confirmed, in synchronous mode. */
  readonly synchronous: Pick<Synchronous, "lacks" | "goodReplicas" | "add" | "remove" | "force">;
  /** Why a node that led takes no writes: both ranks; "" on one that is not fenced. */
  readonly fenced: string;
  /**
   * It recovers its state from the disk, or is a replica, or a seeded node, that never had one: what needs
   * one answers -LOADING.
   */
  isLoading(): boolean;
  /** Lets go of a snapshot before a client is refused memory; bytes that snapshots pin. */
  relieveMemory(overBytes: number): number;
  /** The log on disk; null without one. */
  readonly logOnDisk: LogOnDisk | null;
  /** Bumped by every swap and FLUSHALL: WATCH and iterators compare it. */
  readonly stateGeneration: number;
  /** Where what was appended is fed from, and where its replies wait. */
  readonly turn: ClientTurn;
  /** Whether writers have to ask for each write (D15); else mayWrite() is always true. */
  writersPaced(): boolean;
  /**
   * Whether a write of about `bytes` of log may run now. When not: stop reading the client's socket,
   * and ask again when onWritersResumed() calls. `turn` is the writer's own.
   */
  mayWrite(turn: WriterTurn, bytes: number): boolean;
  /** Calls `resume` once, when it is worth asking again. Returns a cancel. */
  onWritersResumed(turn: WriterTurn, resume: () => void): () => void;
  /** Whether even a small write would have to wait now. */
  writersPaused(): boolean;
  /** Which log this node's offsets count in, and which led to it. */
  readonly identity: LogName;
  /** Whether others are near enough for a write, and for a read. */
  readonly nearness: Near;
  /** Who has how much of the log: what WAIT asks. */
  readonly feeder: Copies;
  /**
   * REPLICAOF host port: validates the target in the background; never throws.
   * @returns why it is refused, with nothing changed; else null
   */
  follow(host: string, port: number, consent: Consent): string | null;
  /**
   * REPLICAOF NO ONE [FORCE]: takes effect at the next batch boundary, calls back with null when it
   * has, or with why it could not: a received batch could be applied in part only.
   * @returns why it is refused, with nothing changed and no call; else null
   */
  promote(force: boolean, done: Promoted): string | null;
  readonly failover: PlannedFailover;
  readonly inspection: StateInspection;
  /** Null on a node that keeps no log on disk. */
  readonly checkpoints: Pick<Checkpointer, "ask" | "status"> | null;
  status(): NodeStatus;
  /** The newest events worth remembering, oldest first. */
  events(): readonly KeptEvent[];
  /** In force now; who changes them calls settingsChanged(). */
  readonly settings: LiveSettings;
  settingsChanged(): void;
  /** Graceful stop: drain, BYE, close. Resolves with whether every connected replica has everything. */
  stop(): Promise<boolean>;
}

/** Who has how much of a node's log; primary/feeder.ts knows. */
export interface Copies extends Holders {
  /**
   * Calls `done` once with the number of replicas that have what is `wanted`, at `untilMs` (monotonic) also
   * when these are fewer; with null when this node stops being a primary first. Returns a cancel.
   */
  wait(wanted: Wanted, untilMs: number, done: (count: number | null) => void): () => void;
}

/** How it stands with the log on disk. */
export interface LogOnDisk {
  readonly fsync: FsyncPolicy;
  readonly watermarks: Watermarks;
  /** Why nothing is written, "" when all is well. */
  readonly trouble: string;
  /** How often so much was not written that writers had to wait. */
  readonly timesBehind: number;
  /** What this process found at its start; null when there was nothing, or while it is not known. */
  readonly found: FoundLog | null;
  /**
   * The log was synced up to here and is missing; -1: nobody knows how far; null: nothing is missing. A
   * node takes it from its upstream.
   */
  readonly incompleteTo: number | null;
}

/** The log on disk at a start. */
export interface FoundLog {
  /** Records that were read from the log behind the checkpoint. */
  readonly replayed: number;
  /** Bytes that were cut off its end: a crash had torn them, or they did not follow. */
  readonly cutBytes: number;
  readonly ms: number;
}

/** What a node says about its whole state. */
export interface StateInspection {
  /** Digest of the whole state at the node's present position, computed by a worker. */
  digest(): Promise<StateDigest>;
  /** Compares every streaming replica with this node at its present position. */
  verify(timeoutMs: number): Promise<VerifyReport>;
  /** The keys of some buckets of a verification, with sums. */
  bucket(request: BucketRequest): Promise<BucketKeys>;
}

/** As redis calls it: a target is to get to the end of the log; it is to lead. */
export type FailoverState = "no-failover" | "waiting-for-sync" | "failover-in-progress";

/** FAILOVER. */
export interface FailoverPlan {
  /** A client or replication port of a replica; null for the furthest one. */
  readonly to: Address | null;
  /** At the end of `timeoutMs` the target leads with what it has. */
  readonly force: boolean;
  /** Writers are held no longer, ms; 0 for as long as the target is linked. */
  readonly timeoutMs: number;
}

export interface PlannedFailover {
  readonly state: FailoverState;
  /** It is about to resign: a read that others have to confirm waits until it has, or goes on as it was. */
  readonly holdsReads: boolean;
  /**
   * Begins one at the end of this turn; `done` is called with null when the target leads and is followed,
   * or with why this node goes on as it was.
   * @returns why it is refused, with nothing changed and no call; else null
   */
  start(plan: FailoverPlan, done: Promoted): string | null;
  /**
   * Takes it back; `done` as for start(). Once this node has resigned the target has to agree.
   * @returns why it is refused, with nothing changed and no call; else null
   */
  abort(done: Promoted): string | null;
}

/** Hears of the end of a promotion: null, or why there is none. */
export type Promoted = (refusal: string | null) => void;

export interface StateDigest {
  readonly position: Position;
  readonly records: number;
  /** 16 hex digits; equal on two nodes with equal live state. */
  readonly sum: string;
}

export type LinkStateName =
  "greeting" | "handshake" | "waiting" | "streaming" | "shipping" | "closed";
export type SessionStateName =
  "connecting" | "handshake" | "restoring" | "swapping" | "streaming" | "retrying" | "stopped";

/** A full sync that is being sent to a replica. */
export interface ShipStatus {
  /** `finishing`: all is sent, and the replica has not confirmed yet that it switched to it. */
  readonly state: "queued" | "sending" | "finishing";
  readonly snapshotId: Id;
  readonly chunksSent: number;
  readonly chunksAcked: number;
  readonly bytesSent: number;
  /** Estimate of all chunk payload, 0 when unknown. */
  readonly bytesTotal: number;
  readonly startedAtMs: number;
}

/** One connected replica, as the feeder sees it. */
export interface LinkStatus {
  readonly replicaId: Id;
  readonly nodeId: Id;
  readonly remote: string;
  /** What it announced; host falls back to the socket's address. */
  readonly host: string;
  readonly clientPort: number;
  readonly replPort: number;
  readonly state: LinkStateName;
  readonly sent: number;
  readonly applied: number;
  /** What a crash of its machine would not lose, as it said on this connection; 0 for nothing. */
  readonly durable: number;
  /** It has all that it ever acknowledged, as far as this node knows. */
  readonly complete: boolean;
  /**
   * What it lacks to this node's end, bytes: the log, counted before its first ACK from where the
   * stream began; in a full sync what is left of it as well. -1 while that is not known.
   */
  readonly lagBytes: number;
  /** Age of the oldest batch that it has not applied, ms; one round trip when it has all; -1 unknown. */
  readonly lagMs: number;
  readonly lastAckAgoMs: number;
  readonly outputBytes: number;
  readonly connectedAtMs: number;
  readonly ship: ShipStatus | null;
}

/** A disconnected replica whose snapshot or hold is kept for a while. */
export interface ParkedStatus {
  readonly replicaId: Id;
  readonly snapshotId: Id;
  /** Bytes of backlog that its hold pins. */
  readonly heldBytes: number;
  readonly leftMs: number;
}

/** The session to the upstream, as the replica sees it. */
export interface UpstreamStatus {
  readonly host: string;
  readonly port: number;
  readonly state: SessionStateName;
  /** ms since anything was received, -1 when never. */
  readonly lastIoAgoMs: number;
  /** ms since the link went down, 0 while up. */
  readonly downForMs: number;
  readonly lastError: string;
  readonly retryInMs: number;
  readonly received: number;
  readonly applied: number;
  /** What it lacks to the upstream's end: what is left of a full sync, and the log; -1 unknown. */
  readonly upstreamLagBytes: number;
  /** Up when this link and all above it, to the root, stand, as far as was heard. */
  readonly rootLink: "up" | "down";
  /** ms since one of them went down, 0 while all stand. */
  readonly rootDownForMs: number;
  /** What it lacks to where the root's log is known to end, bytes; -1 unknown. */
  readonly lagBytes: number;
  /** How old what it answers may be at most, by the root's clock, ms; -1 unknown. */
  readonly staleMs: number;
  readonly restore: {
    readonly chunks: number;
    readonly bytes: number;
    readonly bytesTotal: number;
    readonly startedAtMs: number;
  } | null;
}

/** The log on disk, and the newest checkpoint; `checkpoint` is null while there is none. */
export interface DiskStatus extends LogOnDisk {
  readonly checkpoint: { readonly offset: number; readonly clockMs: number } | null;
  /** Log behind it, bytes: what a start would read. */
  readonly logBytes: number;
}

/** A recovery from the disk under way. */
export interface RecoveryStatus {
  readonly startedAtMs: number;
  /** Of checkpoint and log files that are read. */
  readonly totalBytes: number;
  readonly loadedBytes: number;
  /** In the checkpoint, and applied from the log so far. */
  readonly records: number;
}

/** A node as it is now. */
export interface NodeStatus {
  readonly role: "primary" | "replica";
  /** Null before and after. */
  readonly recovery: RecoveryStatus | null;
  /** What a primary waits for that asks whoever followed it before it opens; "" on any other node. */
  readonly reclaiming: string;
  /** Null on a node that keeps no log on disk. */
  readonly disk: DiskStatus | null;
  readonly nodeId: Id;
  readonly replicaId: Id;
  readonly position: Position;
  readonly lineage: Lineage;
  /** It has all that it ever acknowledged. */
  readonly complete: boolean;
  readonly failover: FailoverState;
  /** With which rank its history is led, as "3.0": term and run. */
  readonly rank: string;
  /** Why it takes no writes though it led: both ranks; "" on a node that is not fenced. */
  readonly fenced: string;
  /** The history of whoever fenced it, "" when none. */
  readonly supersededBy: Id;
  /** Of a fenced node: log of its own that whoever leads has not, bytes; 0 on any other. */
  readonly ownBytes: number;
  readonly clientPort: number;
  readonly replPort: number;
  readonly announceHost: string;
  readonly backlog: {
    readonly sizeBytes: number;
    readonly first: number;
    readonly next: number;
    /** From here on links can be fed: `first`, or where the log on disk begins. */
    readonly oldest: number;
    /** Links that are fed from the log on disk. */
    readonly linksBehind: number;
    /** What holds of syncing or parked replicas pin, 0 when nothing is held. */
    readonly heldBytes: number;
    readonly pinnedBytes: number;
    readonly segments: number;
    /** Seconds of history that it holds when full, at the present write rate; -1 when idle. */
    readonly seconds: number;
  };
  /** Ships waiting for a place, and replicas refused a ship for now. */
  readonly shipsQueued: number;
  readonly quarantined: number;
  /** What is kept of disconnected replicas. */
  readonly parked: readonly ParkedStatus[];
  /** Log bytes per second that writers are held to, -1 while they are not. */
  readonly writePace: number;
  /** Whether others are near enough for writes, and for reads. */
  readonly near: Near;
  /** Synchronous mode; null when it is off. */
  readonly sync: SyncStatus | null;
  readonly links: readonly LinkStatus[];
  readonly upstream: UpstreamStatus | null;
  /** sync_full, sync_partial_ok, link_drops_<reason>, ...: snake_case name to count. */
  readonly counters: Readonly<Record<string, number>>;
}
