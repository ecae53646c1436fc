/**
 * Who is compared: hawser and redis-server, by how they keep what they are told.
 *
 *   hawser none       the log is in memory alone        redis none       --appendonly no
 *   hawser everysec   --dir, --fsync everysec           redis everysec   --appendonly yes, everysec
 *   hawser always     --dir, --fsync always             redis always     --appendonly yes, always
 *   hawser memory     everysec, all log in memory
 *   hawser disk       everysec, little of the log in memory, all of it on disk
 *   hawser applied    --sync 1, the log in memory alone
 *   hawser durable    --sync 1, --sync-level durable, all nodes with --dir and --fsync always
 *
 * Neither compacts by itself: a question that wants it asks for it. Replicas keep nothing on disk, but for those of
 * hawser durable: what is asked is what the primary pays. Each node has a directory of its own, which outlives its process.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../lib/free-port.ts";
import { type Started, start } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { inSync } from "../peers/load.ts";

export type Contender =
  | `${"hawser" | "redis"} ${"none" | "everysec" | "always"}`
  | `hawser ${"memory" | "disk" | "applied" | "durable"}`
  /* the machine alone */
  | "idle";

const BACKLOG = "512mb";
/** How much of the log is where. */
const LOG_SIZES: Readonly<Record<string, readonly string[]>> = {
  memory: ["--backlog", "2gb"],
  disk: ["--backlog", "16mb", "--log-keep", "4gb"],
};
/** Synchronous mode. */
const SYNC: Readonly<Record<string, readonly string[]>> = {
  applied: ["--sync", "1"],
  durable: ["--sync", "1", "--sync-level", "durable"],
};
const ENTRY = fileURLToPath(new URL("../../dist/daemon/main.js", import.meta.url));

export interface BenchNode {
  readonly port: number;
  readonly replPort: number;
  readonly pid: number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** A process on the same ports and directory; does not wait until it answers. */
  start(): void;
}

/** The nodes of one contender, and where they keep what they keep. */
export class Stage {
  readonly #contender: Contender;
  readonly #dir: string = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  readonly #nodes: StagedNode[] = [];

  constructor(contender: Contender) {
    this.#contender = contender;
  }

  async primary(): Promise<BenchNode> {
    const ports = { port: await freePort(), replPort: await freePort() };
    const node = new StagedNode(this.#primaryCommand(ports), ports);
    this.#nodes.push(node);
    // In synchronous mode reads wait for a member, and there is none yet.
    if (!isSynchronous(this.#contender)) await answers(node.port);
    return node;
  }

  /** Resolves when it is in sync. */
  async replica(): Promise<BenchNode> {
    const [primary] = this.#nodes;
    const ports = { port: await freePort(), replPort: await freePort() };
    const of = primary!.ports;
    const command = isRedis(this.#contender)
      ? redisCommand(ports, this.#dirOf(ports), ["--replicaof", `127.0.0.1 ${of.port}`])
      : hawserCommand("replica", ports, [
          "--of",
          `127.0.0.1:${of.replPort}`,
          ...this.#keeps(ports),
        ]);
    const node = new StagedNode(command, ports);
    this.#nodes.push(node);
    await inSync(node.port);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #primaryCommand(ports: Ports): Command {
    const [, how] = this.#contender.split(" ") as [string, string];
    const dir = this.#dirOf(ports);
    if (isRedis(this.#contender)) {
      const keeps = how === "none" ? [] : ["--appendonly", "yes", "--appendfsync", how];
      return redisCommand(ports, dir, keeps);
    }
    if (how === "none") return hawserCommand("primary", ports, []);
    const sync = SYNC[how];
    if (sync !== undefined)
      return hawserCommand("primary", ports, [...sync, ...this.#keeps(ports)]);
    const policy = how === "always" ? "always" : "everysec";
    return hawserCommand("primary", ports, ["--dir", dir, "--fsync", policy], LOG_SIZES[how]);
  }

  /** Flags of a member: of all contenders one alone has members with a disk. */
  #keeps(ports: Ports): string[] {
    if (this.#contender !== "hawser durable") return [];
    return ["--dir", this.#dirOf(ports), "--fsync", "always"];
  }

  #dirOf({ port }: Ports): string {
    return mkdtempSync(join(this.#dir, `${port}-`));
  }
}

/** An empty directory is loaded too: until then both answer every command with LOADING. */
async function answers(port: number): Promise<void> {
  const client = await Resp.open(port);
  while (typeof (await client.call("DBSIZE")) !== "number") await sleep(5);
  client.close();
}

interface Ports {
  readonly port: number;
  readonly replPort: number;
}

interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

class StagedNode implements BenchNode {
  readonly ports: Ports;
  readonly #command: Command;
  #process: Started;

  constructor(command: Command, ports: Ports) {
    this.ports = ports;
    this.#command = command;
    this.#process = start(command.program, command.args);
  }

  get port(): number {
    return this.ports.port;
  }

  get replPort(): number {
    return this.ports.replPort;
  }

  get pid(): number {
    return this.#process.pid;
  }

  kill(): Promise<void> {
    return this.#process.stop();
  }

  start(): void {
    this.#process = start(this.#command.program, this.#command.args);
  }
}

export function isSynchronous(contender: Contender): boolean {
  return contender.split(" ")[1]! in SYNC;
}

export function isRedis(contender: Contender): boolean {
  return contender.startsWith("redis");
}

function redisCommand({ port }: Ports, dir: string, more: readonly string[]): Command {
  const args = ["--port", String(port), "--save", "", "--dir", dir];
  args.push("--auto-aof-rewrite-percentage", "0");
  args.push("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0");
  args.push("--repl-diskless-load", "on-empty-db", "--repl-backlog-size", BACKLOG);
  args.push("--client-output-buffer-limit", "replica 0 0 0", ...more);
  return { program: "redis-server", args };
}

function hawserCommand(
  role: string,
  ports: Ports,
  more: readonly string[],
  logSizes: readonly string[] = ["--backlog", BACKLOG],
): Command {
  const args = [ENTRY, role, "--port", String(ports.port), "--repl-port", String(ports.replPort)];
  args.push(...logSizes, "--ship-gather", "0ms", "--log-level", "warn", ...more);
  return { program: process.execPath, args };
}
