/**
 * A node between two strangers: follows a scripted upstream and feeds scripted replicas, without a
 * network. The shipped core over the shipped store; what both ends are told is decoded at once.
 */
import { Identity } from "../../../src/node/identity.ts";
import { NodeCore } from "../../../src/node/core.ts";
import { linkStatus, parkedStatus, upstreamStatus } from "../../../src/node/status.ts";
import type { Link, LinkOut } from "../../../src/primary/link.ts";
import { FEEDER_DEFAULTS } from "../../../src/primary/options.ts";
import type { SessionShell } from "../../../src/replica/deps.ts";
import { SESSION_DEFAULTS } from "../../../src/replica/options.ts";
import { ArenaState } from "../../../src/store/arena-state.ts";
import { InlineSource } from "../../../src/store/inline-source.ts";
import { encodeSetHead, setBytes } from "../../../src/store/record.ts";
import { Store } from "../../../src/store/store.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Decoder, type DecoderSink } from "../../../src/wire/decoder.ts";
import { FRAME, type Control } from "../../../src/wire/messages.ts";
import { makeBatch } from "../wire/tools.ts";

const IGNORED = {
  batchHead: () => undefined,
  batchBytes: () => undefined,
  batchEnd: () => undefined,
  chunkHead: () => undefined,
  chunkBytes: () => undefined,
  chunkEnd: () => undefined,
} satisfies Omit<DecoderSink, "control">;

const SMALL = { arenaSegmentBytes: 1 << 16, indexPageEntries: 64, hashSeed: [1, 2] as const };

export const digits = (n: number): string => n.toString(16).padStart(32, "0");

/** A replica's end of a link. It reads all, or nothing at all. */
class Child implements LinkOut {
  link!: Link;
  readonly heard: Control[] = [];
  private readonly middle: Middle;
  private readonly decoder: Decoder;
  readonly beingTaken = 0;
  private untaken = 0;

  constructor(middle: Middle) {
    this.middle = middle;
    this.decoder = new Decoder(new Set(Object.values(FRAME)), {
      ...IGNORED,
      control: (message) => {
        this.heard.push(message);
        const { next, chain } = middle.core.backlog;
        if (message.type === "welcome") this.decoder.expect(next, chain);
      },
    });
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.untaken += 1;
    // Why only these: batches may begin anywhere, which this end does not follow.
    if (this.heard.every((message) => message.type !== "welcome"))
      this.decoder.push(Buffer.from(bytes.subarray(from, to)), 0, to - from);
  }
  flush(): void {}
  end(): void {}
  destroy(): void {}

  /** The kernel takes all that was written. */
  take(): void {
    for (; this.untaken > 0; this.untaken--) this.link.onTaken(this.middle.nowMs);
  }
}

export class Middle implements SessionShell {
  readonly core: NodeCore;
  readonly store: Store = new Store(SMALL);
  nowMs = 1;
  /** What the upstream was told on this connection. */
  readonly told: Control[] = [];
  readonly children: Child[] = [];
  verifies = 0;
  private pending = 0;
  private minted = 100;
  private readonly laters: (() => void)[] = [];
  private decoder = this.listen();

  constructor() {
    const mint = (): string => digits(this.minted++);
    this.core = new NodeCore({
      role: "replica",
      upstream: { host: "h", port: 1 },
      remember: () => undefined,
      sources: [],
      ask: () => () => undefined,
      allowReset: false,
      consent: null,
      keepConsent: () => undefined,
      identity: new Identity("", mint),
      state: new ArenaState(
        this.store,
        (snapshot) => new InlineSource(snapshot, { slots: 4, slotBytes: 1 << 14 }),
      ),
      backlog: { sizeBytes: 1 << 16, segmentBytes: 4096, clock: () => 1_700_000_000_000 },
      feederOptions: { ...FEEDER_DEFAULTS, shipGatherMs: 0 },
      sessionOptions: SESSION_DEFAULTS,
      shell: this,
      keeper: null,
      turnShell: { soon: () => undefined, wakeAt: () => undefined },
      nextTurn: (run) => this.laters.push(run),
      later: (_ms, run) => this.laters.push(run),
      now: () => this.nowMs,
      wallClock: () => 1_700_000_000_000 + Math.floor(this.nowMs),
      random: () => 0.5,
      randomId: mint,
      journal: () => undefined,
      address: () => ({ host: "", clientPort: 0, replPort: 0 }),
      onVerify: () => {
        this.verifies += 1;
      },
      onDigest: () => undefined,
    });
    this.core.session.start(this.nowMs);
  }

