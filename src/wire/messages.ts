/**
 * What the two ends of a connection say to each other: the types of all frames, as values.
 * The feeder is the end that has the log; the replica is the end that dials.
 *
 *   type       number  from     when                                 answer
 *   GREETING     1     feeder   at once when a connection arrives    HELLO
 *   HELLO        2     replica  after GREETING                       WELCOME | REJECT
 *   WELCOME      3     feeder   the replica is accepted              (stream or ship)
 *   REJECT       4     feeder   it is not; then the feeder closes    -
 *   PING         5     feeder   idle link (1 s), or ack-now wanted   ACK
 *   ACK          6     replica  progress, heartbeat (1 s)            -
 *   SNAPSHOT     7     feeder   a ship begins or is resumed          ACK (restoring)
 *   CHUNK        8     feeder   payload of a ship                    ACK (restoring)
 *   END          9     feeder   the ship is complete                 ACK (streaming), of a copy BYE follows
 *   BYE         10     either   planned close, with a code           -
 *   VERIFY      11     feeder   marks a position to be digested      DIGEST
 *   DIGEST      12     replica  sums of the state at that position   -
 *   ASK         13     replica  instead of HELLO: what state is here STATE | REJECT
 *   STATE       14     feeder   the answer; then the feeder closes   -
 *   ANNOUNCE    15     replica  instead of HELLO: the sender leads    STATE | REJECT
 *   PROMISE     16     replica  instead of HELLO: the sender is to lead   STATE | REJECT
 *   PEERS       18     feeder   who else follows it, in synchronous mode  -
 *   PREPARE     20     feeder   a primary that writes no more asks   PREPARED
 *   PREPARED    21     replica  it has the log up to there, or why not  -
 *   TAKE        22     feeder   a primary has resigned for it        (it leads)
 *   RELEASE     23     feeder   the resignation is taken back        RELEASED
 *   RELEASED    24     replica  it will not lead by that TAKE        -
 *   SYNC        25     feeder   somebody waits until it is durable   ACK, when it is
 *   BATCH       32     feeder   records of the log                   ACK (streaming)
 *
 * Byte layouts are in docs/PROTOCOL.md; codec.ts and decoder.ts implement them.
 * Owns: types and numbers. Does not own: bytes (codec.ts), decisions (primary/, replica/).
 * Tested in: test/unit/wire/golden.test.ts.
 */

/** Frame types by name. A number once used is never given to another type. */
export const FRAME = {
  greeting: 1,
  hello: 2,
  welcome: 3,
  reject: 4,
  ping: 5,
  ack: 6,
  snapshot: 7,
  chunk: 8,
  end: 9,
  bye: 10,
  verify: 11,
  digest: 12,
  ask: 13,
  state: 14,
  announce: 15,
  promise: 16,
  peers: 18,
  prepare: 20,
  prepared: 21,
  take: 22,
  release: 23,
  released: 24,
  sync: 25,
  batch: 32,
} as const;

/** Protocol versions this build speaks, inclusive. */
export const PROTOCOL = { min: 1, max: 1 } as const;

/** 16 random bytes as 32 lower-case hex digits. */
export type Id = string;

/** A place in a history, only ever at a batch boundary. */
export interface Position {
  readonly history: Id;
  /** Bytes from the start of the log, 0 <= offset < 2^53. */
  readonly offset: number;
  /** Running crc32 of the history up to `offset`, u32. */
  readonly chain: number;
}

/** Who led when a history began: ordered by term, then run, then the id of the history. */
export interface Rank {
  /** Grows by one at every promotion; at most LIMITS.termMax. 0 before any. */
  readonly term: number;
  /** Grows by one when the leader of a term is restarted; u32. */
  readonly run: number;
}

/** One history that led to the current one, its rank, and the offset at which it was left. */
export interface LineageEntry extends Rank {
  readonly history: Id;
  readonly left: number;
}

/** Oldest first, at most LIMITS.lineageEntriesMax. */
export type Lineage = readonly LineageEntry[];

/** Name and version of the record and chunk encoding; opaque to the protocol. */
export interface Format {
  readonly name: string;
  readonly version: number;
}

/** Which node this is; `host` and ports are what it announces, empty or 0 when unknown. */
export interface NodeAddress {
  readonly host: string;
  readonly clientPort: number;
  readonly replPort: number;
}

