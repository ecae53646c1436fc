/**
 * A state as an embedder has one: a Map behind the public seam (src/bridge/seam.ts), which answers at once
 * or later, keeps a mark beside its data or none, and fails before, after or in the middle of what it was
 * asked. Its node has it over the bridge, and clients write to it as to the store.
 *
 * It holds the bridge to the contract: one call at a time, nothing frozen meanwhile, nothing applied beside
 * a staging, marks of places where the state is what the log says.
 */
import { BridgedState } from "../../src/bridge/bridged-state.ts";
import { decodeMark, NO_BOOT } from "../../src/bridge/mark.ts";
import type {
  Awaitable,
  Batch,
  Frozen,
  Mark,
  Part,
  Records,
  ReplicatedState,
  Staging,
  StateDurability,
} from "../../src/bridge/seam.ts";
import type { LogName } from "../../src/log/history.ts";
import { encodeSetHead, setBytes } from "../../src/store/record.ts";
import { batchLength } from "../../src/wire/frame.ts";
import type {
  FrozenState,
  LateStaging,
  LateTarget,
  StageEstimate,
  StateFormat,
  StateMemory,
  StateSource,
} from "../../src/store/state.ts";
import type { Random } from "../../tools/random.ts";
import { applyToModel, type Entry, type Model } from "../../tools/map-model.ts";
import { bytesOf, ModelStore } from "./model-store.ts";
import type { Stepped } from "./sim-source.ts";

/** What the state needs of its node. */
export interface PublicHost {
  readonly random: Random;
  readonly sizes: { readonly slots: number; readonly slotBytes: number };
  after(delayMs: number, what: () => void): void;
  /** Runs something on the node. */
  run(what: () => void): void;
  /** What was promised is about to be kept: it comes before anything else happens. */
  promised(): void;
  refuses(isInside: boolean): boolean;
  fails(): boolean;
  readable(frozen: FrozenState & Stepped): FrozenState;
  breach(what: string): never;
  mark(what: string): void;
  /** The log that the node is in. */
  name(): LogName;
  /** What the state must be at this place of the log; undefined where nobody knows. */
  digestAt(offset: number, chain: number): string | undefined;
}

const CALL_MS = [0.2, 20, 200] as const;
const AT_ONCE = 0.4;
/** Records of one part. */
const PART_RECORDS = 7;

/** When a call fails: before it has done anything, when it has done all, or in the middle. */
type Failing = "start" | "end" | "nowhere";

export class PublicMap extends ModelStore {
  readonly durability: StateDurability;
  private readonly host: PublicHost;
  private readonly callMs: number;
  private stored: Mark | null = null;
  private busy = "";
  private isStaged = false;
  private snapshots = 0;
  /** What is to be frozen, in the order of the calls. */
  private readonly pinned: Model[] = [];

  constructor(host: PublicHost) {
    super();
    this.host = host;
    this.callMs = host.random.pick(CALL_MS);
    this.durability = host.random.pick(["none", "process"] as const);
  }

  get snapshotsOpen(): number {
    return this.snapshots;
  }

  memory(): StateMemory {
    return { dataBytes: bytesOf(this.map), pinnedBytes: 0 };
  }

  /** As the bridge calls it. */
  get asState(): ReplicatedState {
    return {
      format: { name: "public", version: 1 },
      durability: this.durability,
      open: () => ({ mark: this.stored, empty: this.map.size === 0 }),
      apply: (batch) => this.applyBatch(batch),
      mark: () => this.call("mark", () => this.stored),
      freeze: () => this.freeze(),
      stage: () => this.stage(),
    };
  }

  protected demandIdle(what: string): void {
    // What is frozen is fixed.
    if (this.busy === "a freeze" && what === "written") return;
    if (this.busy !== "") this.host.breach(`${what} while ${this.busy} is not answered`);
  }

