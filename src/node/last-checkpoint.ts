/**
 * The checkpoint of a node that stops, and how long the stop waits for it.
 *
 * Owns: the limit and its timer. Does not own: whether there is one (checkpointer.ts).
 * Tested in: test/e2e/stopping.test.ts.
 */
import type { Checkpointer, StopSave } from "./checkpointer.ts";

/** One that was asked for with the stop has at least so long, ms. */
const ASKED_MS = 5_000;

/** @param settingMs --stop-checkpoint */
export function lastCheckpointMs(save: StopSave, settingMs: number): number {
  if (save === "nosave") return 0;
  return save === "save" ? Math.max(settingMs, ASKED_MS) : settingMs;
}

export interface StoppingNode {
  readonly core: {
    readonly checkpointer: Pick<Checkpointer, "leave" | "stop"> | null;
    readonly view: { readonly atBoundary: boolean };
  };
  readonly diskTrouble: unknown;
  readonly settings: { readonly stopCheckpointMs: number };
}

/** Resolves when it is done, or will not be: the log is enough without it. The session is stopped. */
export function lastCheckpoint(node: StoppingNode, save: StopSave): Promise<void> {
  const { checkpointer, view } = node.core;
  const mostMs = lastCheckpointMs(save, node.settings.stopCheckpointMs);
  // Why atBoundary: a batch that is applied in part stays so.
  const isPossible = mostMs > 0 && view.atBoundary && node.diskTrouble === null;
  if (checkpointer === null || save === "nosave" || !isPossible) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      checkpointer.stop(`the node stops, and it took longer than ${mostMs} ms`);
      resolve();
    }, mostMs);
    checkpointer.leave(save, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