export interface Greeting {
  readonly type: "greeting";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly nonce: Id;
  /** A proof of the shared password is required in HELLO. */
  readonly authRequired: boolean;
}

/** Why it comes: follow, as a replica does; copy, for a copy that counts for nothing. */
export type Purpose = "follow" | "copy";

/** Why a replica with data would accept the state of an unrelated feeder. Used once. */
export type Consent = "none" | "replicaof" | "reset";

export interface Hello {
  readonly type: "hello";
  readonly version: number;
  readonly nonce: Id;
  /** hmacProof(password, "replica", feeder nonce, replica nonce), 32 bytes as hex; "" without. */
  readonly proof: string;
  readonly format: Format;
  /** Of the copy: survives restarts when the node has a directory, else random per process. */
  readonly storeId: Id;
  /** Random per process. */
  readonly instanceId: Id;
  readonly nodeId: Id;
  /** Of all nodes that follow one leader; null before the first sync. */
  readonly clusterId: Id | null;
  /** Counts the starts of this store: no two processes have the same one. */
  readonly incarnation: number;
  readonly purpose: Purpose;
  /** Meant: it has all that it ever acknowledged. As yet: it has a state. */
  readonly complete: boolean;
  readonly address: NodeAddress;
  readonly position: Position;
  /** Of `position.history`. */
  readonly rank: Rank;
  readonly lineage: Lineage;
  /** It follows nobody who leads with a lower rank. */
  readonly promised: Rank;
  readonly hasData: boolean;
  readonly consent: Consent;
  /** Bytes it already holds of the batch at `position.offset`, header included; 0 for none. */
  readonly partialBytes: number;
  /** headerCrc of that partial batch; 0 when partialBytes is 0. */
  readonly partialCrc: number;
  /** Snapshot being restored and the first chunk not yet held, or null. */
  readonly resume: { readonly snapshotId: Id; readonly nextChunk: number } | null;
  readonly shipWanted: ShipWanted;
}

/**
 * Why a replica asks for a snapshot whatever its position is. torn: its state is inside a batch that
 * it cannot apply, so the position is not its state's. damaged: the batch at the position arrives
 * wrong again and again, so the feeder's copy of it is.
 */
export type ShipWanted = "no" | "torn" | "damaged";

/** Which way the resume decision went; see primary/resume.ts. */
export type Decision =
  | "continue"
  | "wait"
  | "ship_too_old"
  | "ship_new"
  | "ship_diverged"
  | "ship_ahead"
  | "ship_chain"
  | "ship_reset"
  | "ship_resume"
  | "ship_asked";

export interface Welcome {
  readonly type: "welcome";
  readonly decision: Decision;
  /** hmacProof(password, "feeder", feeder nonce, replica nonce) as hex; "" without a password. */
  readonly proof: string;
  readonly nodeId: Id;
  /** The replica's from here on. */
  readonly clusterId: Id | null;
  /** Node ids from the root to the feeder, the feeder's own id last. */
  readonly path: readonly Id[];
  /** The node that leads: the feeder's own id when it does, null when it does not know. */
  readonly rootId: Id | null;
  /** The feeder's newest position: a replica that got there is complete, when the feeder leads. */
  readonly position: Position;
  /** Of `position.history`. */
  readonly rank: Rank;
  /** The histories the feeder's current one descends from. */
  readonly lineage: Lineage;
  /** Bytes of the batch at the replica's offset that will not be sent again; 0 or partialBytes. */
  readonly skipBytes: number;
  /** For a ship: bytes of the replica's own history that will be discarded. */
  readonly discardBytes: number;
}

/** Stable codes of a refusal; the message is for people. */
export type RejectCode =
  | "version"
  | "format"
  | "auth"
  | "malformed"
  | "too_many_replicas"
  | "too_many_handshakes"
  | "unrelated"
  | "unrelated_empty"
  | "cycle"
  | "self"
  | "duplicate_id"
  | "quarantined"
  | "not_ready"
  | "shutting_down"
  | "rank";

export interface Reject {
  readonly type: "reject";
  readonly code: RejectCode;
  readonly message: string;
  /** Milliseconds after which trying again can help; 0 when unknown. */
  readonly retryAfterMs: number;
}

