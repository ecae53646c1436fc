/** A feeder with a real log, a state that is counted, and replicas that say what a test tells them. */
import { Turn } from "../../../src/node/turn.ts";
import type { LedLog } from "../../../src/primary/deps.ts";
import type { Backlog, BacklogOptions } from "../../../src/log/backlog.ts";
import { Feeder } from "../../../src/primary/feeder.ts";
import type { Fields, Level } from "../../../src/primary/journal.ts";
import type { Link, LinkOut } from "../../../src/primary/link.ts";
import { FEEDER_DEFAULTS, type FeederOptions } from "../../../src/primary/options.ts";
import type { ChunkReader } from "../../../src/store/state.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Decoder } from "../../../src/wire/decoder.ts";
import { chunkSum } from "../../../src/wire/frame.ts";
import {
  FRAME,
  type Ack,
  type Control,
  type Hello,
  type Id,
  type Lineage,
  NO_SYNC,
  type PromiseAsked,
  type Rank,
} from "../../../src/wire/messages.ts";
import { helloWith } from "../../../tools/hello.ts";
import { CHAIN_0, HISTORY, makeBacklog } from "../log/tools.ts";

export const id = (n: number): Id => n.toString(16).padStart(32, "0");
const FORMAT = { name: "test", version: 1 };
const FEEDER_TYPES = new Set(Object.values(FRAME));

/** A replica's end: hears frames, counts bytes of the stream; takes what is written when told. */
export class Peer implements LinkOut {
  link!: Link;
  readonly heard: string[] = [];
  readonly controls: Control[] = [];
  streamBytes = 0;
  batches = 0;
  chunks = 0;
  ended = "";
  /** Takes everything at once. */
  takes = true;
  beingTaken = 0;
  private readonly sizes: number[] = [];
  private readonly decoder: Decoder;
  private readonly harness: Harness;

  constructor(harness: Harness) {
    this.harness = harness;
    this.decoder = new Decoder(FEEDER_TYPES, {
      control: (message) => {
        this.controls.push(message);
        this.heard.push(message.type);
        if (message.type === "welcome" && /^(continue|wait)$/.test(message.decision))
          this.decoder.expect(this.offset, this.chain);
        if (message.type === "snapshot")
          this.decoder.expect(message.position.offset, message.position.chain);
      },
      batchHead: () => undefined,
      batchBytes: () => undefined,
      batchEnd: () => {
        this.batches += 1;
        this.heard.push("batch");
      },
      chunkHead: () => undefined,
      chunkBytes: () => undefined,
      chunkEnd: () => {
        this.chunks += 1;
        this.heard.push("chunk");
      },
    });
  }

  offset = 0;
  chain: number = CHAIN_0;

  write(bytes: Uint8Array, from: number, to: number): void {
    this.sizes.push(to - from);
    this.streamBytes += to - from;
    this.decoder.push(Buffer.from(bytes.subarray(from, to)), 0, to - from);
  }
  flush(): void {
    if (!this.takes) return;
    const { sizes } = this;
    const count = sizes.splice(0).length;
    for (let n = 0; n < count; n++) queueMicrotask(() => this.link.onTaken(this.harness.nowMs));
  }
  end(): void {
    this.ended = "end";
  }
  destroy(): void {
    this.ended = "destroy";
  }

  say(message: Control): void {
    const bytes = encode(message);
    this.link.onBytes(bytes, 0, bytes.length, this.harness.nowMs);
  }

  hello(given: Partial<Hello> = {}): void {
    const position = { history: HISTORY, offset: this.offset, chain: this.chain };
    const ids = { nonce: id(5), storeId: id(100), instanceId: id(101), nodeId: id(102) };
    const address = { host: "", clientPort: 0, replPort: 0 };
    this.say(helloWith({ ...ids, address, format: FORMAT, position, ...given }));
  }

  ack(applied: number, received = applied, room = 1 << 26, durable = 0): void {
    const ack: Ack = {
      type: "ack",
      mode: "streaming",
      received,
      applied,
      durable,
      room,
      echo: 0,
    };
    this.say(ack);
  }

  last<T extends Control["type"]>(type: T): Extract<Control, { type: T }> | undefined {
    const found = this.controls.findLast((message) => message.type === type);
    return found as Extract<Control, { type: T }> | undefined;
  }
}

