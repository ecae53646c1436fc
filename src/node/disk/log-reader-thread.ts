/**
 * The thread that reads log files, and the loop's end of it.
 *
 * It begins with the first question: a node whose links all follow in memory has no such thread. What
 * it was told before is told to it then.
 *
 * Owns: the thread. Does not own: questions and blocks (log/disk/log-reads.ts), files
 * (log/disk/stored-log.ts).
 */
import type { Worker } from "node:worker_threads";
import { LogReads, type LogReadsDeps } from "../../log/disk/log-reads.ts";
import type { FromStoredLog, ToStoredLog } from "../../log/disk/stored-log.ts";
import { ownThreads, type Threads } from "../../threads.ts";

export interface LogReaderOptions extends Omit<LogReadsDeps, "post" | "later"> {
  /** The thread has ended by itself. */
  readonly failed: (reason: string) => void;
  readonly threads?: Threads;
}

export class LogReaderThread {
  readonly reads: LogReads;
  readonly #options: LogReaderOptions;
  #worker: Worker | null = null;
  #isStopping = false;
  #isRef = true;
  /** What it has to know first: the log's files, and which of them are dropped. */
  #untold: ToStoredLog[] = [];

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.reads = new LogReads({
      ...options,
      later: setImmediate,
      post: (message) => this.#post(message),
    });
  }

  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (isRef) this.#worker?.ref();
    else this.#worker?.unref();
  }

  /** Resolves when the thread has ended; what was asked is answered "gone". */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.reads.die();
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage({ kind: "stop" });
    await ended;
  }

  #post(message: ToStoredLog): void {
    if (this.#worker !== null) this.#worker.postMessage(message);
    else if (message.kind === "begin") this.#untold = [message];
    else if (message.kind === "files") this.#untold = [this.#untold[0] ?? message, message];
    else this.#start(message);
  }

  #start(question: ToStoredLog): void {
    const worker = (this.#options.threads ?? ownThreads()).start("log-reader");
    this.#worker = worker;
    if (!this.#isRef) worker.unref();
    worker.on("message", (message: FromStoredLog) => {
      this.reads.hear(message);
    });
    worker.on("error", (error) => {
      this.#ended(String(error));
    });
    worker.on("exit", (code) => {
      if (!this.#isStopping) this.#ended(`it ended with code ${code}`);
    });
    for (const message of this.#untold.splice(0)) worker.postMessage(message);
    worker.postMessage(question);
  }

  #ended(reason: string): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.reads.die();
    this.#options.failed(reason);
  }
}
