/**
 * The machine that a node runs on.
 *
 * Owns: how much memory it has. Does not own: limits that follow from it (replica/options.ts).
 * Tested in: test/unit/node/node.test.ts.
 */
import { totalmem } from "node:os";

/** Memory of this machine, or of the container that this is in. */
export function machineBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
