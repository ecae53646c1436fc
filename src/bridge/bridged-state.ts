/**
 * A public state (seam.ts) as the inner state of a node (store/state.ts).
 *
 *   node --freeze, memory--> source.ts --+
 *                                        +-- line.ts: one call at a time --> ReplicatedState
 *   node --applyRange, stage--> target.ts --+-- kept.ts: its mark, its failures
 *
 * Owns: the two sides together, opening and closing. Does not own: what a node makes of the mark it opens
 * with (node/marked-start.ts), writes of a primary.
 * Tested in: test/unit/bridge/target.test.ts, test/unit/bridge/source.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Id } from "../wire/messages.ts";
import type {
  FrozenState,
  LateStaging,
  LateTarget,
  RecordsFormat,
  StageEstimate,
  StateFormat,
  StateMemory,
  StateSource,
} from "../store/state.ts";
import { type FoundAt, KeptState } from "./kept.ts";
import { StateLine } from "./line.ts";
import { decodeMark, encodeMark, type MarkedPlace } from "./mark.ts";
import type { Batch, Mark, ReplicatedState, StateDurability } from "./seam.ts";
import { BridgeSource, type SourceDeps } from "./source.ts";
import { BridgeTarget, type TargetDeps } from "./target.ts";
import { BridgeWriter } from "./writer.ts";

export interface BridgeDeps extends SourceDeps, TargetDeps {
  /** A call of the state failed; where it is then. */
  readonly onFailure: (why: string, at: FoundAt) => void;
}

/** What a state was opened with. */
export interface OpenedState {
  /** Null when it has none, or none that can be read. */
  readonly place: MarkedPlace | null;
  /** Why its mark cannot be read, "" when it can. */
  readonly damage: string;
  readonly empty: boolean;
}

export class BridgedState implements StateSource, StateFormat, LateTarget {
  readonly answers = "later";
  readonly format: RecordsFormat;
  readonly durability: StateDurability;
  readonly kept: KeptState;
  readonly line: StateLine = new StateLine();
  /** As the order of a primary's writes calls it. */
  readonly writer: BridgeWriter;
  readonly #state: ReplicatedState;
  readonly #target: BridgeTarget;
  readonly #source: BridgeSource;
  readonly #bootId: Id;

  /** @throws {ArgumentError} when it is not in the form of a ReplicatedState */
  constructor(state: ReplicatedState, deps: BridgeDeps) {
    checkState(state);
    const { name, version, reads = [] } = state.format;
    this.#state = state;
    this.#bootId = deps.bootId;
    this.format = { name, version, reads };
    this.durability = state.durability;
    this.kept = new KeptState(state, deps.onFailure);
    this.#source = new BridgeSource(state, this.line, deps);
    this.#target = new BridgeTarget(state, this.kept, this.line, {
      ...deps,
      onLoaded: (size) => {
        this.#source.size = size;
      },
    });
    this.writer = new BridgeWriter(state, this.kept, this.line, this.#target);
  }

  /** Called first, once. Rejects with what the state fails with. */
  async open(): Promise<OpenedState> {
    const { mark, empty } = await this.line.call(() => this.#state.open());
    const { kept } = this;
    kept.isEmpty = empty;
    if (mark === null || !kept.keepsMarks) return { place: null, damage: "", empty };
    kept.mark = Uint8Array.from(mark);
    try {
      return { place: decodeMark(mark), damage: "", empty };
    } catch (error) {
      return { place: null, damage: (error as Error).message, empty };
    }
  }

  /** The state keeps another mark, and nothing else changes. Rejects as a batch that cannot be applied. */
  async markAs(place: Omit<MarkedPlace, "bootId">): Promise<void> {
    const end = encodeMark({ ...place, bootId: this.#bootId });
    await this.line.call(() => this.kept.apply(noRecords(end, place.clockMs)));
  }

  /** What was applied before outlives a loss of power, when the state can see to that. */
  async sync(): Promise<void> {
    await this.#state.sync?.();
  }

  /** What is open is given up. Nothing is called after it. */
  async close(): Promise<void> {
    this.#source.close();
    await this.#target.close();
    await this.line.call(() => this.#state.close?.());
  }

  // --- as any state --------------------------------------------------------------------------------

  get onAnswer(): (error: Error | null) => void {
    return this.#target.onAnswer;
  }
  set onAnswer(onAnswer: (error: Error | null) => void) {
    this.#target.onAnswer = onAnswer;
  }
  get appliedTo(): number {
    return this.#target.appliedTo;
  }

  isEmpty(): boolean {
    return this.kept.isEmpty;
  }

  freeze(): FrozenState {
    return this.#source.freeze();
  }

  memory(): StateMemory {
    return this.#source.memory();
  }

  reclaimableBytes(frozen: readonly FrozenState[]): number {
    return this.#source.reclaimableBytes(frozen);
  }

  applyRange(bytes: Buffer, from: number, to: number): boolean {
    return this.#target.applyRange(bytes, from, to);
  }

  stage(estimate: StageEstimate): LateStaging {
    return this.#target.stage(estimate);
  }
}

/** A batch that moves the mark alone. */
function noRecords(end: Mark, clockMs: number): Batch {
  return {
    count: 0,
    bytes: 0,
    end,
    clockMs,
    each: () => undefined,
    [Symbol.iterator]: () => [][Symbol.iterator](),
  };
}

const DURABILITIES: readonly unknown[] = ["none", "process", "power"] satisfies StateDurability[];
const CALLS = ["open", "apply", "freeze", "stage"] as const;
const U32_MAX = 0xffff_ffff;

function checkState(state: ReplicatedState): void {
  const given = state as unknown as Readonly<Record<string, unknown>> | null;
  if (typeof given !== "object" || given === null) refuse(`of type ${typeof given}`, "an object");
  for (const name of CALLS)
    if (typeof given[name] !== "function")
      refuse(`${name} is of type ${typeof given[name]}`, "a function");
  if (!DURABILITIES.includes(given["durability"]))
    refuse(`durability is ${shown(given["durability"])}`, '"none", "process" or "power"');
  if (given["durability"] !== "none" && typeof given["mark"] !== "function")
    refuse(`mark is of type ${typeof given["mark"]}`, 'a function, with a durability but "none"');
  checkFormat(given["format"]);
}

function checkFormat(format: unknown): void {
  const { name, version, reads = [] } = (format ?? {}) as Readonly<Record<string, unknown>>;
  const bytes = typeof name === "string" ? Buffer.byteLength(name) : 0;
  if (bytes === 0 || bytes > LIMITS.textBytesMax)
    refuse(`format.name is ${shown(name)}`, `a text of 1 to ${LIMITS.textBytesMax} bytes`);
  if (!isVersion(version)) refuse(`format.version is ${shown(version)}`, VERSION_TEXT);
  if (!Array.isArray(reads) || !reads.every(isVersion))
    refuse(`format.reads is ${shown(reads)}`, `an array, each ${VERSION_TEXT}`);
}

const VERSION_TEXT = `a whole number from 0 to ${U32_MAX}`;

function isVersion(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= U32_MAX;
}

function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number"
    ? JSON.stringify(value).slice(0, 100)
    : `of type ${typeof value}`;
}

function refuse(what: string, allowed: string): never {
  throw new ArgumentError("ERR_ARGUMENT", `state: ${what}; expected ${allowed}`);
}
