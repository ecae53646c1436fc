/**
 * The data directory of a simulated node: a disk that crashes, and what must come back from it. It outlives
 * processes.
 *
 *   promised    by a process that lives                       comes back after
 *   durable     its log said so, or a client was answered      any death
 *               with --fsync always
 *   written     its log said so                               the death of the process alone
 *   replaced    a swap: the old log counts, or the new one,   either, until the new one is durable
 *               and nobody knows which
 *
 * Owns: the disk, its settings, promises. Does not own: who runs on it (node-on-disk.ts), when it dies
 * (disk-faults.ts).
 */
import type { FsyncPolicy } from "../../src/log/disk/sync-policy.ts";
import { Random } from "../../tools/random.ts";
import { SimError } from "./clock.ts";
import { isPrefix, type Boundary } from "./truth.ts";
import { VirtualDisk, VirtualTree } from "./virtual-disk.ts";

export interface DiskSettings {
  readonly policy: FsyncPolicy;
  readonly fileBytes: number;
  /** --log-keep. */
  readonly keepBytes: number;
  /** --reclaim. */
  readonly reclaimMs: number;
}

/** How far a log says that it is kept. */
export interface Kept {
  readonly durable: number;
  readonly written: number;
  /** Swaps of the process so far, by the offset at which each began a log. */
  readonly restarts: readonly number[];
}

export class LogDisk {
  readonly settings: DiskSettings;
  readonly random: Random;
  readonly disk: VirtualDisk;
  readonly tree: VirtualTree;
  #durable: Boundary | null = null;
  #written: Boundary | null = null;
  /** Where logs begin that may count by now; offsets until the batches there are known. */
  #replaced: Boundary[] = [];
  #restarts = 0;
  /** What the process had, of each log since the last that is known to count. */
  #lines: Boundary[] = [];
  /** What came back last is of before or after a swap: which one nobody knew. */
  wasReplaced = false;
  /** What came back last is of before a swap that did not count yet. */
  isOfBefore = false;
  /** How the last process ended; null when it was told to and all was durable. */
  #death: "machine" | "process" | null = null;

  constructor(random: Random, backlogBytes: number) {
    this.random = random;
    this.disk = new VirtualDisk(random);
    this.tree = new VirtualTree(this.disk, "dir");
    this.settings = {
      policy: random.pick(["always", "everysec", "everysec", "no"] as const),
      fileBytes: random.pick([2_000, 20_000, 200_000]),
      keepBytes: random.pick([1_000, 4 * backlogBytes, 4 * backlogBytes]),
      reclaimMs: random.pick([0, 300, 5_000]),
    };
  }

  /** Nothing fails any more. */
  calm(): void {
    this.disk.crashAt = Number.POSITIVE_INFINITY;
    this.disk.capacity = Number.POSITIVE_INFINITY;
    this.disk.fail = () => null;
  }

  /** What was promised to outlive any crash ends here. */
  get durable(): number {
    return this.#durable?.offset ?? 0;
  }

  /** A swap does not count yet. */
  get isReplaced(): boolean {
    return this.#replaced.length > 0;
  }

  // --- promises ------------------------------------------------------------------------------------

  /** What a process says now; it is at `at`. */
  note({ durable, written, restarts }: Kept, at: Boundary): void {
    for (; this.#restarts < restarts.length; this.#restarts++) {
      const start = restarts[this.#restarts]!;
      // Why not of each: the log of a swap that was followed by another in this event is of nobody.
      if (this.#restarts === restarts.length - 1) this.#replaced.push(above(at, start));
    }
    if (this.#replaced.length > 0 && durable > 0) {
      this.#replaced = [];
      this.#durable = this.#written = null;
      this.#lines = [];
    }
    this.#seeLine(at);
    if (this.#replaced.length > 0) return;
    this.#durable = later(this.#durable, durable, at);
    this.#written = later(this.#written, written, at);
  }

  /** A client was told that its write, in the log before `at`, outlives any crash. */
  answered(at: Boundary): void {
    if (this.#durable === null || this.#durable.depth < at.depth) this.#durable = at;
  }

  #seeLine(at: Boundary): void {
    const newest = this.#lines.at(-1);
    if (newest !== undefined && isPrefix(newest, at)) this.#lines[this.#lines.length - 1] = at;
    else this.#lines.push(at);
  }

  // --- deaths --------------------------------------------------------------------------------------

  /** The process is gone, with its machine or alone. */
  die(how: "machine" | "process"): void {
    if (how === "machine") this.disk.crash();
    else this.disk.kill();
    // Why: one that dies again while it opens has the death before to answer for.
    if (this.#death !== "machine") this.#death = how;
    this.#restarts = 0;
    this.calm();
  }

  /** It ended as it was told to, with all that it had. */
  stopped(at: Boundary): void {
    this.disk.kill();
    this.#durable = this.#written = at;
    this.#restarts = 0;
    this.calm();
  }

  /** What came back is `at`. @returns what is wrong with that, "" for nothing */
  cameBack(at: Boundary): string {
    const must = this.#death === "machine" ? this.#durable : (this.#written ?? this.#durable);
    const isThere = must === null || must.depth === 0 || isPrefix(must, at);
    this.wasReplaced = this.isReplaced;
    const isNew = this.#replaced.some((start) => isPrefix(start, at));
    const had = this.#lines;
    this.isOfBefore = this.wasReplaced && !isNew;
    this.#death = null;
    this.#durable = this.#written = at;
    this.#replaced = [];
    this.#lines = [at];
    if (!isThere && !isNew) return `came back at ${at.offset}, ${must.offset} was promised`;
    if (at.depth > 0 && !had.some((line) => isPrefix(at, line)))
      return `came back at ${at.offset}, which it never had`;
    return "";
  }

  /** Nothing came back: it never had a state. @returns what is wrong with that, "" for nothing */
  cameBackEmpty(at: Boundary): string {
    this.isOfBefore = this.wasReplaced = this.isReplaced;
    const must = this.#death === "machine" ? this.#durable : (this.#written ?? this.#durable);
    this.#death = null;
    this.#durable = this.#written = null;
    this.#replaced = [];
    this.#lines = [at];
    return must === null || must.depth === 0 ? "" : `lost all, ${must.offset} was promised`;
  }
}

/** The boundary at `offset` on the way to `at`. */
function above(at: Boundary, offset: number): Boundary {
  let way: Boundary | null = at;
  while (way !== null && way.offset > offset) way = way.parent;
  if (way?.offset !== offset) throw new SimError(`${offset} is inside a batch, or of another log`);
  return way;
}

/** The one at `offset`, unless more was promised. */
function later(before: Boundary | null, offset: number, at: Boundary): Boundary {
  if (before !== null && before.offset >= offset) return before;
  return above(at, Math.min(offset, at.offset));
}
