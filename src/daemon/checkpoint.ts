/**
 * `hawser checkpoint`: asks a node to write its state to its disk now, and says what came of it.
 *
 * Exit codes: 0 written, 1 not, 2 wrong command line.
 * Owns: the question, the text. Does not own: checkpoints (node/checkpointer.ts).
 * Tested in: test/unit/resp/checkpoints.test.ts.
 */
import { jsonLine, readCheckpointReport, type CheckpointReport } from "./answers.ts";
import { ask, tellFailure } from "./ask.ts";
import type { CheckpointOptions } from "./ask-options.ts";

/** Resolves with the exit code. */
export async function runCheckpoint(options: CheckpointOptions): Promise<number> {
  try {
    const answer = await ask(options, ["REPL.CHECKPOINT"], options.timeoutMs);
    const report = readCheckpointReport(answer);
    process.stdout.write(options.json ? jsonLine(report) : checkpointText(report));
    return 0;
  } catch (error) {
    tellFailure("checkpoint", options.target, error);
    return 1;
  }
}

export function checkpointText({ position, records, bytes, ms }: CheckpointReport): string {
  return `checkpoint  ${position.history} @ ${position.offset}   ${records} records   ${bytes} bytes   ${ms} ms\n`;
}
