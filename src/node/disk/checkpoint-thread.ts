/**
 * The loop's end of the thread that writes one checkpoint: a thread for each, which ends with it, so
 * that nothing is kept between two.
 *
 *   put -> chunks -> written     frames lie in the shared memory of a serializer's ring: the thread reads
 *                                them there
 *   finish -> whole | failed     abandon -> gone
 *
 * Owns: the thread. Does not own: the file (log/disk/checkpoint-writer.ts), its name for good (the log
 * worker), frames.
 */
import assert from "node:assert/strict";
import type { Worker } from "node:worker_threads";
import type { SnapshotEnd } from "../../wire/messages.ts";
import type { CheckpointFile, CheckpointFileEvents, ChunkFrame } from "../checkpoint-run.ts";
import { ownThreads, type Threads } from "../../threads.ts";
import type {
  CheckpointWorkerData,
  FromCheckpointWorker,
  ToCheckpointWorker,
} from "./checkpoint-worker-protocol.ts";

export class CheckpointThread implements CheckpointFile {
  readonly #worker: Worker;
  readonly #events: CheckpointFileEvents;
  #isOver = false;
  readonly #ended: Promise<void>;

  /** Begins the file aside. An error comes by `events`, as every later one. */
  constructor(
    data: CheckpointWorkerData,
    events: CheckpointFileEvents,
    threads: Threads = ownThreads(),
  ) {
    this.#events = events;
    this.#worker = threads.start("checkpoint", data);
    this.#worker.on("message", (message: FromCheckpointWorker) => {
      this.#take(message);
    });
    this.#worker.on("error", (error) => {
      this.#fail(`the thread failed: ${String(error)}`);
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        this.#fail(`the thread ended with code ${code}`);
        resolve();
      });
    });
  }

  /** Resolves when the thread has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  setRef(isRef: boolean): void {
    if (isRef) this.#worker.ref();
    else this.#worker.unref();
  }

  put(frames: readonly ChunkFrame[]): void {
    const memory = frames[0]!.bytes.buffer;
    assert(memory instanceof SharedArrayBuffer, "chunks lie in shared memory");
    const ranges = frames.flatMap(({ bytes, from, to }) => {
      assert(bytes.buffer === memory, "chunks of one ring");
      return [bytes.byteOffset + from, bytes.byteOffset + to];
    });
    this.#tell({ kind: "chunks", memory, ranges });
  }

  finish(end: SnapshotEnd): void {
    this.#tell({ kind: "finish", end });
  }

  abandon(): void {
    if (!this.#isOver) this.#tell({ kind: "abandon" });
  }

  #take(message: FromCheckpointWorker): void {
    if (message.kind === "written") this.#events.written(message.frames);
    else if (message.kind === "failed") this.#fail(message.reason);
    else {
      this.#isOver = true;
      if (message.kind === "whole") this.#events.whole(message.bytes);
    }
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.failed(reason);
  }

  #tell(message: ToCheckpointWorker): void {
    this.#worker.postMessage(message);
  }
}
