/**
 * A state of an embedder's own, as its node has it: behind the bridge, opened with its mark, with a log on
 * disk or without, closed last.
 *
 * Owns: that wiring. Does not own: the bridge (bridge/), what a mark comes to (marked-start.ts, disk/).
 * Tested in: test/unit/embed/replicate.test.ts.
 */
import { BridgedState, type OpenedState } from "../bridge/bridged-state.ts";
import { NO_BOOT } from "../bridge/mark.ts";
import type { ReplicatedState } from "../bridge/seam.ts";
import { wordsOf } from "../errors.ts";
import type { LogName } from "../log/history.ts";
import type { Journal } from "../primary/journal.ts";
import { isId } from "../wire/id.ts";
import type { Id } from "../wire/messages.ts";
import type { NodeCore } from "./core.ts";
import { bootId } from "./disk/directory-lock.ts";
import type { KeptState, NodeDisk } from "./disk/node-disk.ts";
import { machineBytes } from "./machine.ts";
import { MarkedSource } from "./marked-checkpoints.ts";
import { markLed, startMarked, tellDamage } from "./marked-start.ts";

export interface EmbeddedDeps {
  readonly ringSlots: number;
  readonly chunkBytes: number;
  /** The log that a batch is in which is given to the state. */
  readonly name: () => LogName;
  readonly journal: Journal;
}

export class EmbeddedState {
  readonly bridge: BridgedState;
  /** What checkpoints are made of; null for the state itself. */
  readonly checkpointSource: MarkedSource | null;
  readonly #journal: Journal;

  /** @throws {ArgumentError} when `state` is not in the form of one */
  constructor(state: ReplicatedState, deps: EmbeddedDeps) {
    const { ringSlots: slots, chunkBytes: slotBytes, name, journal } = deps;
    this.#journal = journal;
    this.bridge = new BridgedState(state, {
      sizes: { slots, slotBytes },
      nextTurn: (run) => setImmediate(run),
      name,
      bootId: presentBoot(),
      onFailure: (why, at) => journal("warn", "state_failed", { why, at }),
    });
    this.checkpointSource = this.bridge.kept.keepsMarks ? new MarkedSource(this.bridge) : null;
  }

  /** The node has what the state has. @returns what `disk` had of it; as NodeDisk.open() */
  async open(core: NodeCore, disk: NodeDisk | null): Promise<"nothing" | "whole" | null> {
    const { bridge } = this;
    const opened = await bridge.open();
    tellDamage(opened, this.#journal);
    if (disk !== null) return disk.open(core, this.#keptBy(core, opened));
    startMarked(core, opened);
    await markLed(core, bridge, opened);
    return opened.place === null ? "nothing" : "whole";
  }

  /** What the state has by itself; null when it is kept by checkpoints. */
  #keptBy(core: NodeCore, opened: OpenedState): KeptState | null {
    const { bridge } = this;
    if (!bridge.kept.keepsMarks) return null;
    const { place, empty } = opened;
    const boot = presentBoot();
    const isSameBoot = boot !== NO_BOOT && place?.bootId === boot;
    const isExact = isSameBoot || bridge.durability === "power";
    return { place, empty, isExact, markLed: () => markLed(core, bridge, opened) };
  }

  /** What the state fails with then, nobody can do anything about. */
  async close(): Promise<void> {
    try {
      await this.bridge.close();
    } catch (error) {
      this.#journal("warn", "state_failed", { why: wordsOf(error), at: "close" });
    }
  }
}

/** What a replica may be given as a snapshot, bytes; `state` is null for the built-in store. */
export function stagedMax(state: ReplicatedState | null): number {
  // What keeps its own data does so on a disk, which says by itself when it is full.
  const isInMemory = state === null || state.durability === "none";
  return isInMemory ? machineBytes() : Number.POSITIVE_INFINITY;
}

/** Starts of a machine are told apart by it. */
function presentBoot(): Id {
  const digits = bootId().replaceAll("-", "").toLowerCase();
  return isId(digits) ? digits : NO_BOOT;
}
