/** A node's checkpoints with a disk that answers when it is told to, a state of a few chunks, and a clock. */
import { Checkpointer, type CheckpointerDeps } from "../../../src/node/checkpointer.ts";
import type {
  CheckpointDisk,
  CheckpointFile,
  CheckpointFileEvents,
  RunDeps,
} from "../../../src/node/checkpoint-run.ts";
import type { CheckpointEntry } from "../../../src/log/disk/manifest.ts";
import type {
  ChunkEvents,
  ChunkReader,
  FrozenState,
  ReadyChunk,
} from "../../../src/store/state.ts";
import { chunkSum } from "../../../src/wire/frame.ts";
import { NO_SYNC, type SnapshotBegin, type SnapshotEnd } from "../../../src/wire/messages.ts";

export const HISTORY = "01".repeat(16);
const ROOM = 20;

/** What a checkpoint asked of the disk, and the answers that it waits for. */
export class FakeDisk implements CheckpointDisk {
  readonly cuts: { offset: number; done: (log: number) => void }[] = [];
  readonly files: FakeFile[] = [];
  readonly published: { entry: CheckpointEntry; done: (why: string) => void }[] = [];

  cut(offset: number, done: (log: number) => void): void {
    this.cuts.push({ offset, done });
  }

  begin(log: number, begin: SnapshotBegin, events: CheckpointFileEvents): CheckpointFile {
    const file = new FakeFile(log, begin, events);
    this.files.push(file);
    return file;
  }

  publish(entry: CheckpointEntry, done: (why: string) => void): void {
    this.published.push({ entry, done });
  }
}

export class FakeFile implements CheckpointFile {
  readonly frames: Buffer[] = [];
  end: SnapshotEnd | null = null;
  isAbandoned = false;
  readonly log: number;
  readonly begin: SnapshotBegin;
  readonly events: CheckpointFileEvents;

  constructor(log: number, begin: SnapshotBegin, events: CheckpointFileEvents) {
    this.log = log;
    this.begin = begin;
    this.events = events;
  }

  put(frames: readonly { bytes: Buffer; from: number; to: number }[]): void {
    for (const { bytes, from, to } of frames)
      this.frames.push(Buffer.from(bytes.subarray(from, to)));
  }

  finish(end: SnapshotEnd): void {
    this.end = end;
  }

  abandon(): void {
    this.isAbandoned = true;
  }
}

/** A frozen state whose chunks come when `produce` says. */
export class FakeState {
  readonly format = { name: "test", version: 1 };
  payloads: readonly Buffer[] = ["zero", "one", "two"].map((text) => Buffer.from(text));
  freezes = 0;
  closed = 0;
  released = 0;
  events: ChunkEvents | null = null;
  #made = 0;
  #taken = 0;

  freeze(): FrozenState {
    this.freezes += 1;
    this.#made = 0;
    this.#taken = 0;
    return {
      records: 7,
      bytes: 100,
      read: (_from, events) => {
        this.events = events;
        return this.#reader();
      },
      digest: () => Promise.reject(new Error("not summed here")),
      close: () => void (this.closed += 1),
    };
  }

  /** So many chunks are ready. */
  produce(chunks: number): void {
    this.#made = Math.min(this.payloads.length, chunks);
    this.events!.ready();
  }

  #reader(): ChunkReader {
    const isAll = (): boolean => this.#taken === this.payloads.length;
    const totals = { chunks: this.payloads.length, records: 7 };
    return {
      take: () => this.#take(),
      release: () => void (this.released += 1),
      get totals() {
        return isAll() ? totals : null;
      },
      close: () => undefined,
    };
  }

  #take(): ReadyChunk | null {
    const number = this.#taken;
    if (number >= this.#made) return null;
    this.#taken += 1;
    const bytes = Buffer.concat([Buffer.alloc(ROOM), this.payloads[number]!]);
    const sum = chunkSum(bytes, ROOM, bytes.length, number);
    return { number, bytes, from: ROOM, to: bytes.length, sum };
  }
}

/** All that a checkpointer is given, with knobs. */
export class Harness {
  readonly disk = new FakeDisk();
  readonly state = new FakeState();
  readonly lines: string[] = [];
  next = 1_000;
  records = 0;
  nowMs = 0;
  rate = 0;
  dataBytes = 0;
  hasState = true;
  replicasWait = false;
  pinned = { bytes: 0, capBytes: 100 };
  reclaimable = 0;
  chunkBytes = 100;
  /** The state is inside a batch. */
  isInBatch = false;
  #timers: { atMs: number; run: () => void }[] = [];
  #boundary: (() => void)[] = [];

  get runDeps(): Omit<RunDeps, "moved"> {
    return {
      disk: this.disk,
      source: this.state,
      atBoundary: (run) => {
        const wait = (): void => run();
        this.#boundary.push(wait);
        return () => void (this.#boundary = this.#boundary.filter((other) => other !== wait));
      },
      sealedPosition: () => ({ history: HISTORY, offset: this.next, chain: 9 }),
      records: () => this.records,
      name: () => ({ history: "", rank: { term: 1, run: 0 }, lineage: [] }),
      sync: () => NO_SYNC,
      randomId: () => "0a".repeat(16),
      wallClock: () => 1_000_000 + this.nowMs,
    };
  }

  checkpointer(newest: CheckpointEntry | null = null): Checkpointer {
    const deps: CheckpointerDeps = {
      ...this.runDeps,
      rate: () => this.rate,
      dataBytes: () => this.dataBytes,
      next: () => this.next,
      hasState: () => this.hasState,
      replicasWait: () => this.replicasWait,
      pinned: () => this.pinned,
      reclaimableBytes: () => this.reclaimable,
      chunkBytes: () => this.chunkBytes,
      later: (ms, run) => void this.#timers.push({ atMs: this.nowMs + ms, run }),
      now: () => this.nowMs,
      journal: (level, event, fields) =>
        void this.lines.push(`${level} ${event} ${fields["cause"] ?? fields["records"] ?? ""}`),
    };
    return new Checkpointer(deps, newest, 0);
  }

  /** A turn ends. */
  turn(): void {
    if (!this.isInBatch) for (const run of this.#boundary.splice(0)) run();
    this.pass(0);
  }

  /** Time goes by; what is due runs. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs);
      if (due.length === 0) break;
      const first = due.reduce((a, b) => (b.atMs < a.atMs ? b : a));
      this.#timers = this.#timers.filter((timer) => timer !== first);
      this.nowMs = Math.max(this.nowMs, first.atMs);
      first.run();
    }
    this.nowMs = untilMs;
  }

  /** From the freeze to the file that is whole. */
  write(log = 5): FakeFile {
    this.turn();
    this.disk.cuts.at(-1)!.done(log);
    this.pass(0);
    this.state.produce(3);
    this.pass(0);
    const file = this.disk.files.at(-1)!;
    file.events.written(file.frames.length);
    file.events.whole(500);
    this.pass(0);
    return file;
  }
}
