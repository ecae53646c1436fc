/**
 * Positions as an embedder gives them back, checked: as an object, or as the text of a token.
 *
 * Owns: that check. Does not own: where a node is (node/following.ts), the text (log/token.ts).
 * Tested in: test/unit/embed/following.test.ts, test/unit/embed/replicated-node.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import { type Place, readToken } from "../log/token.ts";

/** @throws {ArgumentError} when it is no place in a log */
export function placeOf(what: string, at: unknown): Place {
  if (typeof at === "string") {
    const token = readToken(at);
    if (token !== null) return token;
    throw new ArgumentError("ERR_ARGUMENT", `${what}: "${at.slice(0, 100)}" is no token`);
  }
  const { history, offset } = (at ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof history === "string" && Number.isSafeInteger(offset) && (offset as number) >= 0)
    return { history, offset: offset as number };
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `${what}: a position has a history, a text, and an offset, a whole number from 0`,
  );
}
