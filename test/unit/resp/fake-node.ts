/**
 * A node without a network: a real store, a real backlog, and switches for what a test needs.
 *
 * Owns: nothing real but the state. Does not own: roles (node.ts).
 */
import { ClientServer } from "../../../src/resp/client-server.ts";
import { Client, type ClientTransport } from "../../../src/resp/client.ts";
import type { KeptEvent } from "../../../src/node/event-log.ts";
import { ReplyQueue } from "../../../src/node/reply-queue.ts";
import type { TurnConfirmer } from "../../../src/node/confirm-queues.ts";
import type { SyncStatus } from "../../../src/node/member-status.ts";
import type { Shortage } from "../../../src/node/members.ts";
import type { ClientTurn, TurnReplies } from "../../../src/node/turn.ts";
import { createLogger } from "../../../src/node/logger.ts";
import type {
  Copies,
  FailoverPlan,
  FailoverState,
  HawserNode,
  NodeStatus,
  Promoted,
  StateDigest,
  StateInspection,
  LogOnDisk,
  WriteRefusal,
} from "../../../src/node/api.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import type { LiveSettings, NodeOptions } from "../../../src/node/options.ts";
import { Backlog } from "../../../src/log/backlog.ts";
import type { WriterTurn } from "../../../src/primary/pace.ts";
import type { Wanted } from "../../../src/primary/waiters.ts";
import type { LineageEntry, Rank } from "../../../src/wire/messages.ts";
import { Store } from "../../../src/store/store.ts";

function nodeOptions(...flags: string[]): NodeOptions {
  const line = readCommandLine(["primary", ...flags], {}, () => "{}");
  if (line.kind !== "node") throw new Error("not a node");
  return line.options;
}

/** A backlog that remembers where each record went. */
class RecordingLog extends Backlog {
  readonly spans: { readonly bytes: Buffer; readonly at: number; readonly length: number }[] = [];
  keep = true;

  override append(length: number): number {
    const at = super.append(length);
    if (this.keep) this.spans.push({ bytes: this.bytes, at, length });
    return at;
  }
}

/** A turn that seals at once and ends when a test says so. */
class FakeTurn implements ClientTurn {
  /** It has something of the log for a replica: replies wait. */
  isDue = false;
  confirmsDurable = false;
  confirmer: TurnConfirmer | null = null;
  readonly replies = new ReplyQueue();
  readonly #log: Backlog;

  constructor(log: Backlog) {
    this.#log = log;
  }

