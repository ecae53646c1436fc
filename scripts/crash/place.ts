/**
 * A place for a node: ports and a directory, with one process after the other in it.
 *
 * Owns: the process of the moment, and what earlier ones said. Does not own: when it dies.
 */
import { Daemon, type Exit } from "../../tools/processes.ts";
import { textOf } from "../../tools/resp-client.ts";
import { TICK_KEY, type Found } from "./ledger.ts";

/** On a busy machine: it may have 256 MiB of log to go through. */
const READY_MS = 120_000;

/** What a process said that ends in an error nobody caught. */
const STACK = /^\s+at .+:\d+:\d+\)?$/;

export class Place {
  readonly name: string;
  /** Processes, first to last. */
  readonly lives: Daemon[] = [];
  readonly #command: readonly string[];
  readonly #dir: string;
  #ports: readonly [number, number] = [0, 0];

  /** `command` comes before the flags of a life; without a `dir` the node keeps nothing. */
  constructor(name: string, command: readonly string[], dir: string) {
    this.name = name;
    this.#command = command;
    this.#dir = dir;
  }

  get daemon(): Daemon {
    return this.lives.at(-1)!;
  }

  get replPort(): number {
    return this.#ports[1];
  }

  /** Starts a process and waits until it serves: the first on free ports, the others on those. */
  async start(flags: readonly string[]): Promise<void> {
    const daemon = await this.launch(flags);
    try {
      await daemon.ready(READY_MS);
    } catch (error) {
      throw new Error(daemon.dump(), { cause: error });
    }
    this.#ports = [daemon.port, daemon.replPort];
  }

  /** Starts a process and does not wait. */
  async launch(flags: readonly string[]): Promise<Daemon> {
    const [port, replPort] = this.#ports;
    const daemon = await Daemon.launch(`${this.name}.${this.lives.length + 1}`, [
      ...this.#command,
      ...["--port", String(port), "--repl-port", String(replPort)],
      ...(this.#dir === "" ? [] : ["--dir", this.#dir]),
      ...flags,
    ]);
    this.lives.push(daemon);
    return daemon;
  }

  async kill(): Promise<void> {
    if (this.lives.length > 0) await this.daemon.kill();
  }

  async stop(): Promise<Exit> {
    return this.daemon.stop();
  }

  /** What the node has of these keys, and the count of all writers, at one moment. */
  async read(keys: readonly string[]): Promise<{ found: Found; tick: number }> {
    const reply = await this.daemon.call("MGET", TICK_KEY, ...keys);
    if (!Array.isArray(reply)) throw new Error(`${this.name}: MGET gave no array`);
    const [tick, ...values] = reply.map((value) => (value === null ? null : textOf(value)));
    return {
      found: new Map(keys.map((key, i) => [key, values[i] ?? null])),
      tick: Number(tick ?? 0),
    };
  }

  /** Lines of a stack that its newest process printed. */
  stackLines(): string[] {
    return this.daemon.errorLines.filter((line) => STACK.test(line));
  }
}
