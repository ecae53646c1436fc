/**
 * What a process that is to be killed does with its state, step by step: drawn from the seed and the step's
 * number alone, so that who finds the state afterwards knows what must be in it.
 *
 *   mark of step n = u32le n, and filler
 *
 * Pure. Owns: steps, marks, the outcome of n steps. Does not own: doing them (crash-child.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Mark } from "../bridge/seam.ts";
import { Draws } from "./draws.ts";
import { change, drawOps, type Model, type Op } from "./model.ts";
import type { Examples } from "./subject.ts";

/** What is being done when the process dies. */
export type CrashKind = "apply" | "commit" | "transact";

export interface Step {
  /** `replace`: `ops` are all that is in it afterwards, by way of a snapshot. */
  readonly does: "apply" | "replace" | "transact";
  readonly ops: readonly Op[];
}

/** Keys that steps are about. */
const KEYS = 200;
/** Of the steps of "commit", every so manieth is a snapshot. */
const REPLACES_EVERY = 2;

export function stepOf(kind: CrashKind, seed: number, number: number, examples: Examples): Step {
  const draws = new Draws(Math.imul(seed ^ number, 0x9e3779b1) ^ number);
  if (kind === "transact") return { does: "transact", ops: drawWrites(draws, 1, 10) };
  if (kind === "commit" && number % REPLACES_EVERY === 0)
    return { does: "replace", ops: drawWrites(draws, 50, KEYS) };
  return { does: "apply", ops: drawOps(draws, examples, draws.between(1, 40), KEYS) };
}

function drawWrites(draws: Draws, from: number, to: number): Op[] {
  const count = draws.between(from, to);
  return Array.from({ length: count }, () => [
    "write",
    draws.between(0, KEYS),
    draws.between(0, 1000),
  ]);
}

/** Does `step` to a model. */
export function changeByStep(model: Model, step: Step): void {
  if (step.does === "replace") model.clear();
  change(model, step.ops);
}

export function markOf(number: number): Mark {
  const bytes = Buffer.alloc(4 + ((number * 61) % 300), number & 0xff);
  bytes.writeUInt32LE(number, 0);
  return bytes;
}

/** The step whose mark this is; 0 for none, -1 when it is nobody's. */
export function numberOf(mark: Mark | null): number {
  if (mark === null) return 0;
  if (mark.length < 4) return -1;
  const number = new DataView(mark.buffer, mark.byteOffset).getUint32(0, true);
  return Buffer.compare(mark, markOf(number)) === 0 ? number : -1;
}
