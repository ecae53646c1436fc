/**
 * What REPLICAOF says of roles, by its arguments.
 *
 * Pure. Owns: that. Does not own: what it does (commands/replication.ts), when (commands/transactions.ts).
 * Tested in: test/unit/resp/commands/transactions.test.ts.
 */
import type { Args } from "./args.ts";

/** REPLICAOF NO ONE [FORCE], or SLAVEOF. */
export function saysToLead(args: Args): boolean {
  const isForced = args.count === 4 && args.is(3, "FORCE");
  return args.is(1, "NO") && args.is(2, "ONE") && (args.count === 3 || isForced);
}
