/**
 * Waiting until others have confirmed what a node has written, in synchronous mode.
 *
 * Owns: what that means when it takes too long, or the node leads no more. Does not own: what is confirmed
 * (synchronous.ts), the turn that tells (turn.ts).
 * Tested in: test/unit/embed/confirmed.test.ts.
 */
import { NodeError } from "../errors.ts";
import type { Backlog } from "../log/backlog.ts";
import type { Synchronous } from "./synchronous.ts";

export interface ConfirmingNode {
  readonly backlog: Pick<Backlog, "next" | "seal">;
  readonly synchronous: Pick<
    Synchronous,
    "isOn" | "confirmed" | "leadership" | "timeoutMs" | "awaits"
  >;
}

/**
 * Resolves when all that was written by now is confirmed, at once where nothing has to be; `until` waits for
 * the end of a turn at which something holds.
 * @throws {NodeError} ERR_UNCONFIRMED
 */
export async function awaitConfirmed(
  { backlog, synchronous }: ConfirmingNode,
  until: (holds: () => boolean) => Promise<unknown>,
  now: () => number = () => performance.now(),
): Promise<void> {
  if (!synchronous.isOn) return;
  backlog.seal();
  const { next } = backlog;
  const { leadership } = synchronous;
  const endsMs = now() + synchronous.timeoutMs;
  const leads = (): boolean => synchronous.isOn && synchronous.leadership === leadership;
  const isDone = (): boolean => leads() && synchronous.confirmed >= next;
  if (isDone()) return;
  const ended = synchronous.awaits();
  // As it was when it was told: the node may lead no more by the time this goes on.
  const told = { isDone: false };
  try {
    await until(() => {
      told.isDone = isDone();
      return told.isDone || !leads() || now() >= endsMs;
    });
  } finally {
    ended();
  }
  if (told.isDone) return;
  const why = leads()
    ? `too few members have confirmed it within ${synchronous.timeoutMs} ms`
    : "this node leads no more";
  throw new NodeError("ERR_UNCONFIRMED", `written here, and it may be lost: ${why}`);
}