export interface Ping {
  readonly type: "ping";
  /** Sender's monotonic clock in microseconds; comes back as Ack.echo. */
  readonly sentUs: number;
  /** Wall clock of the root, ms since 1970. */
  readonly rootClockMs: number;
  /** How old the sender's word on the root is, ms; 0 from the root. */
  readonly rootAgeMs: number;
  /** For how long a link between the sender and the root has been down, ms; 0 while all stand. */
  readonly awayMs: number;
  /** The feeder's newest offset. */
  readonly next: number;
  /** `next` plus all that the sender itself lacks: the root's newest offset; null unknown. */
  readonly rootNext: number | null;
  /** Answer with an ACK at once, somebody waits. */
  readonly ackNow: boolean;
}

export type Ack =
  | {
      readonly type: "ack";
      readonly mode: "streaming";
      /** End of the last byte received of the log, may be inside a batch. */
      readonly received: number;
      /** End of the last applied batch. */
      readonly applied: number;
      /**
       * End of what a crash of its machine would not lose, not above `applied`; 0 without a disk. It never
       * falls on a connection, but for another state.
       */
      readonly durable: number;
      /** Bytes beyond `applied` that the replica is ready to take; 0 blocks. */
      readonly room: number;
      /** `sentUs` of the newest PING seen, 0 for none. */
      readonly echo: number;
    }
  | {
      readonly type: "ack";
      readonly mode: "restoring";
      readonly snapshotId: Id;
      /** First chunk that is not loaded yet. */
      readonly nextChunk: number;
      /** Chunk payload bytes the replica is ready to take. */
      readonly room: number;
      readonly echo: number;
    };

/** What a write waits for on the members, and on the leader itself. */
export type SyncLevel = "applied" | "durable";

/** By whom a write is confirmed. */
export interface SyncRule {
  /** On how many of `members` it must be, the leader not counted; at least 1. */
  readonly copies: number;
  readonly level: SyncLevel;
  /** Stores that may confirm it, the leader's included. */
  readonly members: readonly Id[];
}

/** Synchronous mode, from a node batch on. */
export interface SyncState {
  /** Null when it is off. */
  readonly now: SyncRule | null;
  /** Counts as well until this is confirmed under both; null when no change is under way. */
  readonly was: SyncRule | null;
}

export const NO_SYNC: SyncState = { now: null, was: null };

export interface SnapshotBegin {
  readonly type: "snapshot";
  readonly snapshotId: Id;
  /** Where the stream goes on after END. */
  readonly position: Position;
  /** Of `position.history`. */
  readonly rank: Rank;
  readonly lineage: Lineage;
  /** By whom writes are confirmed: the node batch that says it may be before the snapshot. */
  readonly sync: SyncState;
  readonly format: Format;
  /** First chunk that follows: 0, or what was asked for in HELLO.resume. */
  readonly firstChunk: number;
  /** Estimates, for display only: never allocated from. */
  readonly records: number;
  readonly bytes: number;
}

export interface SnapshotEnd {
  readonly type: "end";
  readonly snapshotId: Id;
  readonly chunks: number;
  readonly records: number;
  /** Chunk payload bytes. */
  readonly bytes: number;
  /** SHA-256 over the bodyCrc (u32le) of every CHUNK in order, as hex. */
  readonly digest: string;
}

export type ByeCode = "shutdown" | "history_changed" | "protocol" | "ship" | "not_ready" | "copied";

export interface Bye {
  readonly type: "bye";
  readonly code: ByeCode;
  readonly message: string;
}

export interface Verify {
  readonly type: "verify";
  readonly verifyId: Id;
  /** The position between batches at which both ends digest their state. */
  readonly position: Position;
  /** Key buckets the sums are kept in, a power of two, 1 to 512. */
  readonly buckets: number;
  /** Seed of the sums, 16 bytes. */
  readonly seed: Id;
}

export interface DigestAnswer {
  readonly type: "digest";
  readonly verifyId: Id;
  readonly records: number;
  /** The sum over all records as 16 hex digits. */
  readonly sum: string;
  /** One 32-bit sum per bucket. */
  readonly buckets: readonly number[];
}

/** Instead of HELLO: the sender wants to know and does not follow. */
export interface Ask {
  readonly type: "ask";
  readonly version: number;
  readonly nonce: Id;
  /** As in HELLO. */
  readonly proof: string;
}

