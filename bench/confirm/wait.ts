/**
 * SETs of 50 clients, each with WAIT 1 behind it in one piece, and the next when that is answered: what a write costs
 * that one replica has applied. Nothing is on a disk.
 */
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { cpuSeconds } from "../lib/process.ts";
import { quantile } from "../lib/stats.ts";
import { Stage, type Contender } from "../disk/contenders.ts";
import type { Figures, Question } from "../disk/question.ts";

const CLIENTS = 50;
const WARM_UP_MS = 2_000;
const MEASURED_MS = 10_000;
/** With less nothing but the start is seen. */
const SHARE_MIN = 0.3;
const ANSWER = "+OK\r\n:1\r\n";
const WRITE =
  "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$16\r\n0123456789abcdef\r\n" +
  "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const { port, pid } = await stage.primary();
    await stage.replica();
    await confirmed(port, WARM_UP_MS);
    const ms = MEASURED_MS * Math.max(share, SHARE_MIN);
    const cpu = cpuSeconds(pid);
    const latencies = await confirmed(port, ms);
    const count = latencies.length;
    return {
      confirmed_per_s: (count * 1000) / ms,
      p50_ms: quantile(latencies, 0.5),
      p99_ms: quantile(latencies, 0.99),
      primary_cpu_us: ((cpuSeconds(pid) - cpu) * 1e6) / count,
    };
  } finally {
    await stage.close();
  }
}

/** How long each write took that was begun within `ms`. */
async function confirmed(port: number, ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const endMs = performance.now() + ms;
  await Promise.all(Array.from({ length: CLIENTS }, () => client(port, endMs, latencies)));
  return latencies;
}

function client(port: number, endMs: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let got = "";
    let sinceMs = 0;
    const write = (): void => {
      sinceMs = performance.now();
      if (sinceMs < endMs) socket.write(WRITE);
      else socket.destroy();
    };
    socket.on("connect", write);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (bytes) => {
      got += bytes.toString("latin1");
      if (got.length < ANSWER.length) return;
      if (got !== ANSWER) socket.destroy(new Error(`not confirmed: ${JSON.stringify(got)}`));
      got = "";
      latencies.push(performance.now() - sinceMs);
      write();
    });
  });
}

const [of, to] = ["hawser none", "redis none"] as const;

export const WAIT: Question = {
  title: "SET and WAIT 1 of 50 clients, one replica, no disk",
  contenders: [of, to],
  ratios: [
    { figure: "confirmed_per_s", of, to, must: 1, aim: 1.3 },
    { figure: "p99_ms", of, to, must: 0, aim: 0 },
    { figure: "primary_cpu_us", of, to, must: 0, aim: 0 },
  ],
  ask,
};
