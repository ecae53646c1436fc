/**
 * handOver(): a planned failover from inside the process, for Primary and ReplicatedNode.
 *
 * Owns: its wait, and what its end means. Does not own: the failover (node/failover.ts), signals and time
 * limits (waits.ts).
 * Tested in: test/unit/embed/hand-over.test.ts.
 */
import { NodeError } from "../errors.ts";
import { readAddress } from "../node/option-values.ts";
import type { DaemonNode } from "../node/node.ts";
import type { Wait, Waits } from "./waits.ts";
import { asEmbedder } from "./words.ts";

/** What handOver() takes. */
export interface HandOver extends Wait {
  /** HOST:PORT of the replica that is to lead: a port that it announced. The furthest one without it. */
  readonly to?: string;
}

/** @throws {UsageError} for a `to` that is no address; as Primary.handOver() */
export async function handOver(
  node: DaemonNode,
  waits: Waits,
  { to, ...wait }: HandOver = {},
): Promise<void> {
  const target = to === undefined ? null : readAddress(to);
  await waits.run("handOver()", wait, async (until) => {
    const ends: (string | null)[] = [];
    const refusal = node.failover.start({ to: target, force: false, timeoutMs: 0 }, (why) => {
      ends.push(why);
      node.turn.changed();
    });
    if (refusal !== null) throw new NodeError("ERR_NOT_HANDED_OVER", asEmbedder(refusal));
    try {
      await until(() => ends.length > 0);
    } catch (error) {
      // Once it has resigned nothing calls that back: the target may lead.
      if (node.failover.state === "waiting-for-sync") node.failover.abort(() => undefined);
      throw error;
    }
    const [why = null] = ends;
    if (why !== null) throw new NodeError("ERR_NOT_HANDED_OVER", asEmbedder(why));
  });
}
