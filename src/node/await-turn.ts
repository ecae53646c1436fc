/**
 * Waiting for something of a node, with a time limit: told by the turn at whose end it holds.
 *
 * Owns: the limit's timer. Does not own: who waits (turn.ts).
 * Tested in: test/unit/node/turn.test.ts.
 */
import type { Turn } from "./turn.ts";

/** The longest that a timer of Node waits, 25 days; what is longer fires at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/**
 * Resolves with true at the end of the first turn at which `holds()`, with false after `timeoutMs`
 * (never when that is beyond 25 days). Neither leaves anything behind.
 */
export function awaitTurn(turn: Turn, holds: () => boolean, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | null = null;
    const cancel = turn.until(holds, () => {
      if (timer !== null) clearTimeout(timer);
      resolve(true);
    });
    if (timeoutMs > TIMER_MS_MAX) return;
    timer = setTimeout(() => {
      cancel();
      resolve(false);
    }, timeoutMs);
  });
}
