/**
 * A node of a life in reclaim-life.ts: the shipped core over a store, with virtual sockets and timers. The
 * leader's log is kept over its deaths, and what it remembers; the others have memory alone.
 */
import type { LogName } from "../../src/log/history.ts";
import type { Address } from "../../src/net/address.ts";
import { NodeCore } from "../../src/node/core.ts";
import { LogReplay } from "../../src/node/disk/log-replay.ts";
import type { RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import { planReclaim } from "../../src/node/disk/reclaim-plan.ts";
import { Identity } from "../../src/node/identity.ts";
import { Keyspace } from "../../src/node/keyspace.ts";
import { newNode, type NodeKeeper, type NodeMemory } from "../../src/node/node-memory.ts";
import { upstreamOf, writeRefusal } from "../../src/node/roles.ts";
import type { SeedAnswer } from "../../src/node/seed-choice.ts";
import { askedBefore } from "../../src/node/lead-round.ts";
import type { SynchronousOptions } from "../../src/node/synchronous.ts";
import type { TurnShell } from "../../src/node/turn.ts";
import { FEEDER_DEFAULTS } from "../../src/primary/options.ts";
import { Inquiry, type Said } from "../../src/replica/inquiry.ts";
import { SESSION_DEFAULTS } from "../../src/replica/options.ts";
import { ArenaState } from "../../src/store/arena-state.ts";
import { InlineSource } from "../../src/store/inline-source.ts";
import type { Snapshot } from "../../src/store/snapshot.ts";
import { Store } from "../../src/store/store.ts";
import { BATCH_HEAD_BYTES, chainStart } from "../../src/wire/frame.ts";
import type { Id } from "../../src/wire/messages.ts";
import type { Random } from "../../tools/random.ts";
import type { Clock } from "./clock.ts";
import { KeptLog, type LogArchive } from "./kept-log.ts";
import type { Connection, Network } from "./network.ts";
import { SimOut, SimShell, type SocketNode } from "./sim-shell.ts";
import { liveDigest } from "./truth.ts";

const TICK_MS = 100;
const CHUNKS_MS = 5;
const WALL_MS = 1_700_000_000_000;

interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Network;
  node(name: string): Member | undefined;
  say(text: string): void;
}

/** What outlives a process of the leader. */
export class Remembered {
  readonly log: KeptLog;
  readonly #archive: LogArchive | null;
  memory: NodeMemory;

  constructor(storeId?: Id, archive: LogArchive | null = null) {
    this.log = new KeptLog(archive);
    this.#archive = archive;
    this.memory = newNode(storeId);
  }

  /** The history that its log began in. */
  get firstHistory(): Id {
    return this.#archive?.origin ?? this.log.names[0]!.name.history;
  }
}

/** node.json without a file. */
function keeperOf(kept: Remembered): NodeKeeper {
  const change = (change: Partial<NodeMemory>): void => {
    kept.memory = { ...kept.memory, ...change };
  };
  return {
    start: () => {
      change({ incarnation: kept.memory.incarnation + 1 });
      return { memory: kept.memory, rebooted: false, wasComplete: false };
    },
    change,
  };
}

