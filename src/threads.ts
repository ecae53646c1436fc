/**
 * Worker threads: where their code is, and starting one. One file has the code of all (worker.ts).
 *
 *   the embedder named a file or URL (workerUrl)     that, which is tried once before anything else
 *   worker.js is where it was installed              that file
 *   a bundler took this module elsewhere, and with   its text, which is part of the bundle
 *     it what was beside it                            (worker-source.ts)
 *
 * Why the version is compared: a bundler may write the place of this module on the machine that built the
 * bundle into it. What lies there later may be another version.
 * Owns: that choice, how a thread is started. Does not own: what threads do, when they end.
 */
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { NodeError, wordsOf } from "./errors.ts";
import { VERSION } from "./version.ts";
import { WORKER_SOURCE } from "./worker-source.ts";

/** What a thread is for; "hello" says that the code is there, and ends. */
export type ThreadKind = "serializer" | "log" | "log-reader" | "checkpoint" | "hello";

/** The workerData of every thread. */
export interface ThreadTask {
  readonly hawser: { readonly kind: ThreadKind; readonly version: string; readonly data: unknown };
}

/** Starts threads. @throws the system's error when it has no thread to give */
export interface Threads {
  start(kind: ThreadKind, data?: unknown): Worker;
}

/** A file, or a URL that has the code in itself (data:); or the code as a text, a CommonJS script. */
type Code = URL | string;

/**
 * A thread makes little garbage, and its bytes are outside of its heap. By default it would keep up to 48 MiB of
 * garbage before it looks for any.
 */
const YOUNG_MB = 2;
/** How long the code at workerUrl may take to say hello, ms: a machine that is busy is slow. */
const HELLO_MS = 30_000;

let own: Threads | null = null;

/** Threads with the code that is part of hawser. @throws {NodeError} ERR_WORKER when it is not there */
export function ownThreads(): Threads {
  own ??= threadsOf(findCode(import.meta.url));
  return own;
}

/**
 * Threads whose code is at a file: or data: URL.
 * @throws {NodeError} ERR_WORKER when that is not the code of this version's threads
 */
export async function threadsAt(url: URL): Promise<Threads> {
  if (url.protocol === "file:" && !existsSync(url))
    throw new NodeError("ERR_WORKER", `workerUrl: there is no file ${fileURLToPath(url)}`);
  const threads = threadsOf(url);
  await sayHello(threads, url);
  return threads;
}

/** Threads with this code, whatever it is. */
export function threadsOf(code: Code): Threads {
  return {
    start: (kind, data) => {
      const workerData: ThreadTask = { hawser: { kind, version: VERSION, data } };
      return new Worker(code, {
        workerData,
        name: `hawser-${kind}`,
        eval: typeof code === "string",
        // Why: flags are for the embedder's code. --input-type would make a module of the text.
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      });
    },
  };
}

/** @returns null for what is neither an absolute path nor a file: or data: URL */
export function codeUrl(given: URL | string): URL | null {
  try {
    if (typeof given === "string" && isAbsolute(given)) return pathToFileURL(given);
    const url = new URL(given);
    return url.protocol === "file:" || url.protocol === "data:" ? url : null;
  } catch {
    return null;
  }
}

/** Where the code of our own threads is, when this module is the one that `self` is the URL of. */
export function findCode(self: string | undefined, source: string = WORKER_SOURCE): Code {
  const file = installedWorker(self);
  if (file !== null) return file;
  if (source !== "") return source;
  throw new NodeError("ERR_WORKER", `no code of worker threads beside ${self ?? "this module"}`);
}

/** Compiled code alone: started from sources (tests, tsx) it is the one in dist. */
function installedWorker(self: string | undefined): URL | null {
  if (self === undefined || !/^file:.*\/(?:dist|src)\/threads\.[jt]s$/.test(self)) return null;
  try {
    const file = new URL("../dist/worker.js", self);
    const manifest = readFileSync(new URL("../package.json", self), "utf8");
    const { name, version } = JSON.parse(manifest) as { name?: unknown; version?: unknown };
    return name === "hawser" && version === VERSION && existsSync(file) ? file : null;
  } catch {
    return null;
  }
}

async function sayHello(threads: Threads, url: URL): Promise<void> {
  const where = url.protocol === "file:" ? fileURLToPath(url) : `a ${url.protocol} URL`;
  const failure = (why: string): NodeError =>
    new NodeError("ERR_WORKER", `workerUrl: ${where} is not the code of hawser's threads: ${why}`);
  let worker: Worker;
  try {
    worker = threads.start("hello");
  } catch (error) {
    throw failure(wordsOf(error));
  }
  let limit: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(failure(why));
      limit = setTimeout(() => fail(`it said nothing for ${HELLO_MS / 1000} s`), HELLO_MS);
      worker.once("error", (error) => fail(wordsOf(error)));
      worker.once("exit", (code) => fail(`it ended with code ${code}`));
      worker.once("message", (said) =>
        said === VERSION ? resolve() : fail("it said something else"),
      );
    });
  } finally {
    clearTimeout(limit);
    await worker.terminate();
  }
}
