/**
 * What a session is built from: the node it serves, the log and the state it keeps up to date, and
 * the shell that does what it says.
 * Tested in: test/unit/replica/session.test.ts.
 */
import type { LogName } from "../log/history.ts";
import type {
  Consent,
  Id,
  NodeAddress,
  PeerAddress,
  Prepare,
  Rank,
  Release,
  SyncRequest,
  SyncState,
  Take,
  Verify,
} from "../wire/messages.ts";
import type { ChunkKeeper } from "./keeper.ts";
import type { SessionOptions } from "./options.ts";
import type { Lasting } from "./session-state.ts";
import type { RecordsFormat, StateTarget } from "../store/state.ts";

/** The log, as a session fills it; log/backlog.ts satisfies it. */
export interface ReceivingLog {
  /** End of the visible, applied log, and the chain there. */
  readonly next: number;
  readonly chain: number;
  /** End of what outlives a crash of the machine; 0 without a disk. */
  readonly durable: number;
  /** False while the disk behind it takes nothing, or is far behind. */
  readonly takesMore: boolean;
  /** End of all that was received. */
  readonly tail: number;
  /** Memory of the newest block, where an incomplete batch is. */
  readonly bytes: Buffer;
  readonly partialBytes: number;
  readonly partialAt: number;
  readonly partialHeadCrc: number;
  /** The root's wall clock of the newest applied batch, ms since 1970; 0 before the first. */
  readonly newestClockMs: number;
  receiveHead(head: Buffer, at: number, length: number): void;
  receiveBytes(bytes: Buffer, from: number, to: number): void;
  receiveEnd(): void;
  /** The received batch at `next`, in a block that is filled up to `used`. */
  pending(): {
    readonly segment: { readonly bytes: Buffer; readonly used: number };
    readonly at: number;
  } | null;
  commit(): void;
  dropIncoming(): void;
  dropReceived(): void;
  /** `fork`: from there on it has what the log that takes its place has not; -1: nowhere. */
  reset(offset: number, chain: number, fork?: number): void;
  /** Records of whole batches from `offset` on, as far as they are in memory. */
  recordsFrom(offset: number): number;
}

/** What a WELCOME said of the upstream's log. */
export interface WelcomedEnd {
  /** The upstream leads. */
  readonly byRoot: boolean;
  /** Its history is ours, or descends from ours. */
  readonly isOurs: boolean;
  /** Where it ends. */
  readonly offset: number;
  /** We get a snapshot. */
  readonly isShip: boolean;
}

/** The node; values are read at every use. */
export interface ReplicaNode extends LogName {
  readonly nodeId: Id;
  readonly storeId: Id;
  readonly instanceId: Id;
  readonly clusterId: Id | null;
  readonly incarnation: number;
  /** It follows nobody who leads with a lower rank. */
  readonly promised: Rank;
  /** It has all that it ever acknowledged. */
  readonly complete: boolean;
  readonly format: RecordsFormat;
  /** It takes the rest of its own log, and nothing else: no snapshot. */
  readonly continuesOnly: boolean;
  address(): NodeAddress;
  hasData(): boolean;
  /** Consent to an unrelated state: what there is, or what there is for the node `nodeId`. */
  consent(nodeId?: Id): Consent;
  /** A snapshot is about to be swapped in, and will be: consent is used up. */
  onSwapping(): void;
  /** The upstream's history is ours from now on: the log up to here is a part of it. */
  adopt(log: LogName, clusterId: Id | null): void;
  /** A snapshot was swapped in; the log is reset to it next. */
  onSwapped(log: LogName, clusterId: Id | null): void;
  /** By whom writes are confirmed from here on, as a node batch or a snapshot says. */
  onSyncRule(sync: SyncState): void;
  /**
   * The upstream is the node `nodeId`; `path` are the node ids from the root to us, `rootId` the node that
   * leads, null unknown, `end` where the upstream's log ends and how we go on.
   */
  onWelcome(nodeId: Id, path: readonly Id[], rootId: Id | null, end: WelcomedEnd): void;
  /** These follow the upstream too, this node among them. */
  onPeers(peers: readonly PeerAddress[]): void;
  /** The upstream and this node do not suit each other: consent is used up. */
  onRefused(): void;
}

/** What uses one outgoing connection after the other: a session, an inquiry. */
export interface SocketUser {
  onConnected(nowMs: number): void;
  onBytes(bytes: Buffer, from: number, to: number, nowMs: number): void;
  /** The connection ended, or dialling failed; "passing" unless it is said. */
  onClosed(detail: string, nowMs: number, lasting?: Lasting): void;
  /** End of a turn with input. @returns true when there is more to do at once */
  step(nowMs: number): boolean;
  /** About ten times a second. */
  tick(nowMs: number): void;
}

export interface SessionShell {
  /** Opens a connection; answers with onConnected or onClosed. */
  dial(): void;
  write(bytes: Buffer): void;
  /** Bytes written on this connection that the kernel has not taken. */
  readonly pendingBytes: number;
  /** Sends what was written and ends the connection. No event follows. */
  end(): void;
  /** Ends at once. No event follows. */
  destroy(): void;
  /** Stops or goes on reading what has arrived on this connection. */
  pauseReading(isPaused: boolean): void;
  /** Asks for step() at the end of this turn. */
  wantStep(): void;
}

export interface SessionDeps {
  readonly options: SessionOptions;
  readonly node: ReplicaNode;
  readonly log: ReceivingLog;
  readonly state: StateTarget;
  readonly shell: SessionShell;
  /** Keeps received chunks for the next process; null keeps them in memory only. */
  readonly keeper: ChunkKeeper | null;
  readonly counters: { bump(name: string, by?: number): void };
  readonly journal: (
    level: "debug" | "info" | "warn" | "error",
    event: string,
    fields: Readonly<Record<string, string | number | boolean>>,
  ) => void;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly randomId: () => Id;
  /** Something may have become visible in the log: our own links want to be fed. */
  readonly onApplied: () => void;
  /** Runs something at the end of the next turn of the node; for a state that answers later. */
  readonly afterTurn: (run: () => void) => void;
  /** Monotonic, ms; read when a state answers later. */
  readonly now: () => number;
  /** The session is in another state now, or has come to rest. */
  readonly onMoved: () => void;
  /** The state is at no position any more; see Applier. Until a swap nobody may be fed from it. */
  readonly onTorn: () => void;
  /** The upstream hands over, or takes that back. */
  readonly onFailover: (message: Prepare | Take | Release) => void;
  /** The upstream asks for a sync of the log; another one is about the same, or takes its place. */
  readonly onSyncRequest: (request: SyncRequest) => void;
  /** The state is exactly at the message's position now, and nowhere else later: freeze it. */
  readonly onVerify: (message: Verify) => void;
}
