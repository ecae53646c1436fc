/** What a question of this bench is: who is asked in turn, for which figures, and what they are held against. */
import type { Contender } from "./contenders.ts";

export type Figures = Readonly<Record<string, number>>;

/** One contender's figure in units of another's, pair by pair. */
export interface Ratio {
  readonly figure: string;
  readonly of: Contender;
  readonly to: Contender;
  /** As in the goals of the disk: at least so much of a rate, at most of a time. 0 for none. */
  readonly must: number;
  readonly aim: number;
}

export interface Question {
  readonly title: string;
  readonly contenders: readonly Contender[];
  readonly ratios: readonly Ratio[];
  /** Starts its own processes and ends them. `share` of every count, for a quick look. */
  readonly ask: (contender: Contender, share: number) => Promise<Figures>;
}

/** Figures of which more is better; of the others less is. */
export function moreIsBetter(figure: string): boolean {
  return figure.endsWith("_per_s");
}