  private applyBatch(batch: Batch): Awaitable<void> {
    if (this.isStaged) this.host.breach("a batch is applied beside a staged state");
    return this.call("a batch", (failing) => {
      if (failing === "start") return;
      const map = new Map(this.map);
      const changed = this.changed(
        map,
        batch,
        failing === "nowhere" ? batch.count / 2 : batch.count,
      );
      if (bytesOf(map) > this.limitBytes && changed > 0) throw new Error("no memory, says a fault");
      this.keep(map, failing === "nowhere" ? null : batch.end);
      if (failing !== "nowhere") this.checkMark(batch.end);
    });
  }

  /** Up to `most` of them, about. @returns bytes */
  private changed(map: Model, records: Records, most: number): number {
    let seen = 0;
    let bytes = 0;
    records.each((log, from, to) => {
      if (seen++ >= most && most < records.count) return;
      bytes += to - from;
      if (this.host.refuses(seen > 1)) throw new Error("no memory, says a fault");
      applyToModel(map, log.subarray(from, to));
    });
    if (seen !== records.count) this.host.breach(`${seen} records in a batch of ${records.count}`);
    return bytes;
  }

  private keep(map: Model, end: Mark | null): void {
    this.map = map;
    this.isShared = false;
    if (this.durability !== "none") this.stored = end ?? Buffer.from("half");
  }

  /** It names the log that the node is in, and a place where this state is. */
  private checkMark(end: Mark, isSwap = false): void {
    const { offset, chain, history } = decodeMark(end);
    const name = this.host.name();
    const isKnown =
      name.history === history || name.lineage.some((entry) => entry.history === history);
    // A node gets its name with the swap.
    if (!isKnown && !isSwap) this.host.breach(`a mark of the history ${history}`);
    const wanted = this.host.digestAt(offset, chain);
    const { records, sum } = this.digest();
    if (wanted !== `${records}:${sum}`)
      this.host.breach(
        `a mark at ${offset}, where the state is ${String(wanted)}, not ${records}:${sum}`,
      );
    this.host.mark("mark compared");
  }

  /**
   * It is to be frozen as it is now. Why not when it is called: that may have to wait for another freeze, and a write
   * of a client comes behind both, which is what a writer over the bridge does.
   */
  pin(): void {
    this.pinned.push(this.map);
    this.isShared = true;
  }

  private freeze(): Awaitable<Frozen> {
    const map = this.pinned.shift()!;
    return this.call("a freeze", () => this.frozen(map));
  }

  private frozen(map: Model): Frozen {
    const keys = [...map.keys()].sort();
    const withTokens = this.host.random.fraction() < 0.5;
    this.snapshots += 1;
    const parts = function* (from: number): Iterable<Part> {
      for (let at = from; at < keys.length; at += PART_RECORDS) {
        const records = keys
          .slice(at, at + PART_RECORDS)
          .map((key) => recordOf(key, map.get(key)!));
        yield withTokens ? { records, token: Buffer.from(String(at + PART_RECORDS)) } : { records };
      }
    };
    return {
      records: map.size,
      bytes: bytesOf(map),
      read: (after) => parts(after === null ? 0 : Number(Buffer.from(after).toString())),
      close: () => {
        this.snapshots -= 1;
        if (this.snapshots < 0) this.host.breach("a frozen state is closed twice");
      },
    };
  }

  private stage(): Awaitable<Staging> {
    if (this.isStaged) this.host.breach("two states are staged");
    return this.call("a stage", (failsToStage) => {
      const map: Model = new Map();
      this.isStaged = failsToStage === null;
      return {
        load: (records) =>
          this.call("a chunk", () => void this.changed(map, records, records.count)),
        commit: (end) =>
          this.call("a commit", (failing) => {
            this.isStaged = false;
            if (failing === "start") return;
            // It kept the old one, and does not know any more what that is.
            this.keep(failing === "nowhere" ? this.map : map, failing === "nowhere" ? null : end);
            if (failing !== "nowhere") this.checkMark(end, true);
          }),
        abort: () =>
          this.call("an abort", () => {
            this.isStaged = false;
          }),
      };
    });
  }

