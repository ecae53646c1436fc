/**
 * The longest time in which a node's loop did not come round: a process that turns its loop all the time
 * and writes 20 MB/s into an embedded primary with and without a disk, and one that only turns, as a
 * control of the machine. Long enough for full log files and a checkpoint that begins by itself.
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Contender } from "./contenders.ts";
import type { PauseOrder, Pauses } from "./pause-node.ts";
import type { Question } from "./question.ts";

const SECONDS = 20;

async function ask(contender: Contender, share: number): Promise<Pauses> {
  const dir = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  const child = fork(new URL("./pause-node.ts", import.meta.url));
  try {
    const order: PauseOrder = {
      writes: contender !== "idle",
      dir: contender === "hawser everysec" ? dir : "",
      seconds: Math.max(2, SECONDS * share),
    };
    child.send(order);
    return await new Promise<Pauses>((resolve, reject) => {
      child.once("message", (pauses) => resolve(pauses as Pauses));
      child.once("exit", (code) => reject(new Error(`the node ended: ${code ?? "killed"}`)));
    });
  } finally {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}

const figure = "longest_ms";

export const PAUSE: Question = {
  title: "longest pause of the loop, 20 MB/s written (must 5 ms, aim 2 ms, beside the control)",
  contenders: ["idle", "hawser none", "hawser everysec"],
  ratios: [
    { figure, of: "hawser everysec", to: "hawser none", must: 0, aim: 0 },
    { figure, of: "hawser everysec", to: "idle", must: 0, aim: 0 },
  ],
  ask,
};
