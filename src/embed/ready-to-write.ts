/**
 * Waiting until writing is welcome: at once, but while a syncing replica needs writers to slow down, or the
 * disk of `dir` is behind.
 *
 * Owns: that wait, for Primary and ReplicatedNode. Does not own: the pace (primary/pacing.ts), signals and
 * time limits (waits.ts).
 * Tested in: test/unit/embed/ready.test.ts, test/unit/embed/replicated-node.test.ts.
 */
import type { DaemonNode } from "../node/node.ts";
import { newWriterTurn } from "../primary/pace.ts";
import type { Until } from "./waits.ts";

type PacedNode = Pick<DaemonNode, "mayWrite" | "onWritersResumed" | "turn">;

/** @param refuse throws when no write would be taken; asked at first and at the end of each turn */
export async function untilWelcome(
  node: PacedNode,
  until: Until,
  refuse: () => void = () => undefined,
): Promise<void> {
  const turn = newWriterTurn();
  refuse();
  while (!node.mayWrite(turn, 0)) {
    const told = { is: false };
    const cancel = node.onWritersResumed(turn, () => {
      told.is = true;
      node.turn.changed();
    });
    try {
      await until(() => {
        refuse();
        return told.is;
      });
    } finally {
      cancel();
    }
  }
}
