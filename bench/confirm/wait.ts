/**
 * SETs of 50 clients, and the next when that is answered: what a write costs that one replica has confirmed. With WAIT 1
 * behind it in one piece, and nothing on a disk; or by synchronous mode, where its answer waits: applied, and durable on
 * both nodes.
 */
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import { quantile } from "../lib/stats.ts";
import { isSynchronous, Stage, type Contender } from "../disk/contenders.ts";
import type { Figures, Question } from "../disk/question.ts";

const CLIENTS = 50;
const WARM_UP_MS = 2_000;
const MEASURED_MS = 10_000;
/** With less nothing but the start is seen. */
const SHARE_MIN = 0.3;

/** What a client says, and what it has to be told. */
interface Talk {
  readonly write: string;
  readonly answer: string;
}

const SET = "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$16\r\n0123456789abcdef\r\n";
const ALONE: Talk = { write: SET, answer: "+OK\r\n" };
const WITH_WAIT: Talk = {
  write: `${SET}*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n`,
  answer: "+OK\r\n:1\r\n",
};

async function ask(contender: Contender, share: number): Promise<Figures> {
  const stage = new Stage(contender);
  try {
    const { port, pid } = await stage.primary();
    await stage.replica();
    await takesWrites(port);
    const talk = isSynchronous(contender) ? ALONE : WITH_WAIT;
    await confirmed(port, talk, WARM_UP_MS);
    const ms = MEASURED_MS * Math.max(share, SHARE_MIN);
    const cpu = cpuSeconds(pid);
    const latencies = await confirmed(port, talk, ms);
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

/** A member has to be one before anything is confirmed; until then writes are refused. */
async function takesWrites(port: number): Promise<void> {
  const client = await Resp.open(port);
  while ((await client.call("SET", "key:1", "")) !== "OK") await sleep(5);
  client.close();
}

/** How long each write took that was begun within `ms`. */
async function confirmed(port: number, talk: Talk, ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const endMs = performance.now() + ms;
  await Promise.all(Array.from({ length: CLIENTS }, () => client(port, talk, endMs, latencies)));
  return latencies;
}

function client(
  port: number,
  { write: command, answer }: Talk,
  endMs: number,
  latencies: number[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let got = "";
    let sinceMs = 0;
    const write = (): void => {
      sinceMs = performance.now();
      if (sinceMs < endMs) socket.write(command);
      else socket.destroy();
    };
    socket.on("connect", write);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (bytes) => {
      got += bytes.toString("latin1");
      if (got.length < answer.length) return;
      if (got !== answer) socket.destroy(new Error(`not confirmed: ${JSON.stringify(got)}`));
      got = "";
      latencies.push(performance.now() - sinceMs);
      write();
    });
  });
}

const [OF, TO] = ["hawser none", "redis none"] as const;
const BY_MODE = ["hawser applied", "hawser durable"] as const;

export const WAIT: Question = {
  title: "a write of 50 clients that one replica has confirmed: by WAIT 1 (none), or by --sync 1",
  contenders: [OF, TO, ...BY_MODE],
  ratios: [
    { figure: "confirmed_per_s", of: OF, to: TO, must: 1, aim: 1.3 },
    { figure: "p99_ms", of: OF, to: TO, must: 0, aim: 0 },
    { figure: "primary_cpu_us", of: OF, to: TO, must: 0, aim: 0 },
    ...BY_MODE.map((of) => ({ figure: "confirmed_per_s", of, to: TO, must: 0, aim: 0 })),
    ...BY_MODE.map((of) => ({ figure: "confirmed_per_s", of, to: OF, must: 0, aim: 0 })),
  ],
  ask,
};