  // --- as SessionShell -------------------------------------------------------------------------

  dial(): void {
    this.told.length = 0;
    this.pending = 0;
    this.decoder = this.listen();
  }
  write(bytes: Buffer): void {
    this.pending += bytes.length;
    this.decoder.push(bytes, 0, bytes.length);
  }
  get pendingBytes(): number {
    return this.pending;
  }
  end(): void {}
  destroy(): void {}
  wantStep(): void {}
  pauseReading(): void {}

  private listen(): Decoder {
    const types = new Set<number>([FRAME.hello, FRAME.ack, FRAME.bye, FRAME.digest]);
    return new Decoder(types, { ...IGNORED, control: (message) => this.told.push(message) });
  }

  // --- what strangers do -----------------------------------------------------------------------

  /** The upstream's connection stands; dials first when it has to. */
  connect(): void {
    const { session } = this.core;
    for (let n = 0; session.state.kind === "retrying" && n < 2_000; n++) this.pass(100);
    if (session.state.kind === "connecting") session.onConnected(this.nowMs);
  }

  upstreamSays(...messages: readonly Control[]): void {
    for (const message of messages) this.upstreamSends(encode(message));
  }

  upstreamSends(bytes: Buffer): void {
    this.core.session.onBytes(bytes, 0, bytes.length, this.nowMs);
    this.core.session.step(this.nowMs);
  }

  /** A batch of one SET where the log ends, sealed at `clockMs`. */
  upstreamWrites(clockMs: number): void {
    const { backlog, session } = this.core;
    if (session.state.kind !== "streaming" || backlog.partialBytes > 0) return;
    if (backlog.tail !== backlog.next) return;
    const record = Buffer.alloc(setBytes(1, 1, 0));
    record.write("kv", encodeSetHead(record, 0, 1, 0));
    const { bytes } = makeBatch([record], backlog.next, backlog.chain, clockMs);
    this.upstreamSends(bytes);
  }

  /** The upstream reads what it was told. */
  upstreamReads(): void {
    this.pending = 0;
  }

  arrive(): void {
    const child = new Child(this);
    child.link = this.core.feeder.accept("192.0.2.1:7", child, this.nowMs);
    this.children.push(child);
  }

  childSays(index: number, message: Control): void {
    const child = this.children[index % Math.max(1, this.children.length)];
    const bytes = encode(message);
    child?.link.onBytes(bytes, 0, bytes.length, this.nowMs);
  }

  /** Time passes: ticks, turns, sockets that take. */
  pass(ms: number, takes = true): void {
    this.nowMs += ms;
    this.core.feeder.tick(this.nowMs);
    this.core.session.tick(this.nowMs);
    for (let n = 0; n < 5 && this.core.turn.end(this.nowMs); n++);
    if (takes) for (const child of this.children) child.take();
    for (const run of this.laters.splice(0)) run();
  }

  /** All figures that INFO and REPL.STATUS are made of. */
  figures(): unknown {
    const { core, nowMs } = this;
    const wallMs = 1_700_000_000_000 + nowMs;
    const target = { host: "h", port: 1 };
    return [
      core.feeder.links.map((link) => linkStatus(core.feeder, link, nowMs, wallMs)),
      parkedStatus(core.feeder, nowMs),
      upstreamStatus(core, target, nowMs, wallMs),
      { root: core.view.root(), counters: core.feeder.counters.values },
    ];
  }
}