export class Member implements SocketNode, TurnShell {
  readonly name: string;
  readonly world: World;
  readonly core: NodeCore;
  readonly keys: Keyspace;
  dead = false;
  lie = null;
  /** Who has answered a question of this process. */
  readonly heard = new Set<string>();
  readonly #store = new Store({
    arenaSegmentBytes: 16_384,
    indexPageEntries: 16,
    hashSeed: [1, 2],
  });
  readonly #kept: Remembered | null;
  readonly #shell: SimShell;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** Null outside the lives of synchronous mode, whose nodes alone hear announcements and promises. */
  readonly #synchronous: SynchronousOptions | null;
  /** What piles up while it is stopped; null while it runs. */
  #waiting: (() => void)[] | null = null;

  /** @param upstream "" of the leader, which has `kept` */
  constructor(
    world: World,
    name: string,
    upstream: string,
    kept: Remembered | null,
    synchronous: SynchronousOptions | null = null,
  ) {
    this.world = world;
    this.#synchronous = synchronous;
    this.name = name;
    this.#kept = kept;
    this.#shell = new SimShell(
      this,
      () => this.upstream,
      () => this.core.session,
    );
    this.core = this.#makeCore(upstream);
    this.keys = new Keyspace({
      store: this.#store,
      log: this.core.backlog,
      writeRefusal: () =>
        synchronous === null ? writeRefusal(this.core.roles.now) : this.core.writeRefusal(null),
      relieveMemory: () => 0,
    });
    this.#every(() => {
      this.core.feeder.tick(this.now());
      this.keys.refresh(this.wallClock());
      this.core.session.tick(this.now());
    });
  }

  #makeCore(upstream: string): NodeCore {
    const { random } = this.world;
    const kept = this.#kept;
    const mint = (): Id => random.bytes(16).toString("hex");
    const { role } = kept?.memory ?? { role: null };
    const resignation = role?.role === "resigned" ? role : null;
    const above = role === null ? upstream : (role.upstream?.host ?? "");
    return new NodeCore({
      role: above === "" ? "primary" : "replica",
      upstream: above === "" ? null : { host: above, port: 1 },
      sources: [],
      resignation,
      fence: role?.role === "fenced" ? role.fence : null,
      ...(this.#synchronous === null ? {} : { synchronous: this.#synchronous }),
      ask: (asked, withinMs, done, said) => this.#ask(asked, withinMs, done, said),
      allowReset: false,
      consent: null,
      keepConsent: () => undefined,
      recovers: kept !== null,
      remember: (memory) => {
        if (kept !== null) kept.memory = { ...kept.memory, role: memory };
      },
      identity: new Identity(kept === null ? "" : keeperOf(kept), mint),
      state: new ArenaState(this.#store, (snapshot) => this.#serialized(snapshot)),
      backlog: {
        sizeBytes: kept === null ? random.pick([4_096, 1 << 22]) : 1 << 24,
        segmentBytes: 4_096,
        clock: this.wallClock,
        ...(kept === null ? {} : { store: kept.log }),
      },
      feederOptions: { ...FEEDER_DEFAULTS, shipGatherMs: 0 },
      sessionOptions: SESSION_DEFAULTS,
      shell: this.#shell,
      keeper: null,
      turnShell: this,
      nextTurn: (run) => this.after(this.turnMs(), run),
      later: (ms, run) => this.after(ms, run),
      now: this.now,
      wallClock: this.wallClock,
      random: () => random.fraction(),
      randomId: mint,
      journal: (_level, event, fields) => {
        this.world.say(`${this.name} ${event} ${JSON.stringify(fields)}`);
      },
      address: () => ({ host: this.name, clientPort: 0, replPort: 1 }),
      onVerify: () => undefined,
      onDigest: () => undefined,
    });
  }

  /** A snapshot that is read chunk by chunk, until it is closed. */
  #serialized(snapshot: Snapshot): InlineSource {
    const source = new InlineSource(snapshot, { slots: 4, slotBytes: 2_048 });
    const close = source.close.bind(source);
    let isClosed = false;
    source.close = () => {
      isClosed = true;
      close();
    };
    const work = (): void => {
      while (source.step());
      if (!isClosed) this.after(CHUNKS_MS, work);
    };
    this.after(CHUNKS_MS, work);
    return source;
  }

  /** As src/node/disk/node-disk.ts. */
  open(reclaimMs: number): void {
    const { core } = this;
    const kept = this.#kept!;
    const { log } = kept;
    const { end } = log;
    const hasState = end > 0;
    if (hasState) {
      this.#replay(kept);
      const { name } = log.names.at(-1)!;
      core.identity.adopt(name, null);
      const found = { hasState, incompleteTo: null } as RecoveredNode;
      const plan = planReclaim(core.roles, core.identity, found, reclaimMs, askedBefore(core));
      if (plan !== null) core.reclaim(plan);
      core.roles.recovered();
    } else {
      log.names = [];
      core.backlog.begin(0, chainStart(core.identity.history));
      core.roles.recoveredNothing();
    }
    log.begin({
      random: this.world.random,
      after: (ms, run) => this.after(ms, run),
      name: (): LogName => {
        const { history, rank, lineage } = core.identity;
        return { history, rank, lineage };
      },
    });
    core.roles.opened(hasState ? "whole" : "nothing");
  }

  #replay({ log, firstHistory }: Remembered): void {
    const { backlog, state } = this.core;
    backlog.begin(0, chainStart(firstHistory));
    const replay = new LogReplay(backlog, state, null, () => undefined);
    for (const bytes of log.batches) {
      replay.batchHead(bytes, 0, bytes.length);
      replay.batchBytes(bytes, BATCH_HEAD_BYTES, bytes.length);
      replay.batchEnd();
      while (replay.step() !== "done");
    }
  }

  start(): void {
    this.run(() => this.core.roles.start());
  }

  kill(): void {
    this.dead = true;
    for (const connection of this.world.net.standing)
      for (const side of [0, 1] as const)
        if (connection.hosts[side] === this) connection.destroy(side, false);
  }

  /** Whom it follows, "" for nobody. */
  get upstream(): string {
    return upstreamOf(this.core.roles.now)?.host ?? "";
  }

  digest(): string {
    const { records, sum } = liveDigest(this.#store);
    return `${records}:${sum}`;
  }

  #ask(
    sources: readonly Address[],
    withinMs: number,
    done: (answers: readonly SeedAnswer[]) => void,
    said: Said | null = null,
  ): void {
    const answers: SeedAnswer[] = [];
    if (sources.length === 0) this.after(this.turnMs(), () => done(answers));
    for (const source of sources) {
      const shell = new SimShell(
        this,
        () => source.host,
        () => inquiry,
      );
      const inquiry: Inquiry = new Inquiry({
        shell,
        password: "",
        randomId: () => this.world.random.bytes(16).toString("hex"),
        timeoutMs: withinMs,
        announcement: this.#synchronous === null ? null : said,
        onAnswer: (state, error) => {
          if (state !== null) this.heard.add(source.host);
          answers.push({ source, state, error });
          if (answers.length === sources.length) this.after(this.turnMs(), () => done(answers));
        },
      });
      inquiry.start(this.now());
      this.after(withinMs, () => inquiry.tick(this.now()));
    }
  }

  // --- as SocketNode and TurnShell -----------------------------------------------------------------

  readonly now = (): number => this.world.clock.nowMs;
  readonly wallClock = (): number => Math.floor(WALL_MS + this.now());

  turnMs(): number {
    return 0.01 + this.world.random.fraction();
  }

  run(what: () => void): void {
    if (this.dead) return;
    if (this.#waiting === null) what();
    else this.#waiting.push(what);
  }

  get stopped(): boolean {
    return this.#waiting !== null;
  }

  /** SIGSTOP: what happens to it waits. */
  stop(): void {
    this.#waiting ??= [];
  }

  /** SIGCONT: what piled up runs in order. */
  cont(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const what of waiting ?? []) this.run(what);
  }

  after(delayMs: number, what: () => void): void {
    this.world.clock.in(delayMs, () => this.run(what));
  }

  #every(what: () => void): void {
    this.after(TICK_MS, () => {
      what();
      this.#every(what);
    });
  }

  accept(connection: Connection): void {
    this.run(() => {
      const out = new SimOut(this, connection);
      const link = this.core.feeder.accept(connection.hosts[0].name, out, this.now());
      out.taker = link;
      connection.bind(1, {
        read: (bytes, length) => link.onBytes(bytes, 0, length, this.now()),
        closed: (reason) => link.onSocketClosed(reason, "the connection ended"),
      });
    });
  }

  soon(run: () => void): void {
    this.after(this.turnMs(), run);
  }

  wakeAt(wantedMs: number, nowMs: number, wake: () => void): void {
    if (!Number.isFinite(wantedMs)) return;
    const atMs = Math.max(wantedMs, nowMs + 1);
    if (atMs >= this.#wakeAtMs && this.#wakeAtMs > nowMs) return;
    this.#wakeAtMs = atMs;
    this.after(atMs - nowMs, () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      wake();
    });
  }
}
