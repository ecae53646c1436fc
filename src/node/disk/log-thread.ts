/**
 * The thread of the log on disk, as its store (log/disk/disk-store.ts) sees it.
 *
 *   wakeSleeper()   wakes it only when it sleeps soundly: while the log grows it looks by itself
 *   heard           what it tells, and looked: the words say something that the loop waits for; both in
 *                   turns of their own
 *
 *   booting --start()--> the log goes on --stopped, or failed--> over
 *      +----- abandon(): its log is not to go on ----------------> over
 *
 * It boots while a log is recovered, which takes it about 80 ms.
 *
 * Owns: the thread. Does not own: what it does (log/disk/disk-log.ts), what it is told (disk-store.ts).
 */
import type { Worker } from "node:worker_threads";
import { DiskError } from "../../errors.ts";
import type { DiskLogStart, FromDiskLog, ToDiskLog } from "../../log/disk/disk-log-messages.ts";
import type { DiskPort } from "../../log/disk/disk-store.ts";
import { ownThreads, type Threads } from "../../threads.ts";
import { LogControl } from "./log-control.ts";
import type { FromLogWorker, LogWorkerData } from "./log-worker-protocol.ts";

export interface LogThreadEvents {
  readonly heard: (message: FromDiskLog) => void;
  readonly looked: () => void;
}

export class LogThread implements DiskPort {
  readonly words: LogControl = new LogControl();
  /** Its first log file has begun. @throws {DiskError} when it could not begin */
  readonly begun: Promise<void>;
  readonly #worker: Worker;
  readonly #events: LogThreadEvents;
  #isStarted = false;
  #isOver = false;

  /** `path` is the data directory, which is ours. */
  constructor(path: string, events: LogThreadEvents, threads: Threads = ownThreads()) {
    const data: LogWorkerData = { path, control: this.words.memory };
    this.#events = events;
    this.#worker = threads.start("log", data);
    this.begun = this.#listen();
    this.begun.catch(() => undefined);
    void this.#look();
  }

  /** The log goes on, in a file that begins now; once. Comes before anything is told. */
  start(start: DiskLogStart): void {
    this.#isStarted = true;
    this.#worker.postMessage(start);
    this.wake();
  }

  /** There is nothing to go on with; does nothing once it was started. */
  async abandon(): Promise<void> {
    if (this.#isStarted) return;
    this.close();
    await this.#worker.terminate();
  }

  tell(message: ToDiskLog): void {
    this.#worker.postMessage(message);
  }

  wake(): void {
    this.words.wake();
  }

  wakeSleeper(): void {
    if (this.words.isAsleep) this.words.wake();
  }

  setRef(isRef: boolean): void {
    if (isRef) this.#worker.ref();
    else this.#worker.unref();
  }

  /** The words are looked at no more. */
  close(): void {
    this.#isOver = true;
    this.words.tellMoved();
  }

  async #look(): Promise<void> {
    for (;;) {
      const { moves } = this.words;
      if (this.#isOver) return;
      await this.words.untilMoved(moves);
      this.#events.looked();
    }
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const failed = (error: DiskError): void => {
        reject(error);
        const { code, message } = error;
        this.#events.heard({ kind: "trouble", trouble: { code, message, isFatal: true } });
        this.close();
      };
      this.#worker.on("message", (message: FromLogWorker) => {
        if (message.kind === "failed") {
          failed(new DiskError(message.code, message.reason.replace(`${message.code}: `, "")));
          return;
        }
        if (message.kind === "begun") resolve();
        this.#events.heard(message);
        if (message.kind === "stopped") this.close();
      });
      this.#worker.on("error", (error) => {
        failed(new DiskError("ERR_DISK_WRITE", String(error)));
      });
      this.#worker.on("exit", (code) => {
        if (!this.#isOver)
          failed(new DiskError("ERR_DISK_WRITE", `the log thread ended with code ${code}`));
      });
    });
  }
}
