/**
 * How a script that counts checks ends: their table, one line, the exit code.
 *
 * Owns: that. Does not own: the checks (verdicts.ts).
 */
import { table } from "./tables.ts";
import type { Verdicts } from "./verdicts.ts";

/** @param failure what ended it early; "" for nothing. @returns the exit code */
export function tellVerdicts(verdicts: Verdicts, failure: string): number {
  console.log(table(["check", "held", "failed", ""], verdicts.rows()));
  const isRight = failure === "" && verdicts.failures === 0;
  console.log(isRight ? "all checks held" : `${verdicts.failures} checks failed`);
  return isRight ? 0 : 1;
}

/** Ends the process with what `main` resolves with, or at Ctrl-C. */
export async function endWith(main: () => Promise<number>): Promise<never> {
  process.once("SIGINT", () => process.exit(130));
  process.exit(await main());
}
