/**
 * How a snapshot takes the place of the live entries of an ordered store, so that a kill at any step leaves
 * the old state or the new one, and the keys stay where the embedder has them.
 *
 *   step                                            a kill after it, and open():
 *   stage     nothing                               the old state
 *   load      entries are put under staged<g>       the old state; they are removed
 *   commit 1  swap = (g, end), one write            the new state: 2 and 3 are done
 *   commit 2  live entries become those of          the same; 2 begins again, and leaves what is equal
 *             staged<g>, in slices
 *   commit 3  mark = end, swap is removed, one write  the new state; staged<g> is removed
 *   tidy      staged<g> is removed, in slices       the new state; the rest is removed
 *
 * Step 2 walks both ranges side by side and writes only what differs. It may fail (a full disk): then swap
 * stays, the state is the new one, and the next call begins with step 2. Whoever reads the store itself
 * sees live entries of both states during step 2, and else never; the reads of the adapter look into
 * staged<g> meanwhile.
 *
 * A generation is a random number, and tidying removes one generation: never what came afterwards.
 *
 * Owns: the steps over an ordered store. Does not own: when they are called (ordered-state.ts).
 * Tested in: test/unit/adapters/level-kills.test.ts.
 */
import { randomBytes } from "node:crypto";
import type { Awaitable } from "../bridge/seam.ts";
import {
  type Changes,
  type Entry,
  nextTurn,
  NO_BYTES,
  type OrderedStore,
  type Pin,
  readLive,
  type ReservedKeys,
  type Swap,
} from "./ordered-store.ts";

/** Changes that go into one write: a few ms of a loop, and a few of a disk. */
const CHANGES_MAX = 250;
const CHANGED_BYTES_MAX = 262_144;
/** Entries removed by one write behind a commit: nobody waits for it, so the loop is held as short as may be. */
const TIDIED_MAX = 100;

/** Steps 2 and 3. */
export async function settle<P extends Pin>(
  store: OrderedStore<P>,
  keys: ReservedKeys,
  swap: Swap,
): Promise<void> {
  const prefix = keys.stagedPrefix(swap.generation);
  const { to } = keys.stagedRange(swap.generation);
  const live = new Walk((after) => readLive(store, keys, after, null), 0);
  const staged = new Walk(
    (after) => store.read({ from: after ?? prefix, isAfter: after !== null, to }, null),
    prefix.length,
  );
  const changed = new Changed(store);
  while (true) {
    if (live.needsMore) await live.more();
    if (staged.needsMore) await staged.more();
    if (live.isOver && staged.isOver) break;
    const order = orderOf(live, staged);
    if (order < 0) changed.delete(live.key);
    else if (order > 0 || !live.value.equals(staged.value)) changed.put(staged.key, staged.value);
    if (order <= 0) live.next();
    if (order >= 0) staged.next();
    if (changed.isFull) await changed.write();
  }
  await changed.write();
  await store.write((changes) => {
    changes.put(keys.mark, store.own(swap.end));
    changes.delete(keys.swap);
  });
}

/** Which of two walks is at the lower key; one that is over is at none. */
function orderOf(live: Walk, staged: Walk): number {
  if (live.isOver) return 1;
  if (staged.isOver) return -1;
  return live.key.compare(staged.key);
}

/** Removes the entries of a generation that is no more, until it is told to stop. */
export async function tidy<P extends Pin>(
  store: OrderedStore<P>,
  keys: ReservedKeys,
  generation: number,
  isStopped: () => boolean,
): Promise<void> {
  let range = keys.stagedRange(generation);
  while (true) {
    await nextTurn();
    if (isStopped()) return;
    const entries = await store.read(range, null);
    if (entries.length === 0) return;
    for (let at = 0; at < entries.length; at += TIDIED_MAX) {
      if (at > 0) await nextTurn();
      if (isStopped()) return;
      await store.write((changes) => {
        for (const { key } of entries.slice(at, at + TIDIED_MAX)) changes.delete(key);
      });
    }
    range = { ...range, from: entries.at(-1)!.key, isAfter: true };
  }
}

/** Generations of which something is there. */
export async function generationsOf<P extends Pin>(
  store: OrderedStore<P>,
  keys: ReservedKeys,
): Promise<number[]> {
  const generations: number[] = [];
  let range = keys.stagedFrom;
  while (true) {
    const [entry] = await store.read(range, null);
    if (entry === undefined || !keys.isStaged(entry.key)) return generations;
    const generation = keys.generationOf(entry.key);
    generations.push(generation);
    range = { ...range, from: keys.stagedRange(generation).to! };
  }
}

/** A generation of which nothing is there: never one that somebody may still be tidying. */
export async function freshGeneration<P extends Pin>(
  store: OrderedStore<P>,
  keys: ReservedKeys,
): Promise<number> {
  while (true) {
    const generation = randomBytes(4).readUInt32LE(0);
    const [entry] = await store.read(keys.stagedRange(generation), null);
    if (entry === undefined) return generation;
  }
}

type Reading = (after: Buffer | null) => Awaitable<readonly Entry[]>;

/** Entries in order, a list at a time. */
class Walk {
  isOver = false;
  key: Buffer = NO_BYTES;
  value: Buffer = NO_BYTES;
  private readonly read: Reading;
  private readonly cut: number;
  private entries: readonly Entry[] = [];
  private index = 0;
  private last: Buffer | null = null;

  /** @param cut bytes that its keys have before the key. */
  constructor(read: Reading, cut: number) {
    this.read = read;
    this.cut = cut;
  }

  /** There is a list to be read before it is at an entry. */
  get needsMore(): boolean {
    return !this.isOver && this.index === this.entries.length;
  }

  async more(): Promise<void> {
    await nextTurn();
    this.entries = await this.read(this.last);
    this.index = 0;
    this.isOver = this.entries.length === 0;
    if (!this.isOver) this.take();
  }

  next(): void {
    this.index += 1;
    if (this.index < this.entries.length) this.take();
  }

  private take(): void {
    const { key, value } = this.entries[this.index]!;
    this.last = key;
    this.key = this.cut === 0 ? key : key.subarray(this.cut);
    this.value = value;
  }
}

/** Changes that wait for their write. */
class Changed<P extends Pin> {
  private readonly store: OrderedStore<P>;
  private steps: { readonly key: Buffer; readonly value: Buffer | null }[] = [];
  private bytes = 0;

  constructor(store: OrderedStore<P>) {
    this.store = store;
  }

  get isFull(): boolean {
    return this.steps.length >= CHANGES_MAX || this.bytes >= CHANGED_BYTES_MAX;
  }

  put(key: Buffer, value: Buffer): void {
    this.steps.push({ key, value });
    this.bytes += key.length + value.length;
  }

  delete(key: Buffer): void {
    this.steps.push({ key, value: null });
    this.bytes += key.length;
  }

  async write(): Promise<void> {
    const { steps } = this;
    this.steps = [];
    this.bytes = 0;
    if (steps.length > 0) await this.store.write((changes) => fill(changes, steps));
  }
}

function fill(
  changes: Changes,
  steps: readonly { readonly key: Buffer; readonly value: Buffer | null }[],
): void {
  for (const { key, value } of steps)
    if (value === null) changes.delete(key);
    else changes.put(key, value);
}
