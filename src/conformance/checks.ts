/**
 * All checks, in the order in which they say most: a state that fails an early one need not be looked at by
 * a later one.
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import { APPLYING } from "./checks/applying.ts";
import { FREEZING } from "./checks/freezing.ts";
import { OPENING } from "./checks/opening.ts";
import { OWN } from "./checks/own.ts";
import { STAGING } from "./checks/staging.ts";
import { CRASHES } from "./crash.ts";
import type { CheckRow } from "./row.ts";

export const CHECKS: readonly CheckRow[] = [
  ...OPENING,
  ...APPLYING,
  ...FREEZING,
  ...STAGING,
  ...OWN,
  ...CRASHES,
];