export class Harness {
  nowMs = 0;
  readonly log: Backlog;
  role: "primary" | "replica" = "primary";
  history: Id = HISTORY;
  lineage: Lineage = [];
  torn = false;
  fenced = "";
  /** What feeders heard of somebody who leads. */
  readonly leaders: LedLog[] = [];
  /** What replicas had promised, above this node. */
  readonly promised: Rank[] = [];
  onPromise: (asked: PromiseAsked) => boolean = () => false;
  /** Who dialled it as an upstream; how often somebody asked what it has. */
  readonly dialled: Id[] = [];
  asked = 0;
  readonly rolledBack: [string, number][] = [];
  readonly events: string[] = [];
  readonly lines: { level: Level; event: string; fields: Fields }[] = [];
  pinned = { bytes: 0, capBytes: 1_000 };
  reclaimable = 0;
  readonly feeder: Feeder;
  readonly turn: Turn;
  /** How often a turn was asked for. */
  wanted = 0;
  private ids = 1000;

  constructor(options: Partial<FeederOptions> = {}, log: Partial<BacklogOptions> = {}) {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const harness = this;
    this.log = makeBacklog({ sizeBytes: 100_000, segmentBytes: 4_096, ...log });
    this.feeder = new Feeder({
      options: { ...FEEDER_DEFAULTS, shipGatherMs: 0, ...options },
      backlog: this.log,
      source: {
        isEmpty: () => false,
        freeze: () => {
          const read = (from: number): ChunkReader => oneChunk(from);
          const digest = (): Promise<never> => Promise.reject(new Error("not summed here"));
          return { records: 1, bytes: 100, read, digest, close: () => undefined };
        },
        memory: () => ({ dataBytes: 0, pinnedBytes: this.pinned.bytes }),
        reclaimableBytes: () => this.reclaimable,
      },
      node: {
        nodeId: id(1),
        storeId: id(2),
        clusterId: id(3),
        sync: NO_SYNC,
        complete: true,
        intact: true,
        promised: { term: 3, run: 1 },
        rank: { term: 3, run: 1 },
        path: [id(1)],
        rootId: id(1),
        format: FORMAT,
        ready: true,
        get fenced() {
          return harness.fenced;
        },
        get torn() {
          return harness.torn;
        },
        atBoundary: true,
        get role() {
          return harness.role;
        },
        get history() {
          return harness.history;
        },
        get lineage() {
          return harness.lineage;
        },
        root: () => ({ clockMs: 0, ageMs: 0, awayMs: 0, owedBytes: 0 }),
        rootLives: false,
        upstream: { host: "", port: 0 },
      },
      journal: (level, event, fields) => {
        this.events.push(event);
        this.lines.push({ level, event, fields });
      },
      randomId: () => id(this.ids++),
      wantTurn: () => {
        this.wanted += 1;
      },
      now: () => this.nowMs,
      onLeader: (led) => harness.leaders.push(led),
      onPromised: (rank) => harness.promised.push(rank),
      onPromise: (asked) => harness.onPromise(asked),
      onHello: ({ nodeId }) => harness.dialled.push(nodeId),
      onAsked: () => {
        harness.asked += 1;
      },
      onRolledBack: (hello, bytes) => harness.rolledBack.push([hello.storeId, bytes]),
      onDigest: () => undefined,
      onFailoverAnswer: () => undefined,
      onWelcomed: () => undefined,
      onLinkClosed: () => undefined,
      pinned: () => this.pinned,
    });
    this.turn = new Turn({
      log: this.log,
      feeder: this.feeder,
      shell: { soon: () => undefined, wakeAt: () => undefined },
      now: () => this.nowMs,
    });
  }

  connect(): Peer {
    const peer = new Peer(this);
    peer.link = this.feeder.accept("peer", peer, this.nowMs);
    return peer;
  }

  /** Connected, welcomed and streaming. */
  stream(given: Partial<Hello> = {}): Peer {
    const peer = this.connect();
    peer.hello(given);
    this.turn.end(this.nowMs);
    return peer;
  }

  /** Turns until nothing more can be sent; sockets take in between. */
  async turns(most = 100): Promise<number> {
    for (let n = 1; n <= most; n++) {
      const more = this.turn.end(this.nowMs);
      await Promise.resolve();
      if (!more) return n;
    }
    return most;
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.feeder.tick(this.nowMs);
  }
}

function oneChunk(from: number): ChunkReader {
  const bytes = Buffer.alloc(120);
  const [start, to] = [20, 120];
  let taken = from > 0;
  return {
    take: () => {
      if (taken) return null;
      taken = true;
      return { number: 0, bytes, from: start, to, sum: chunkSum(bytes, start, to, 0) };
    },
    release: () => undefined,
    get totals() {
      return taken ? { chunks: 1, records: 1 } : null;
    },
    close: () => undefined,
  };
}
