/**
 * What a primary writes down before it hands over: that it never appends again in its term, and for whom.
 *
 * Pure. Owns: the value and its text in node.json. Does not own: when it is made (failover.ts), the role
 * that comes of it (roles.ts).
 * Tested in: test/unit/node/role-memory.test.ts.
 */
import { LIMITS } from "../limits.ts";
import type { Address } from "../net/address.ts";
import { flagOf, idOf, type Json, numberOf, objectOf } from "../wire/json-fields.ts";
import type { Id, Position } from "../wire/messages.ts";

export interface Resignation {
  readonly failoverId: Id;
  /** The store that is to lead; no other ever hears TAKE. */
  readonly target: Id;
  /** Of its replication port, as it said it on its newest link. */
  readonly upstream: Address;
  /** Where the log ended. */
  readonly end: Position;
  /** The target leads in this term, or above. */
  readonly term: number;
  /** It leads with what it has, if that is less. */
  readonly forced: boolean;
}

/** What an object says of a resignation, every field checked. @throws {Error} naming what is wrong */
export function readResignation(value: Json, upstream: Address): Resignation {
  const { history, offset, chain } = objectOf(value["end"], "role.end");
  return {
    failoverId: idOf(value["failoverId"], "role.failoverId"),
    target: idOf(value["target"], "role.target"),
    upstream,
    end: {
      history: idOf(history, "role.end.history"),
      offset: numberOf(offset, "role.end.offset", Number.MAX_SAFE_INTEGER),
      chain: numberOf(chain, "role.end.chain", 0xffff_ffff),
    },
    term: numberOf(value["term"], "role.term", LIMITS.termMax),
    forced: flagOf(value["forced"], "role.forced"),
  };
}
