/**
 * Real processes for tests and the demo: started, watched, signalled, and never left behind.
 *
 *   ManagedProcess   any program: its output, its signals, its end
 *   Daemon           a hawser node on ports of its own choice, with its log as JSON
 *   Fleet            the nodes and proxies of one test, stopped together
 *
 * Cleanup is by pid only: stopAll() at the end of a test, and SIGKILL to whatever is still alive
 * when this process exits or is told to end.
 * Owns: children. Does not own: what is asserted about them.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { NodeStatus } from "../src/node/api.ts";
import { FaultProxy, type ProxyOptions } from "./proxy.ts";
import { RespClient, textOf, type Argument, type Info, type Reply } from "./resp-client.ts";
import { errorText, show, until, within } from "./wait.ts";

export const MAIN: string = fileURLToPath(new URL("../dist/daemon/main.js", import.meta.url));
const LOG_LINES_MAX = 20_000;
const DUMPED_LINES = 40;
const READY_TIMEOUT_MS = 20_000;

export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Settings of the environment that would change what a node does are not handed on. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("HAWSER_")),
  );
}

const alive = new Set<ManagedProcess>();
let guarded = false;

/** From the first child on: none of them outlives this process. */
function guardExit(): void {
  if (guarded) return;
  guarded = true;
  const killAll = (): void => {
    for (const child of alive) child.signal("SIGKILL");
  };
  process.on("exit", killAll);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      killAll();
      process.kill(process.pid, signal);
    });
  }
}

