/**
 * How near a node is to others, by its links and its session.
 *
 * Owns: that wiring. Does not own: what is near (nearness.ts).
 * Tested in: test/e2e/nearness.test.ts.
 */
import { staleMs } from "../replica/owed.ts";
import type { Session } from "../replica/session.ts";
import { Nearness, type NearnessOptions, type NearnessParts, NO_LIMITS } from "./nearness.ts";
import { hasState, type Role, roleName } from "./roles.ts";

/** The parts of a node that it looks at; core.ts. */
interface NearNode {
  readonly feeder: Pick<NearnessParts, "goodReplicas">;
  readonly session: Session;
  readonly roles: { readonly now: Role };
  readonly now: () => number;
}

export function nearnessOf(
  { feeder, session, roles, now }: NearNode,
  options: NearnessOptions = NO_LIMITS,
): Nearness {
  return new Nearness({
    options,
    get role() {
      return roleName(roles.now);
    },
    goodReplicas: (withinMs) => feeder.goodReplicas(withinMs),
    staleMs: () => (hasState(roles.now) ? staleMs(session, now()) : -1),
  });
}
