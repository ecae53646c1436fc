/**
 * Waiting for something of a node, with a time limit: told by the turn at whose end it holds.
 *
 * Owns: the limit's timer. Does not own: who waits (turn.ts).
 */
import type { Turn } from "./turn.ts";

/**
 * Resolves with true at the end of the first turn at which `holds()`, with false after `timeoutMs`
 * (Infinity for never). Neither leaves anything behind.
 */
export function awaitTurn(turn: Turn, holds: () => boolean, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | null = null;
    const cancel = turn.until(holds, () => {
      if (timer !== null) clearTimeout(timer);
      resolve(true);
    });
    if (!Number.isFinite(timeoutMs)) return;
    timer = setTimeout(() => {
      cancel();
      resolve(false);
    }, timeoutMs);
  });
}
