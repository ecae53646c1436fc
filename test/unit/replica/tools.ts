/** A session with a scripted upstream: what it says, what it does to log and state, no network. */
import { boundTo, consentFor, type GivenConsent, NO_CONSENT } from "../../../src/node/consent.ts";
import { Backlog } from "../../../src/log/backlog.ts";
import { StoreError } from "../../../src/errors.ts";
import type { ReplicaNode, SessionShell } from "../../../src/replica/deps.ts";
import type { ChunkKeeper } from "../../../src/replica/keeper.ts";
import { SESSION_DEFAULTS, type SessionOptions } from "../../../src/replica/options.ts";
import { Session } from "../../../src/replica/session.ts";
import type { LateTarget, PromptTarget, Staging } from "../../../src/store/state.ts";
import { Turns } from "./late-target.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Decoder } from "../../../src/wire/decoder.ts";
import { chainStart, chunkSum, sealChunkHead } from "../../../src/wire/frame.ts";
import {
  type Control,
  FRAME,
  type Greeting,
  type Id,
  type Lineage,
  NO_SYNC,
  type PeerAddress,
  type Position,
  type Rank,
  type SnapshotBegin,
  type SyncState,
  type Welcome,
} from "../../../src/wire/messages.ts";

export const id = (n: number): Id => n.toString(16).padStart(32, "0");
export const OWN = id(1);
export const UPSTREAM = id(2);
const FORMAT = { name: "test", version: 1 };

/** Counts what is applied and loaded; parses nothing. */
class CountingState implements PromptTarget {
  readonly answers = "at once";
  applied: Buffer[] = [];
  staged = 0;
  discarded = 0;
  swaps = 0;
  empty = false;
  isEmpty(): boolean {
    return this.empty;
  }
  /** The record that cannot be applied, counted from 0; -1 for none. */
  failsAt = -1;
  appliedTo = 0;
  applyRange(bytes: Buffer, from: number, to: number): void {
    this.appliedTo = from;
    for (let at = from; this.failsAt >= 0 && at < to; this.failsAt -= 1) {
      const end = at + 4 + bytes.readUInt32LE(at);
      if (this.failsAt === 0) throw new StoreError("ERR_STORE_FULL", "as if");
      this.applied.push(Buffer.from(bytes.subarray(at, end)));
      at = this.appliedTo = end;
    }
    if (this.appliedTo === to) return;
    this.applied.push(Buffer.from(bytes.subarray(from, to)));
  }
  stage(): Staging {
    this.staged += 1;
    return {
      load: () => undefined,
      finish: () => undefined,
      discard: () => {
        this.discarded += 1;
      },
    };
  }
  swap(): void {
    this.swaps += 1;
  }
}

export class Harness {
  readonly log: Backlog = new Backlog(0, chainStart(OWN), {
    sizeBytes: 1 << 20,
    segmentBytes: 4096,
    clock: () => 0,
  });
  readonly state: CountingState = new CountingState();
  readonly counters: Record<string, number> = {};
  readonly said: Control[] = [];
  readonly events: string[] = [];
  readonly session: Session;
  history: Id = OWN;
  lineage: Lineage = [];
  sync: SyncState = NO_SYNC;
  rank: Rank = { term: 0, run: 0 };
  promised: Rank = { term: 0, run: 0 };
  /** Who was said to follow the upstream, too. */
  readonly peers: PeerAddress[] = [];
  consent: GivenConsent = NO_CONSENT;
  nowMs = 0;
  dials = 0;
  private decoder = this.listen();

  private readonly turns = new Turns();
  /** Its socket is not read. */
  paused = false;
  readonly refusal: StoreError = new StoreError("ERR_STORE_CHUNK", "as if");

  /** What the upstream has left unread. */
  pendingBytes = 0;

  /** It takes the rest of its own log, and nothing else. */
  continuesOnly = false;

  constructor(
    options: Partial<SessionOptions> = {},
    keeper: ChunkKeeper | null = null,
    late: LateTarget | null = null,
  ) {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const harness = this;
    const shell: SessionShell = {
      dial: () => {
        this.dials += 1;
        this.decoder = this.listen();
      },
      write: (bytes) => this.decoder.push(bytes, 0, bytes.length),
      get pendingBytes() {
        return harness.pendingBytes;
      },
      end: () => this.events.push("end"),
      destroy: () => this.events.push("destroy"),
      wantStep: () => undefined,
      pauseReading: (isPaused) => {
        this.paused = isPaused;
      },
    };
    let minted = 100;
    this.session = new Session({
      options: { ...SESSION_DEFAULTS, ...options },
      node: this.node(),
      log: this.log,
      state: late ?? this.state,
      shell,
      counters: {
        bump: (name, by = 1) => {
          this.counters[name] = (this.counters[name] ?? 0) + by;
        },
      },
      journal: (_level, event) => this.events.push(event),
      random: () => 0.5,
      randomId: () => id(minted++),
      onApplied: () => undefined,
      afterTurn: this.turns.after,
      now: () => this.nowMs,
      onMoved: () => undefined,
      onVerify: () => undefined,
      onFailover: () => undefined,
      onSyncRequest: ({ offset }) => this.events.push(`sync ${offset}`),
      onTorn: () => this.events.push("torn"),
      keeper,
    });
  }

