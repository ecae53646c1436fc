/**
 * The two peers, started by the bench itself with the same backlog and nothing persisted; redis at
 * its best: no delay before a diskless sync, diskless load on the replica, no output limit.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../lib/free-port.ts";
import { type Started, start } from "../lib/process.ts";

const BACKLOG = "512mb";
const ENTRY = fileURLToPath(new URL("../../dist/daemon/main.js", import.meta.url));

export interface Node extends Started {
  readonly port: number;
}

export interface Peer {
  readonly name: "redis" | "hawser";
  readonly version: string;
  primary(): Promise<Node>;
  replica(of: number): Promise<Node>;
}

/** Throws with what to install when redis-server is missing. */
export function redisPeer(): Peer {
  let version: string;
  try {
    version = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
  } catch {
    throw new Error("redis-server is not installed: apt-get install redis-server");
  }
  const run = async (extra: readonly string[]): Promise<Node> => {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), "hawser-bench-"));
    const args = ["--port", String(port), "--save", "", "--appendonly", "no", "--dir", dir];
    args.push("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0");
    args.push("--repl-diskless-load", "on-empty-db", "--repl-backlog-size", BACKLOG);
    args.push("--client-output-buffer-limit", "replica 0 0 0", ...extra);
    return { ...start("redis-server", args), port };
  };
  return {
    name: "redis",
    version: /v=(\S+)/.exec(version)?.[1] ?? "?",
    primary: () => run([]),
    replica: (of) => run(["--replicaof", `127.0.0.1 ${of}`]),
  };
}

export function hawserPeer(version: string): Peer {
  const run = async (command: string, extra: readonly string[]): Promise<Node> => {
    const port = await freePort();
    const replPort = await freePort();
    const args = [ENTRY, command, "--port", String(port), "--repl-port", String(replPort)];
    // As redis's sync delay of 0: neither waits for others to share a snapshot.
    args.push("--backlog", BACKLOG, "--ship-gather", "0ms", "--log-level", "warn", ...extra);
    const started = start(process.execPath, args);
    replPorts.set(port, replPort);
    return { ...started, port };
  };
  return {
    name: "hawser",
    version,
    primary: () => run("primary", []),
    replica: (of) => run("replica", ["--of", `127.0.0.1:${replPorts.get(of) ?? of}`]),
  };
}

/** Replication ports of started primaries by client port: no time is spent on asking. */
const replPorts = new Map<number, number>();
