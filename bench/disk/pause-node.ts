/**
 * The process of pause.ts: turns its loop until the time is over, and says how long a turn took at most.
 * Turns are counted, not kept: a list of twenty million grows by copies that are pauses of their own.
 */
import { performance } from "node:perf_hooks";
import { shipped } from "../lib/shipped.ts";

export interface PauseOrder {
  readonly writes: boolean;
  /** "" for a node without a disk. */
  readonly dir: string;
  readonly seconds: number;
}

export type Pauses = Readonly<Record<"longest_ms" | "p9999_ms" | "cpu_s", number>>;

const PER_MS = 20;
const KEYS = 100_000;
const WARM_UP_MS = 1_000;
/** Gaps are counted by the microsecond up to so many; the longest is kept as it is. */
const GAPS_US = 100_000;

class Gaps {
  readonly #counts = new Uint32Array(GAPS_US);
  #total = 0;
  longestMs = 0;

  add(ms: number): void {
    this.#counts[Math.min(GAPS_US - 1, Math.floor(ms * 1000))]! += 1;
    this.#total += 1;
    if (ms > this.longestMs) this.longestMs = ms;
  }

  quantileMs(share: number): number {
    let us = 0;
    for (let left = this.#total * share; left > 0 && us < GAPS_US; us++) left -= this.#counts[us]!;
    return us / 1000;
  }
}

async function run({ writes, dir, seconds }: PauseOrder): Promise<Pauses> {
  const { openNode } = await shipped("embed/open");
  const node = writes ? await openNode("primary", dir === "" ? {} : { dir }) : null;
  const value = Buffer.alloc(1000, "v");
  const key = Buffer.alloc(16, "k");
  const startedMs = performance.now();
  const gaps = new Gaps();
  let lastMs = startedMs;
  let written = 0;
  const turn = (): boolean => {
    const nowMs = performance.now();
    if (nowMs - startedMs > WARM_UP_MS) gaps.add(nowMs - lastMs);
    lastMs = nowMs;
    const due = Math.floor((nowMs - startedMs) * PER_MS);
    for (; node !== null && written < due; written++) {
      key.writeUInt32LE(written % KEYS, 0);
      node.keys.refresh(Date.now());
      node.keys.set(key, 0, key.length, value, 0, value.length, 0);
      node.node.turn.appended();
    }
    return nowMs - startedMs < seconds * 1000 + WARM_UP_MS;
  };
  while (turn()) await new Promise((resolve) => setImmediate(resolve));
  const { user, system } = process.cpuUsage();
  return {
    longest_ms: gaps.longestMs,
    p9999_ms: gaps.quantileMs(0.9999),
    cpu_s: (user + system) / 1e6,
  };
}

process.on("message", (order) => {
  void run(order as PauseOrder).then((pauses) => process.send!(pauses));
});
