/**
 * One place in the soak's cluster: a name, two ports and a directory, with one process after the
 * other in it.
 *
 * Owns: the process of the moment and what is remembered of the earlier ones. Does not own: when it
 * is killed, whom it follows.
 */
import { rmSync } from "node:fs";
import { Daemon } from "../../tools/processes.ts";

/** One process of a member, first to last. */
export interface Life {
  readonly daemon: Daemon;
  readonly startedAtMs: number;
  /** It ended because the soak ended it. */
  killed: boolean;
}

export class Member {
  readonly name: string;
  readonly dir: string;
  readonly lives: Life[] = [];
  /** Whom it was told to follow; null for a primary. */
  upstream: Member | null = null;
  /** A fault on its process is under way. */
  busy = false;
  #ports: readonly [number, number] = [0, 0];

  constructor(name: string, dir: string) {
    this.name = name;
    this.dir = dir;
  }

  get life(): Life {
    return this.lives.at(-1)!;
  }
  get daemon(): Daemon {
    return this.life.daemon;
  }
  get port(): number {
    return this.#ports[0];
  }
  get replPort(): number {
    return this.#ports[1];
  }

  /** Starts a process in this place: the first on free ports, every other on those of the first. */
  async start(args: readonly string[]): Promise<void> {
    const [port, replPort] = this.#ports;
    const ports = ["--port", String(port), "--repl-port", String(replPort)];
    const all = [args[0]!, ...ports, "--dir", this.dir, ...args.slice(1)];
    const startedAtMs = Date.now();
    const daemon = await Daemon.start(`${this.name}.${this.lives.length + 1}`, all);
    this.lives.push({ daemon, startedAtMs, killed: false });
    this.#ports = [daemon.port, daemon.replPort];
  }

  /** SIGKILL, on a stopped process too. */
  async kill(): Promise<void> {
    this.life.killed = true;
    await this.daemon.kill();
  }

  wipeDir(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
