/**
 * The loop's end of the log thread: hands over what is sealed, and says what is written and durable.
 *
 *   persist()   names new log segments, then how far they are sealed. Wakes the thread only when it
 *               sleeps soundly: while the log grows it looks by itself
 *   want()      somebody waits until the log is durable up to an offset: wakes it at once
 *   moved       is called in a turn of its own when what was wanted has come, or there is trouble
 *
 * Owns: the thread, what was handed to it. Does not own: what it does (log/disk/log-task.ts), the memory
 * (log/segments.ts): that must not be used again below `written`.
 */
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { DiskError, type DiskErrorCode } from "../../errors.ts";
import type { FsyncPolicy } from "../../log/disk/sync-policy.ts";
import { LogControl } from "./log-control.ts";
import type { FromLogWorker, LogWorkerData, ToLogWorker } from "./log-worker-protocol.ts";

/** A piece of the log in shared memory. */
export interface SharedSegment {
  /** Offset in the log of its first byte. */
  readonly start: number;
  readonly bytes: Buffer;
  readonly next: SharedSegment | null;
}

export class LogThread {
  readonly #control = new LogControl();
  readonly #worker: Worker;
  readonly #moved: () => void;
  /** The newest segment that the thread knows. */
  #named: SharedSegment | null = null;
  #sealed: number;
  #wanted = 0;
  #failure: string | null = null;
  readonly #stopped: Promise<void>;
  #isStopping = false;

  /** Begins a log file. `moved` is called from the event loop. */
  constructor(data: Omit<LogWorkerData, "control">, moved: () => void) {
    const { offset } = data.start;
    this.#moved = moved;
    this.#sealed = offset;
    for (const name of ["sealed", "written", "durable"] as const) this.#control.write(name, offset);
    const workerData: LogWorkerData = { ...data, control: this.#control.memory };
    this.#worker = new Worker(workerUrl(), { workerData });
    this.#stopped = this.#untilStopped();
    this.#stopped.catch(() => undefined);
    void this.#listen();
  }

  get written(): number {
    return this.#control.read("written");
  }

  get durable(): number {
    return this.#control.read("durable");
  }

  /** Why nothing is written, or nothing is durable any more. */
  get trouble(): DiskErrorCode | null {
    return this.#failure === null ? this.#control.trouble : "ERR_DISK_WRITE";
  }

  /** The thread ended by itself: what it said, null while it lives. */
  get failure(): string | null {
    return this.#failure;
  }

  /** `segment` is the one that the first byte not handed over is in; the log is sealed up to `sealed`. */
  persist(segment: SharedSegment, sealed: number): void {
    if (sealed === this.#sealed) return;
    this.#name(segment, sealed);
    this.#sealed = sealed;
    this.#control.write("sealed", sealed);
    if (this.#control.isAsleep) this.#control.wake();
  }

  /** Where the thread goes on to take. */
  get handedOver(): number {
    return this.#sealed;
  }

  /** Somebody waits until the log is durable up to `offset`, which is sealed. */
  want(offset: number): void {
    if (offset <= this.#wanted) return;
    assert(offset <= this.#sealed, "wanted before it was handed over");
    this.#wanted = offset;
    this.#control.write("wanted", offset);
    this.#control.wake();
  }

  setPolicy(policy: FsyncPolicy): void {
    this.#tell({ kind: "policy", policy });
    this.#control.wake();
  }

  /** Everything handed over is synced then. @throws {DiskError} when it could not be */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#tell({ kind: "stop" });
    this.#control.wake();
    await this.#stopped;
  }

  #name(first: SharedSegment, sealed: number): void {
    for (let segment: SharedSegment | null = first; segment !== null; segment = segment.next) {
      if (segment.start >= sealed) return;
      if (this.#named !== null && segment.start <= this.#named.start) continue;
      this.#named = segment;
      const memory = segment.bytes.buffer;
      assert(memory instanceof SharedArrayBuffer && segment.bytes.byteOffset === 0);
      this.#tell({ kind: "segment", start: segment.start, memory });
    }
  }

  #tell(message: ToLogWorker): void {
    this.#worker.postMessage(message);
  }

  async #listen(): Promise<void> {
    while (this.#failure === null && !this.#isStopping) {
      const { moves } = this.#control;
      await this.#control.untilMoved(moves);
      this.#moved();
    }
  }

  async #untilStopped(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const failed = (reason: string): void => {
        this.#failure = reason;
        reject(new DiskError("ERR_DISK_WRITE", reason));
        this.#control.tellMoved();
      };
      this.#worker.on("message", (message: FromLogWorker) => {
        if (message.kind === "stopped") resolve();
        else failed(message.reason);
      });
      this.#worker.on("error", (error) => {
        failed(String(error));
      });
    });
  }
}

/** Workers run compiled code: from sources (tests, tsx) it is the one in dist/. */
function workerUrl(): URL {
  const here = import.meta.url;
  const isSource = here.endsWith(".ts");
  return new URL(isSource ? "../../../dist/node/disk/log-worker.js" : "./log-worker.js", here);
}