  /** Does it, at once or later; a failure is drawn, and comes with it. */
  private call<T>(what: string, work: (failing: Failing | null) => T): Awaitable<T> {
    const { host } = this;
    this.demandIdle(what);
    const isFailing = what !== "mark" && what !== "a freeze" && host.fails();
    const kinds = ["start", "end", "nowhere"] as const;
    const isAtOnce = host.random.fraction() < AT_ONCE;
    // With no mark to tell, what throws at once has changed nothing.
    const drawn = host.random.pick(kinds);
    const failing = !isFailing ? null : this.durability === "none" && isAtOnce ? "start" : drawn;
    const run = (): T => {
      const done = work(failing);
      if (failing === null) return done;
      host.mark(`public state failed: ${failing}`);
      throw new Error("the state failed, says a fault");
    };
    if (isAtOnce) return run();
    this.busy = what;
    // Why done outside of the event: between what it does and its answer nobody looks at the node.
    return new Promise<void>((resolve) => {
      host.after(host.random.fraction() * this.callMs, () => {
        host.promised();
        resolve();
      });
    }).then(() => {
      this.busy = "";
      return run();
    });
  }
}

/** A SET with all of it. */
function recordOf(key: string, { value, expireAt }: Entry): Buffer {
  const bytes = Buffer.alloc(setBytes(key.length, value.length, expireAt));
  const at = encodeSetHead(bytes, 0, key.length, expireAt);
  bytes.write(key, at, "latin1");
  value.copy(bytes, at + key.length);
  return bytes;
}

/** The state over its bridge, as a node of the simulator has it. */
export class BridgedMap implements StateSource, StateFormat, LateTarget {
  readonly answers = "later";
  readonly map: PublicMap;
  readonly format: StateFormat["format"];
  private readonly bridge: BridgedState;
  private readonly host: PublicHost;
  private readonly inner = new WeakMap<FrozenState, FrozenState>();

  constructor(host: PublicHost) {
    this.host = host;
    this.map = new PublicMap(host);
    this.bridge = new BridgedState(this.map.asState, {
      sizes: host.sizes,
      nextTurn: (run) =>
        host.after(host.random.fraction() * 0.1, () => {
          host.promised();
          run();
        }),
      name: () => host.name(),
      bootId: NO_BOOT,
      onFailure: (_, at) => host.mark(`public state judged: ${at}`),
    });
    this.format = this.bridge.format;
  }

  set onAnswer(onAnswer: (error: Error | null) => void) {
    // Why on the node: a promise answers outside of its turns.
    this.bridge.onAnswer = (error) => this.host.run(() => onAnswer(error));
  }
  get onAnswer(): (error: Error | null) => void {
    return this.bridge.onAnswer;
  }
  get appliedTo(): number {
    return this.bridge.appliedTo;
  }

  isEmpty(): boolean {
    return this.map.size === 0;
  }
  memory(): StateMemory {
    return { ...this.bridge.memory(), dataBytes: this.map.memory().dataBytes };
  }
  applyRange(bytes: Buffer, from: number, to: number): boolean {
    if (batchLength(bytes, from) < to - from) this.host.mark("run of several batches");
    return this.bridge.applyRange(bytes, from, to);
  }
  stage(estimate: StageEstimate): LateStaging {
    return this.bridge.stage(estimate);
  }

  freeze(): FrozenState {
    this.map.pin();
    const frozen = this.bridge.freeze();
    const { records, bytes } = frozen;
    const stepped = {
      records,
      bytes,
      // It goes on by itself.
      step: () => false,
      read: frozen.read.bind(frozen),
      digest: frozen.digest.bind(frozen),
      close: frozen.close.bind(frozen),
    };
    const readable = this.host.readable(stepped);
    this.inner.set(readable, frozen);
    return readable;
  }

  reclaimableBytes(frozen: readonly FrozenState[]): number {
    return this.bridge.reclaimableBytes(frozen.map((each) => this.inner.get(each) ?? each));
  }
}
