/**
 * Deliberate bugs of the bridge to a state of an embedder's own, looked for in clusters whose nodes have
 * one (--public).
 */
import { type Mutant, mutantsOf } from "./mutant.ts";

const ofBridge = mutantsOf({ mode: "public", prefix: "bridge: " });

export const BRIDGE_MUTANTS: readonly Mutant[] = [
  ofBridge("a batch that is done is applied again, since its call failed", [
    "bridge/kept.ts",
    'if (at === "end") succeed();\n    else if (at === "start") throw',
    'if (at !== "nowhere") throw',
  ]),
  ofBridge("a state without a mark that rejected passes for unchanged", [
    "bridge/kept.ts",
    'if (!this.keepsMarks) return isUndone ? "start" : "nowhere";',
    'if (!this.keepsMarks) return "start";',
  ]),
  ofBridge("a mark names where its run begins", [
    "bridge/records.ts",
    "return batchOffset(this.#log, this.#last) + batchLength(this.#log, this.#last);",
    "return batchOffset(this.#log, this.#from);",
  ]),
  ofBridge("batches are applied while the state freezes", [
    "bridge/source.ts",
    "frozen.wait(() => this.#line.call(() => this.#state.freeze()));",
    "frozen.wait(() => this.#state.freeze());",
  ]),
  ofBridge("a reading that goes on repeats a record", [
    "bridge/part-reader.ts",
    "skip: since - 1,",
    "skip: Math.max(0, since - 2),",
  ]),
  ofBridge("a record in two chunks loses what is in the first", [
    "bridge/chunk-records.ts",
    "return whole.subarray(RECORD_LENGTH_BYTES);",
    "return whole.subarray(2 * RECORD_LENGTH_BYTES);",
  ]),
];
