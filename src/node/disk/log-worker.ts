/**
 * The log thread: sleeps on the shared words, and runs the task of the log (log/disk/log-task.ts).
 *
 *      run the task  -->  something was new: look again in GATHER_MS, or when woken
 *           ^        -->  nothing was new for IDLE_LOOKS: sleep until woken, or until the task is due
 *           +---------------+
 *
 * Why it looks by itself while the log grows: a thread that is woken at every turn of the loop costs
 * clients a fifth of their rate. Whoever waits for it wakes it at once.
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import { performance } from "node:perf_hooks";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { LogFileWriter } from "../../log/disk/log-file-writer.ts";
import { LogTask, type SealedBytes } from "../../log/disk/log-task.ts";
import { randomId } from "../../wire/id.ts";
import { FsFolder } from "./fs-folder.ts";
import { LogControl } from "./log-control.ts";
import type { FromLogWorker, LogWorkerData, ToLogWorker } from "./log-worker-protocol.ts";

/** How long sealed bytes may gather before they are written when nobody waits for them, ms. */
const GATHER_MS = 2;
/** Looks that found nothing, after which it sleeps. */
const IDLE_LOOKS = 5;

interface Segment {
  readonly start: number;
  readonly bytes: Buffer;
}

/** The sealed part of the log segments that the loop has named. */
class SealedSegments implements SealedBytes {
  readonly #segments: Segment[] = [];
  #sealed: number;
  #taken: number;

  constructor(start: number) {
    this.#sealed = start;
    this.#taken = start;
  }

  /**
   * Bytes up to `sealed` may be taken. Read it before the messages: the loop names a segment first and
   * seals then, so that every segment below `sealed` is known; of the one above, the memory before it
   * would be taken for the log.
   */
  sealTo(sealed: number): void {
    this.#sealed = sealed;
  }

  add(start: number, memory: SharedArrayBuffer): void {
    this.#segments.push({ start, bytes: Buffer.from(memory) });
  }

  next(): { readonly bytes: Buffer; readonly from: number; readonly to: number } | null {
    if (this.#sealed === this.#taken) return null;
    while (this.#segments.length > 1 && this.#segments[1]!.start <= this.#taken)
      this.#segments.shift();
    const { start, bytes } = this.#segments[0]!;
    const end = this.#segments[1]?.start ?? Number.POSITIVE_INFINITY;
    return { bytes, from: this.#taken - start, to: Math.min(this.#sealed, end) - start };
  }

  took(count: number): void {
    this.#taken += count;
  }
}

const port = parentPort!;
const data = workerData as LogWorkerData;
const control = new LogControl(data.control);

function makeWriter(): LogFileWriter {
  const { path, fileBytes, directoryId, generation, number, start, name } = data;
  const options = {
    folder: new FsFolder(path),
    fileBytes,
    directoryId,
    generation,
    mint: randomId,
    clock: Date.now,
    name: () => undefined,
  };
  return new LogFileWriter(options, number, start, name);
}

function tell(message: FromLogWorker): void {
  port.postMessage(message);
}

function run(): void {
  const sealed = new SealedSegments(data.start.offset);
  const task: LogTask = new LogTask(makeWriter(), {
    policy: data.policy,
    sealed,
    now: () => performance.now(),
    moved: () => {
      publish(task);
    },
  });
  publish(task);
  for (let looks = 0; ;) {
    const { wakes } = control;
    sealed.sealTo(control.read("sealed"));
    if (!takeMessages(sealed, task)) return;
    const before = task.written;
    task.wanted = control.read("wanted");
    const dueMs = task.run() - performance.now();
    looks = task.written === before ? looks + 1 : 0;
    const soundly = looks > IDLE_LOOKS;
    const ms = Math.max(0, soundly ? dueMs : Math.min(dueMs, GATHER_MS));
    control.sleep(wakes, ms, soundly);
  }
}

/** What the loop may know now; it is woken when it waits for that. */
function publish(task: LogTask): void {
  const waits = control.read("wanted") > control.read("durable");
  const trouble = task.trouble?.code ?? null;
  const isNews = trouble !== control.trouble || (waits && task.durable > control.read("durable"));
  control.write("written", task.written);
  control.write("durable", task.durable);
  control.trouble = trouble;
  if (isNews) control.tellMoved();
}

/** False after a stop. */
function takeMessages(sealed: SealedSegments, task: LogTask): boolean {
  for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
    const message = got.message as ToLogWorker;
    if (message.kind === "segment") sealed.add(message.start, message.memory);
    else if (message.kind === "policy") task.policy = message.policy;
    else {
      task.stop();
      tell({ kind: "stopped" });
      return false;
    }
  }
  return true;
}

try {
  run();
} catch (error) {
  tell({ kind: "failed", reason: String(error) });
}
