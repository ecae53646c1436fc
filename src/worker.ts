/**
 * The code of every worker thread: one file, which runs what the thread was started for (threads.ts).
 *
 * Owns: which kind of thread runs what, and which give way to the loop. Does not own: what they do.
 * Tested in: test/unit/threads.test.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import { runCheckpoint } from "./node/disk/checkpoint-worker.ts";
import { runLogReader } from "./node/disk/log-reader-worker.ts";
import { runLog } from "./node/disk/log-worker.ts";
import { stepBack } from "./step-back.ts";
import { runSerializer } from "./store/serializer-worker.ts";
import type { ThreadKind, ThreadTask } from "./threads.ts";
import { VERSION } from "./version.ts";

const RUNS: Readonly<Record<ThreadKind, (data: unknown) => void>> = {
  serializer: runSerializer,
  log: runLog,
  "log-reader": runLogReader,
  checkpoint: runCheckpoint,
  // Whoever starts it wants to know that this is the code (threads.ts).
  hello: () => {
    parentPort!.postMessage(VERSION);
  },
};

/** What they do may take longer; who waits for it waits for much of it. */
const GIVES_WAY: ReadonlySet<ThreadKind> = new Set(["serializer", "checkpoint"]);

/** @throws when this file was not started by this version of hawser */
function run(): void {
  const task = (workerData as ThreadTask | null | undefined)?.hawser;
  if (parentPort === null || task === undefined)
    throw new Error(
      "hawser/worker is code of hawser's worker threads: not to be imported or started",
    );
  if (task.version !== VERSION)
    throw new Error(`the worker is of hawser ${VERSION}, what started it of ${task.version}`);
  if (GIVES_WAY.has(task.kind)) stepBack();
  RUNS[task.kind](task.data);
}

run();
