/**
 * What the lives of a few nodes have in common, whatever they are about: a clock, a network, members, marks of
 * what was seen, the newest lines of what happened.
 *
 * Owns: those. Does not own: what happens in a life, what is checked (failover-life.ts, reclaim-life.ts).
 */
import { Random } from "../../tools/random.ts";
import { Clock } from "./clock.ts";
import { Network } from "./network.ts";
import type { Member } from "./reclaim-member.ts";

export const WORKLOAD = { keys: 60, valueMax: 200, largeEvery: 40, largeMax: 3_000 };
const QUALITY = { jitterMs: 2, rate: 2_000, pieceMax: 4_096, flipEvery: 0, capacity: 65_536 };
const LINES_KEPT = 400;

export abstract class Life {
  readonly seed: number;
  readonly random: Random;
  readonly clock: Clock = new Clock();
  readonly net: Network;
  readonly marks = new Map<string, number>();
  readonly lines: string[] = [];
  verbose = false;
  readonly members = new Map<string, Member>();

  constructor(seed: number, latenciesMs: readonly number[]) {
    this.seed = seed;
    this.random = new Random(seed);
    const latencyMs = this.random.pick(latenciesMs);
    this.net = new Network(this.clock, this.random, { ...QUALITY, latencyMs }, () => undefined);
    this.clock.after = () => this.look();
  }

  abstract run(): void;

  /** Where every member is, for whoever reads of a failure. */
  abstract figures(): string;

  /** After everything that happens. */
  protected abstract look(): void;

  node(name: string): Member | undefined {
    return this.members.get(name);
  }

  mark(what: string): void {
    this.marks.set(what, (this.marks.get(what) ?? 0) + 1);
  }

  say(text: string): void {
    const line = `${this.clock.nowMs.toFixed(3).padStart(12)} ${text}`;
    this.lines.push(line);
    if (this.lines.length > 2 * LINES_KEPT) this.lines.splice(0, LINES_KEPT);
    if (this.verbose) console.log(line);
  }
}