  private node(): ReplicaNode {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const harness = this;
    return {
      nodeId: id(11),
      storeId: id(12),
      instanceId: id(13),
      clusterId: null,
      incarnation: 1,
      complete: true,
      get promised() {
        return harness.promised;
      },
      get rank() {
        return harness.rank;
      },
      format: FORMAT,
      get history() {
        return harness.history;
      },
      get lineage() {
        return harness.lineage;
      },
      get continuesOnly() {
        return harness.continuesOnly;
      },
      address: () => ({ host: "", clientPort: 0, replPort: 0 }),
      hasData: () => !harness.state.empty,
      consent: (nodeId) =>
        nodeId === undefined ? this.consent.kind : consentFor(this.consent, nodeId),
      adopt: ({ history, lineage }) => {
        this.history = history;
        this.lineage = lineage;
        this.events.push("adopted");
      },
      onSwapping: () => undefined,
      onSwapped: ({ history, lineage }) => {
        this.history = history;
        this.lineage = lineage;
      },
      onSyncRule: (sync) => {
        this.sync = sync;
      },
      onWelcome: (nodeId) => {
        this.consent = boundTo(this.consent, nodeId);
      },
      onPeers: (peers) => void this.peers.push(...peers),
      onRefused: () => {
        this.consent = NO_CONSENT;
      },
    };
  }

  private listen(): Decoder {
    const none = (): void => undefined;
    return new Decoder(new Set([FRAME.hello, FRAME.ack, FRAME.bye, FRAME.digest]), {
      control: (message) => this.said.push(message),
      batchHead: none,
      batchBytes: none,
      batchEnd: none,
      chunkHead: none,
      chunkBytes: none,
      chunkEnd: none,
    });
  }

  /** The upstream's bytes arrive, in pieces of at most `piece`. */
  bytes(whole: Buffer, piece = whole.length): void {
    for (let at = 0; at < whole.length; at += piece)
      this.session.onBytes(
        Buffer.from(whole.subarray(at, at + piece)),
        0,
        Math.min(piece, whole.length - at),
        this.nowMs,
      );
  }

  hear(...messages: readonly Control[]): void {
    for (const message of messages) this.bytes(encode(message));
  }

  ping(sentUs: number): void {
    this.hear({
      type: "ping",
      sentUs,
      next: this.log.tail,
      rootClockMs: 1,
      rootAgeMs: 0,
      awayMs: 0,
      rootNext: null,
      ackNow: false,
    });
  }

  /** A turn of the node ends. */
  endTurn(): void {
    this.turns.end();
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.session.tick(this.nowMs);
  }

  /** Dials and is greeted. */
  greet(given: Partial<Greeting> = {}): void {
    if (this.session.state.kind === "stopped") this.session.start(this.nowMs);
    while (this.session.state.kind === "retrying") this.tick(100);
    this.session.onConnected(this.nowMs);
    this.hear({
      type: "greeting",
      versionMin: 1,
      versionMax: 1,
      nonce: id(50),
      authRequired: false,
      ...given,
    });
  }

  welcome(given: Partial<Welcome> = {}): void {
    this.hear({
      type: "welcome",
      clusterId: null,
      rank: { term: 1, run: 0 },
      decision: "continue",
      proof: "",
      nodeId: id(60),
      path: [id(60)],
      rootId: id(60),
      position: { history: this.history, offset: this.log.tail, chain: 0 },
      lineage: [],
      skipBytes: 0,
      discardBytes: 0,
      ...given,
    });
  }

  snapshot(given: Partial<SnapshotBegin> & { readonly position: Position }): void {
    this.hear({
      type: "snapshot",
      rank: { term: 1, run: 0 },
      snapshotId: id(70),
      lineage: [],
      sync: NO_SYNC,
      format: FORMAT,
      firstChunk: 0,
      records: 1,
      bytes: 1,
      ...given,
    });
  }

  last<T extends Control["type"]>(type: T): Extract<Control, { type: T }> {
    const found = this.said.findLast((message) => message.type === type);
    if (found === undefined) throw new Error(`it never said ${type}`);
    return found as Extract<Control, { type: T }>;
  }
}

export function chunk(number: number, payload: Buffer): { frame: Buffer; digest: number } {
  const frame = Buffer.alloc(20 + payload.length);
  payload.copy(frame, 20);
  const digest = chunkSum(frame, 20, frame.length, number);
  sealChunkHead(frame, 0, number, payload.length, digest);
  return { frame, digest };
}
