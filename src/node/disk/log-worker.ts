/**
 * The log thread: waits for its start, sleeps on the shared words, and runs the log on disk
 * (log/disk/disk-log.ts).
 *
 *      step          -->  something was new: look again in GATHER_MS, or when woken
 *           ^        -->  nothing was new for IDLE_LOOKS: sleep until woken, or until something is due
 *           +---------------+
 *
 * Why it looks by itself while the log grows: a thread that is woken at every turn of the loop costs
 * clients a fifth of their rate. Whoever waits for it wakes it at once.
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import { performance } from "node:perf_hooks";
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { DiskError, wordsOf } from "../../errors.ts";
import { DiskLog } from "../../log/disk/disk-log.ts";
import type { DiskLogStart, ToDiskLog } from "../../log/disk/disk-log-messages.ts";
import { randomId } from "../../wire/id.ts";
import { FsTree } from "./fs-folder.ts";
import { LogControl } from "./log-control.ts";
import type { FromLogWorker, LogWorkerData } from "./log-worker-protocol.ts";

/** How long sealed bytes may gather before they are written when nobody waits for them, ms. */
const GATHER_MS = 2;
/** Looks that found nothing, after which it sleeps. */
const IDLE_LOOKS = 5;

const port = parentPort!;

function tell(message: FromLogWorker): void {
  port.postMessage(message);
}

function nextMessage(): ToDiskLog | undefined {
  return receiveMessageOnPort(port)?.message as ToDiskLog | undefined;
}

function awaitStart(control: LogControl): DiskLogStart {
  for (;;) {
    const { wakes } = control;
    const first = receiveMessageOnPort(port);
    if (first !== undefined) return first.message as DiskLogStart;
    control.nap(wakes, Number.POSITIVE_INFINITY);
  }
}

function run(data: LogWorkerData): void {
  const control = new LogControl(data.control);
  const log = new DiskLog(awaitStart(control), {
    tree: new FsTree(data.path),
    words: control,
    tell,
    moved: () => {
      control.tellMoved();
    },
    mint: randomId,
    clock: Date.now,
    now: () => performance.now(),
  });
  for (let looks = 0; ;) {
    const { wakes } = control;
    const sealed = control.read("sealed");
    const before = control.read("written");
    const dueMs = log.step(nextMessage) - performance.now();
    looks = control.read("written") === before ? looks + 1 : 0;
    if (log.isOver) return;
    if (looks > IDLE_LOOKS) control.sleep(wakes, Math.max(0, dueMs), sealed);
    else control.nap(wakes, Math.max(0, Math.min(dueMs, GATHER_MS)));
  }
}

export function runLog(data: unknown): void {
  try {
    run(data as LogWorkerData);
  } catch (error) {
    const code = error instanceof DiskError ? error.code : "ERR_DISK_WRITE";
    tell({ kind: "failed", code, reason: wordsOf(error) });
  }
}