  appended(): void {
    this.#log.seal();
  }
  holdReply(out: TurnReplies, bytes: Buffer): boolean {
    if (!this.isDue && out.heldReplies === 0) return false;
    if (this.replies.hold(out, bytes, this.#log.tail, this.confirmsDurable)) return true;
    this.replies.releaseTo(Number.POSITIVE_INFINITY);
    return false;
  }
  readonly waits = new Set<() => void>();
  until(holds: () => boolean, done: () => void): () => void {
    const look = (): void => {
      if (holds() && this.waits.delete(look)) done();
    };
    this.waits.add(look);
    return () => void this.waits.delete(look);
  }
  /** Tells those for whom it holds. */
  tell(): void {
    for (const look of [...this.waits]) look();
  }
  giveUpReplies(): void {
    this.replies.giveUp();
  }
  releaseReplies(): void {
    this.replies.releaseTo(Number.POSITIVE_INFINITY);
  }
}

export class FakeNode implements HawserNode {
  role: "primary" | "replica" = "primary";
  store: Store = new Store();
  readonly settings: LiveSettings;
  readonly log: RecordingLog;
  readonly turn: FakeTurn;
  refusal: WriteRefusal = null;
  /** Why a change of the members is refused; null when it is not. */
  membersRefusal: string | null = null;
  readonly memberChanges: string[] = [];
  synchronous = {
    lacks: null as Shortage | null,
    goodReplicas: 0,
    add: (id: string) => this.#changeMembers(`add ${id}`),
    remove: (id: string) => this.#changeMembers(`remove ${id}`),
    force: () => this.#changeMembers("force"),
  };
  sync: SyncStatus | null = null;
  #changeMembers(what: string): string | null {
    this.memberChanges.push(what);
    return this.membersRefusal;
  }
  logOnDisk: LogOnDisk | null = null;
  /** Why follow() and promote() are refused; null when they are not. */
  roleRefusal: string | null = null;
  loading = false;
  stateGeneration = 0;
  paused = false;
  identity: { history: string; rank: Rank; lineage: LineageEntry[] } = {
    history: "3".repeat(32),
    rank: { term: 2, run: 0 },
    lineage: [],
  };
  confirmed = 0;
  /** How far its disk has synced. */
  durable = 0;
  waits: {
    wanted: Wanted;
    done: (count: number | null) => void;
    cancelled: boolean;
  }[] = [];
  promoted: Promoted[] = [];
  /** What FAILOVER asked for; `refusal` is what it answers. */
  readonly failover = {
    state: "no-failover" as FailoverState,
    holdsReads: false,
    plans: [] as FailoverPlan[],
    aborts: [] as Promoted[],
    refusal: null as string | null,
    start(plan: FailoverPlan): string | null {
      this.plans.push(plan);
      return this.refusal;
    },
    abort(done: Promoted): string | null {
      this.aborts.push(done);
      return this.refusal;
    },
  };
  followed: string[] = [];
  digests: ((digest: StateDigest) => void)[] = [];
  readonly #resumes: (() => void)[] = [];

  constructor(...flags: string[]) {
    this.settings = nodeOptions(...flags);
    this.log = new RecordingLog(0, 0, { sizeBytes: this.settings.backlogBytes, clock: () => 0 });
    this.turn = new FakeTurn(this.log);
  }

  fenced = "";

  writeRefusal(): WriteRefusal {
    return this.refusal;
  }
  relieveMemory(): number {
    return 0;
  }
  isLoading(): boolean {
    return this.loading;
  }
  writersPaced(): boolean {
    return this.paused;
  }
  mayWrite(): boolean {
    return !this.paused;
  }
  onWritersResumed(_turn: WriterTurn, resume: () => void): () => void {
    this.#resumes.push(resume);
    return () => void this.#resumes.splice(this.#resumes.indexOf(resume), 1);
  }
  writersPaused(): boolean {
    return this.paused;
  }
  get writersWaiting(): number {
    return this.#resumes.length;
  }
  resumeWriters(): void {
    this.paused = false;
    for (const resume of this.#resumes.splice(0)) resume();
  }
  nearness = { lacksReplicas: false, isStale: false, staleMs: -1, goodReplicas: -1 };
  feeder: Copies = {
    wait: (wanted, _untilMs, done) => {
      const wait = { wanted, done, cancelled: false };
      this.waits.push(wait);
      return () => {
        wait.cancelled = true;
      };
    },
    confirmedBy: () => this.confirmed,
    isDurable: (offset) => this.durable >= offset,
  };
  follow(host: string, port: number): string | null {
    if (this.roleRefusal === null) this.followed.push(`${host}:${port}`);
    return this.roleRefusal;
  }
  promote(force: boolean, done: Promoted): string | null {
    if (this.roleRefusal !== null && !force) return this.roleRefusal;
    this.promoted.push(done);
    return null;
  }
  checkpoints: HawserNode["checkpoints"] = null;
  readonly inspection: StateInspection = {
    digest: () =>
      new Promise((resolve) => {
        this.digests.push(resolve);
      }),
    verify: (timeoutMs) =>
      Promise.resolve({
        position: { history: "3".repeat(32), offset: timeoutMs, chain: 0 },
        seed: "",
        bucketCount: 0,
        records: 1,
        sum: "s",
        replicas: [],
      }),
    bucket: ({ wanted }) =>
      Promise.resolve({
        history: "3",
        from: 0,
        to: Math.max(...wanted),
        truncated: false,
        keys: [],
      }),
  };
  events(): readonly KeptEvent[] {
    return [1, 2, 3].map((n) => ({
      timeMs: n,
      level: "info",
      event: `event${n}`,
      fields: {},
      times: 1,
      sinceMs: n,
    }));
  }
  status(): NodeStatus {
    return {
      recovery: null,
      reclaiming: "",
      disk: null,
      role: this.role,
      nodeId: "1".repeat(32),
      replicaId: "2".repeat(32),
      position: { history: "3".repeat(32), offset: this.log.next, chain: 0 },
      lineage: [],
      complete: true,
      failover: this.failover.state,
      rank: "1.0",
      fenced: "",
      supersededBy: "",
      ownBytes: 0,
      clientPort: 6380,
      replPort: 16380,
      announceHost: "",
      backlog: {
        sizeBytes: this.log.sizeBytes,
        first: this.log.first,
        next: this.log.next,
        oldest: this.log.first,
        linksBehind: 0,
        heldBytes: 0,
        pinnedBytes: 0,
        segments: 1,
        seconds: -1,
      },
      shipsQueued: 0,
      quarantined: 0,
      parked: [],
      writePace: -1,
      near: { ...this.nearness },
      sync: this.sync,
      links: [],
      upstream: null,
      counters: {},
    };
  }
  /** Records logged so far, as copies. */
  records(): Buffer[] {
    return this.log.spans.map(({ bytes, at, length }) =>
      Buffer.from(bytes.subarray(at, at + length)),
    );
  }
  /** Op codes of the records logged since the last call. */
  takeOps(): number[] {
    return this.log.spans.splice(0).map(({ bytes, at }) => bytes[at]!);
  }
  settingsChanged(): void {
    // Nothing waits.
  }
  stop(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

/** One client of a fake node; replies gather in `output`. */
export class FakeClient implements ClientTransport {
  output = "";
  outputBytes = 0;
  isFull = false;
  writes = 0;
  paused = false;
  ended = false;
  destroyed = false;
  /** Whether the "kernel" takes everything at once. */
  takes = true;
  readonly client: Client;

  constructor(port: FakePort, id = 1) {
    this.client = new Client(
      id,
      port.server.call,
      this,
      `127.0.0.1:${5000 + id}`,
      "127.0.0.1:6380",
    );
    port.server.context.clients.set(id, this.client);
  }

  write(bytes: Buffer): boolean {
    this.writes++;
    this.output += bytes.toString("latin1");
    return this.takes;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  /** Replies that answer writes, or show what others have to confirm. */
  dataReplies = 0;
  answersData(): void {
    this.dataReplies += 1;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }

  /** Sends latin-1 text as one read; what was answered since the last call. */
  send(text: string | Buffer): string {
    this.client.receive(typeof text === "string" ? Buffer.from(text, "latin1") : text);
    return this.taken();
  }

  /** Sends one command as words. */
  call(...words: string[]): string {
    return this.send(request(...words));
  }

  taken(): string {
    const output = this.output;
    this.output = "";
    return output;
  }
}

export class FakePort {
  readonly node: FakeNode;
  readonly logged: string[] = [];
  readonly server: ClientServer;
  readonly shutdowns: string[] = [];

  constructor(...flags: string[]) {
    this.node = new FakeNode(...flags);
    const log = createLogger({
      level: "debug",
      format: "json",
      sink: (line) => this.logged.push(line),
    });
    this.server = new ClientServer(this.node, log, (save) => void this.shutdowns.push(save));
  }
}

export function request(...words: string[]): string {
  return `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join("")}`;
}
