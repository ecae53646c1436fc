/**
 * One place on disk and the process that has a node there, life after life: started, told to rest, killed.
 *
 * Owns: what the process says, as values. Does not own: what it does (member.mjs), what is compared (series.ts).
 */
import { fileURLToPath } from "node:url";
import { ManagedProcess } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

const MEMBER = fileURLToPath(new URL("member.mjs", import.meta.url));

/** What a node that rests has. */
export interface Rest {
  /** Its entries as texts; null when it has no state. */
  readonly content: readonly string[] | null;
  /** Null when it went on meanwhile. */
  readonly position: { readonly history: string; readonly offset: number } | null;
  readonly counters: Readonly<Record<string, number>>;
}

type Line =
  | { readonly port: number }
  | { readonly wrote: readonly [key: number, n: number] }
  | { readonly resync: string }
  | { readonly link: string }
  | { readonly kept: true }
  | { readonly rest: Rest };

export class Member {
  readonly kind: string;
  port = 0;
  readonly #name: string;
  readonly #place: string;
  readonly #writers: number;
  #process: ManagedProcess | null = null;
  /** How much of the present process's output was read. */
  #read = 0;
  #lines: Line[] = [];
  #syncsBefore = 0;

  constructor(name: string, kind: string, place: string, writers: number) {
    this.#name = name;
    this.kind = kind;
    this.#place = place;
    this.#writers = writers;
  }

  /** Starts the process, without waiting for the node. */
  async launch(options: object): Promise<void> {
    const at = { ...options, listen: this.port };
    const args = [MEMBER, this.kind, this.#place, String(this.#writers), JSON.stringify(at)];
    if (this.#process !== null) this.#syncsBefore = this.fullSyncs;
    this.#lines = [];
    this.#read = 0;
    this.#process = await ManagedProcess.spawn(process.execPath, args, { name: this.#name });
  }

  /** @throws when the process ends before its node is open */
  async ready(): Promise<void> {
    const opened = (): Line | undefined => this.lines.find((line) => "port" in line);
    await until(() => opened() ?? this.exit, {
      what: `${this.#name} to open`,
      describe: () => this.text,
    });
    const line = opened();
    if (line === undefined || !("port" in line)) throw new Error(this.text);
    this.port = line.port;
  }

  /** @throws when it had ended by itself */
  async kill(): Promise<void> {
    if (this.exit !== null) throw new Error(`${this.#name} ended by itself: ${this.text}`);
    await this.close();
  }

  async close(): Promise<void> {
    await this.#process?.kill();
  }

  get exit(): ManagedProcess["exit"] {
    return this.#process?.exit ?? null;
  }

  /** All that the present process said. */
  get lines(): readonly Line[] {
    const { stdout } = this.#process!;
    const end = stdout.lastIndexOf("\n") + 1;
    for (const line of stdout.slice(this.#read, end).split("\n").slice(0, -1))
      this.#lines.push(JSON.parse(line) as Line);
    this.#read = end;
    return this.#lines;
  }

  get wrote(): readonly (readonly [key: number, n: number])[] {
    return this.lines.flatMap((line) => ("wrote" in line ? [line.wrote] : []));
  }

  /** Full syncs that it began, or that were begun of it, in all lives. */
  get fullSyncs(): number {
    return this.#syncsBefore + this.lines.filter((line) => "resync" in line).length;
  }

  /** Waits until the state of a replica outlives it. */
  async isKept(): Promise<void> {
    await until(() => this.lines.some((line) => "kept" in line), {
      what: `${this.#name} to keep its state`,
      describe: () => this.text,
    });
  }

  /** How replicas went on when they connected to it, in this life. */
  get links(): readonly string[] {
    return this.lines.flatMap((line) => ("link" in line ? [line.link] : []));
  }

  get text(): string {
    const process = this.#process!;
    const errors = process.errorLines.slice(-20).join("\n");
    return `${this.#name} (${this.kind}) ${JSON.stringify(process.exit)}: ${errors}\n${process.stdout.slice(-300)}`;
  }

  /** It writes no more; what it has then. */
  async rest(): Promise<Rest> {
    const before = this.lines.length;
    this.#process!.signal("SIGUSR2");
    const told = (): Rest | undefined => {
      const line = this.lines.slice(before).find((each) => "rest" in each);
      return line !== undefined && "rest" in line ? line.rest : undefined;
    };
    const rest = await until(() => told() ?? (this.exit === null ? null : "ended"), {
      what: `${this.#name} to rest`,
      everyMs: 5,
      describe: () => this.text,
    });
    if (rest === "ended") throw new Error(`${this.#name} ended by itself: ${this.text}`);
    return rest;
  }

  goOn(): void {
    this.#process!.signal("SIGHUP");
  }
}
