/**
 * The fleet of the running vitest test: stopped when the test ends, its logs shown when it fails.
 *
 * Owns: the tie to vitest. Does not own: processes (processes.ts).
 */
import { onTestFailed, onTestFinished } from "vitest";
import { Fleet } from "../../tools/processes.ts";

/** Call once inside a test. */
export function useFleet(): Fleet {
  const fleet = new Fleet();
  onTestFailed(() => console.error(fleet.dump()));
  onTestFinished(() => fleet.stopAll());
  return fleet;
}