export interface SpawnOptions {
  readonly name: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export class ManagedProcess {
  readonly name: string;
  readonly pid: number;
  /** Lines of stderr, the oldest dropped beyond a cap. */
  readonly errorLines: string[] = [];
  stdout = "";
  /** Set once the process has ended and its output is complete. */
  exit: Exit | null = null;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Exit>;

  protected constructor(child: ChildProcess, name: string) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid!;
    alive.add(this);
    let rest = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#addLines(lines);
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.#ended = new Promise((resolve) => {
      child.once("exit", () => alive.delete(this));
      child.once("close", (code, signal) => {
        if (rest !== "") this.#addLines([rest]);
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  /** Starts a program. @throws when it cannot be started at all */
  static async spawn(
    command: string,
    args: readonly string[],
    options: SpawnOptions,
  ): Promise<ManagedProcess> {
    return new ManagedProcess(await start(command, args, options), options.name);
  }

  /** Nobody reads its standard output any more: its next write there fails. */
  loseOutput(): void {
    this.#child.stdout?.destroy();
  }

  /** The same for standard output and error. */
  loseReaders(): void {
    this.loseOutput();
    this.#child.stderr?.destroy();
  }

  /** Sends a signal if the process still runs. */
  signal(signal: NodeJS.Signals): void {
    if (alive.has(this)) this.#child.kill(signal);
  }

  /** SIGSTOP: the process keeps its sockets and does nothing. */
  pause(): void {
    this.signal("SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    this.signal("SIGCONT");
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return within(this.#ended, `${this.name} (pid ${this.pid}) to end after SIGKILL`);
  }

  /** SIGTERM (or another signal), and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.resume();
    this.signal(signal);
    return within(this.#ended, `${this.name} (pid ${this.pid}) to end after ${signal}`);
  }

  /** Resolves when the process ends by itself. */
  ended(timeoutMs = 30_000): Promise<Exit> {
    return within(this.#ended, `${this.name} (pid ${this.pid}) to end by itself`, timeoutMs);
  }

  protected lineAdded(line: string): void {
    this.errorLines.push(line);
    if (this.errorLines.length > LOG_LINES_MAX) this.errorLines.shift();
  }

  #addLines(lines: readonly string[]): void {
    for (const line of lines) this.lineAdded(line);
  }
}

async function start(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<ChildProcess> {
  guardExit();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...cleanEnvironment(), ...options.env },
    cwd: options.cwd,
  });
  await once(child, "spawn");
  return child;
}

/** Runs `hawser ...` to its end. */
export async function runHawser(
  args: readonly string[],
  timeoutMs = 30_000,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const options = { name: `hawser ${args[0] ?? ""}` };
  const run = await ManagedProcess.spawn(process.execPath, [MAIN, ...args], options);
  try {
    const { code } = await run.ended(timeoutMs);
    return { code, stdout: run.stdout, stderr: run.errorLines.join("\n") };
  } finally {
    await run.kill();
  }
}

/** A hawser node. */
export class Daemon extends ManagedProcess {
  /** Lines of its log, oldest first. */
  readonly log: LogLine[] = [];
  port = 0;
  replPort = 0;
  #client: RespClient | null = null;

  /** Starts a node and waits until it listens. Flags win over the ones given here. */
  static async start(name: string, args: readonly string[]): Promise<Daemon> {
    const daemon = await Daemon.launch(name, args);
    try {
      await daemon.ready();
    } catch (error) {
      await daemon.kill();
      throw new Error(daemon.dump(), { cause: error });
    }
    return daemon;
  }

  /** Starts a node and does not wait. */
  static async launch(
    name: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Daemon> {
    const [command = "primary", ...rest] = args;
    const full = [MAIN, command, "--log-format", "json", ...portFlags(rest), ...rest];
    return new Daemon(await start(process.execPath, full, { name, env }), name);
  }

  protected override lineAdded(line: string): void {
    super.lineAdded(line);
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.log.push({ time: "", level: "raw", event: "", text: line });
    }
  }

  async ready(timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
    const line = await until(() => this.find("ready") ?? (this.exit ? "ended" : null), {
      what: `${this.name} to log "ready"`,
      timeoutMs,
    });
    if (line === "ended") throw new Error(`${this.name} ended before it was ready`);
    this.port = Number(line["port"]);
    this.replPort = Number(line["replPort"]);
  }

  /** The first log line of this event, and with these fields. */
  find(event: string, fields: Readonly<Record<string, unknown>> = {}): LogLine | undefined {
    return this.findAll(event, fields)[0];
  }

  findAll(event: string, fields: Readonly<Record<string, unknown>> = {}): LogLine[] {
    return this.log.filter(
      (line) =>
        line.event === event &&
        Object.entries(fields).every(([name, value]) => line[name] === value),
    );
  }

  /** One connection, opened when first needed and again after it was cut. */
  async client(): Promise<RespClient> {
    if (!this.#client?.isOpen) this.#client = await RespClient.connect(this.port);
    return this.#client;
  }

  async call(...command: Argument[]): Promise<Reply> {
    try {
      return await this.#callOnce(command);
    } catch (error) {
      // A primary that is fenced closes its clients' connections: whoever tells it what to be says it again.
      const isCut = /^connection to port \d+ closed/.test(errorText(error));
      if (command[0] !== "REPLICAOF" || !isCut) throw error;
      return this.#callOnce(command);
    }
  }

  async #callOnce(command: Argument[]): Promise<Reply> {
    const client = await this.client();
    return within(client.call(...command), `${String(command[0])} on ${this.name}`, 60_000);
  }

  async ask(...command: Argument[]): Promise<Reply> {
    const client = await this.client();
    return within(client.ask(...command), `${String(command[0])} on ${this.name}`, 60_000);
  }

  async text(...command: Argument[]): Promise<string> {
    return textOf(await this.call(...command));
  }

  async info(): Promise<Info> {
    return (await this.client()).info();
  }

  async status(): Promise<NodeStatus> {
    return JSON.parse(await this.text("REPL.STATUS")) as NodeStatus;
  }

  /** Resident memory now, bytes. */
  async residentBytes(): Promise<number> {
    const { readFile } = await import("node:fs/promises");
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  override async kill(): Promise<Exit> {
    this.#client?.close();
    return super.kill();
  }

  /** The last lines of its log, for a failure text. */
  dump(): string {
    const end = this.exit ? ` ended ${show(this.exit)}` : " runs";
    const lines = this.errorLines.slice(-DUMPED_LINES).map((line) => `  ${line}`);
    return [`--- ${this.name} (pid ${this.pid})${end}; last lines:`, ...lines].join("\n");
  }
}

function portFlags(args: readonly string[]): string[] {
  const has = (flag: string): boolean => args.some((arg) => arg.split("=")[0] === flag);
  return [
    ...(has("--port") ? [] : ["--port", "0"]),
    ...(has("--repl-port") ? [] : ["--repl-port", "0"]),
  ];
}

/** Where a replica is pointed: a node's replication port, a proxy, or any port. */
export type Upstream = { readonly replPort: number } | { readonly port: number } | number;

function addressOf(upstream: Upstream): string {
  if (typeof upstream === "number") return `127.0.0.1:${upstream}`;
  return `127.0.0.1:${"replPort" in upstream ? upstream.replPort : upstream.port}`;
}

/** The nodes and proxies of one test. */
export class Fleet {
  readonly nodes: Daemon[] = [];
  readonly #closers: (() => unknown)[] = [];
  #replicas = 0;

  async primary(...flags: string[]): Promise<Daemon> {
    return this.node("primary", ["primary", ...flags]);
  }

  async replica(of: Upstream, ...flags: string[]): Promise<Daemon> {
    this.#replicas++;
    return this.node(`replica-${this.#replicas}`, ["replica", "--of", addressOf(of), ...flags]);
  }

  async node(name: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Daemon> {
    const launched = await Daemon.launch(name, args, env);
    this.nodes.push(launched);
    await launched.ready();
    return launched;
  }

  /** A proxy in front of a node's replication port. */
  async proxy(target: Upstream, options?: ProxyOptions): Promise<FaultProxy> {
    const port = Number(addressOf(target).split(":")[1]);
    const proxy = await FaultProxy.listen(port, options);
    this.#closers.push(() => proxy.close());
    return proxy;
  }

  /** Something else to be closed at the end, latest first. */
  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  dump(): string {
    return this.nodes.map((node) => node.dump()).join("\n");
  }
}
