/** Processes a bench starts itself, and what the system says of them. Linux only: /proc. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Clock ticks per second of /proc/PID/stat. */
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

export function start(command: string, args: readonly string[]): Started {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said = (said + text.toString()).slice(-4_000);
  });
  let stopped = false;
  child.on("exit", (code, signal) => {
    if (!stopped) process.stderr.write(`${command} ended (${code ?? signal}): ${said}\n`);
  });
  return {
    pid: child.pid!,
    child,
    stop: async () => {
      stopped = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

/** CPU seconds, user and system, of all threads so far. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Resident bytes. */
export function rssBytes(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib ?? 0) * 1024;
}

/** Looks at other processes from now on. The returned function says which used too much since. */
export function watchStrangers(share: number): () => string[] {
  const before = allCpu();
  const startedMs = performance.now();
  return () => {
    const seconds = (performance.now() - startedMs) / 1000;
    const busy: string[] = [];
    // What was started or ended meanwhile is mostly the bench's own.
    for (const [pid, now] of allCpu()) {
      const used = (now - (before.get(pid) ?? now)) / seconds;
      if (used > share && pid !== process.pid && pid !== process.ppid) busy.push(nameOf(pid, used));
    }
    return busy;
  };
}

/** Processes that used more than `share` of a CPU for half a second, ours not counted. */
export async function busyStrangers(share: number): Promise<string[]> {
  const busy = watchStrangers(share);
  await sleep(500);
  return busy();
}

function allCpu(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      found.set(Number(name), cpuSeconds(Number(name)));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

function nameOf(pid: number, used: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").slice(0, 60);
    return `${pid} (${Math.round(used * 100)} %) ${line}`;
  } catch {
    return String(pid);
  }
}