/** Instead of HELLO: the sender leads, and the receiver may know of another leader, or be one. */
export interface Announce {
  readonly type: "announce";
  readonly version: number;
  readonly nonce: Id;
  /** As in HELLO. */
  readonly proof: string;
  readonly nodeId: Id;
  readonly clusterId: Id;
  /** What it announces to its feeders, too. */
  readonly address: NodeAddress;
  /** The history that it leads, and the end of its log. */
  readonly position: Position;
  /** Of `position.history`. */
  readonly rank: Rank;
  readonly lineage: Lineage;
}

/** Instead of HELLO: the sender is to lead with `rank`, if enough members promise to follow no lower one. */
export interface PromiseAsked {
  readonly type: "promise";
  readonly version: number;
  readonly nonce: Id;
  /** As in HELLO. */
  readonly proof: string;
  readonly storeId: Id;
  readonly clusterId: Id;
  readonly rank: Rank;
  /** Where the sender's log ends. */
  readonly position: Position;
  readonly lineage: Lineage;
}

/** A store that follows the same node, and where its replication port is. */
export interface PeerAddress {
  readonly storeId: Id;
  readonly host: string;
  readonly port: number;
}

/** In synchronous mode: whom a replica would have to ask before it leads. */
export interface PeersTold {
  readonly type: "peers";
  readonly peers: readonly PeerAddress[];
}

/** What a node has and whom it follows. */
export interface StateAnswer {
  readonly type: "state";
  /** As in WELCOME. */
  readonly proof: string;
  readonly nodeId: Id;
  readonly storeId: Id;
  /** Null before the first sync. */
  readonly clusterId: Id | null;
  readonly role: "primary" | "replica";
  /** Its state is not empty. */
  readonly hasData: boolean;
  /** It is a replica, and every link up to a primary stands, as far as it knows. */
  readonly rootLives: boolean;
  /** Whom it follows, as it was told; "" and 0 on a primary. */
  readonly upstream: { readonly host: string; readonly port: number };
  /** Node ids from the root to it, its own last. */
  readonly path: readonly Id[];
  /** What it has applied. */
  readonly position: Position;
  /** As in ACK. */
  readonly durable: number;
  /** As in HELLO. */
  readonly complete: boolean;
  /** It has all that it ever said was durable: its last start found that. */
  readonly intact: boolean;
  /** As in HELLO; in the answer to PROMISE the rank that was asked for, when it is promised, and one above it when a third one has it. */
  readonly promised: Rank;
  /** Of `position.history`. */
  readonly rank: Rank;
  readonly lineage: Lineage;
}

/** A primary that appends no more asks a replica to say when it could lead in its place. */
export interface Prepare {
  readonly type: "prepare";
  /** Of one attempt: what answers another is passed over. */
  readonly failoverId: Id;
  /** Where the log ends. */
  readonly position: Position;
  /** The primary's wall clock, ms since 1970: one that is far off would expire keys. */
  readonly clockMs: number;
  /** The log has to be durable up to there, not only applied: the primary has answered so. */
  readonly durable: boolean;
}

/** It promises nothing. */
export interface Prepared {
  readonly type: "prepared";
  readonly failoverId: Id;
  /** Why it cannot lead, for people; "" when it could. */
  readonly refusal: string;
}

/** Who sends it has written down that it writes no more in its term: the receiver alone is to lead. */
export interface Take {
  readonly type: "take";
  readonly failoverId: Id;
  /** Where the log ended. */
  readonly position: Position;
  /** The receiver leads in this term, or a higher one. */
  readonly term: number;
  /** With what it has, if that is less. */
  readonly forced: boolean;
}

export interface Release {
  readonly type: "release";
  readonly failoverId: Id;
}

export interface Released {
  readonly type: "released";
  readonly failoverId: Id;
}

/** Somebody waits until the log is durable on the receiver's disk. */
export interface SyncRequest {
  readonly type: "sync";
  /** Up to here. */
  readonly offset: number;
}

/** Control frames as values; CHUNK and BATCH are handled as ranges of bytes instead. */
export type Control =
  | Greeting
  | Hello
  | Welcome
  | Reject
  | Ping
  | Ack
  | SnapshotBegin
  | SnapshotEnd
  | Bye
  | Verify
  | DigestAnswer
  | Ask
  | Announce
  | PromiseAsked
  | PeersTold
  | StateAnswer
  | Prepare
  | Prepared
  | Take
  | Release
  | Released
  | SyncRequest;
