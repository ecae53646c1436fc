/**
 * Positions as an embedder gives them back, checked.
 *
 * Owns: that check. Does not own: where a node is (node/following.ts).
 * Tested in: test/unit/embed/following.test.ts, test/unit/embed/replicated-node.test.ts.
 */
import { ArgumentError } from "../errors.ts";

/** @throws {ArgumentError} when it is no place in a log */
export function checkPosition(what: string, at: unknown): void {
  const { history, offset } = (at ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof history === "string" && Number.isSafeInteger(offset) && (offset as number) >= 0)
    return;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `${what}: a position has a history, a text, and an offset, a whole number from 0`,
  );
}
