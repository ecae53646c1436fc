/**
 * The turn's shell: the end of a turn of Node's loop (setImmediate) and one timer.
 *
 * Owns: that timer. Does not own: what a turn does (turn.ts).
 * Tested in: test/unit/node/node.test.ts.
 */
import type { TurnShell } from "./turn.ts";

export class LoopTurns implements TurnShell {
  #timer: NodeJS.Timeout | null = null;

  soon(run: () => void): void {
    setImmediate(run);
  }

  wakeAt(atMs: number, nowMs: number, wake: () => void): void {
    this.close();
    if (!Number.isFinite(atMs)) return;
    this.#timer = setTimeout(wake, Math.max(1, atMs - nowMs)).unref();
  }

  /** No wake any more. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
