/** memory-level, for the conformance suite. */
import { MemoryLevel } from "memory-level";
import { LEVEL, madeOver } from "./level-content.mjs";

export default { ...LEVEL, make: () => madeOver(new MemoryLevel()) };
