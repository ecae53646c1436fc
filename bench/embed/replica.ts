/**
 * How fast a replica applies what it has missed: one inside a process beside one that is a daemon, in alternating
 * rounds. Each is stopped (SIGSTOP) while the primary, which is in this process, writes; then it goes on.
 *
 *   npm run bench:embed:replica -- [--records 1000000] [--keys 100000] [--value 100] [--rounds 5]
 *
 * One line of JSON: records per second by the clock, and CPU of the replica's process for a record. `ratio` is the
 * median over the rounds of daemon / embedded, in CPU; `wallRatio` of embedded / daemon, in records per second.
 */
import { fileURLToPath } from "node:url";
import { setImmediate as turn } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Primary } from "../../src/index.ts";
import { cpuSeconds, start } from "../lib/process.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";

const { values: args } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    keys: { type: "string", default: "100000" },
    value: { type: "string", default: "100" },
    rounds: { type: "string", default: "5" },
  },
});
const RECORDS = Number(args.records);
const KEYS = Number(args.keys);
const VALUE = Buffer.alloc(Number(args.value), "v");
/** What a busy primary has in a batch. */
const RECORDS_PER_TURN = 100;
const BACKLOG_BYTES = 2 ** 30;

const dist = (file: string): string =>
  fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));

/** How each is started, to follow `of`. */
const KINDS: Readonly<Record<string, (of: string) => readonly string[]>> = {
  daemon: (of) => [
    dist("daemon/main.js"),
    "replica",
    "--of",
    of,
    "--port",
    "0",
    "--repl-port",
    "0",
  ],
  embedded: (of) => [
    "--input-type=module",
    "--eval",
    `import { Replica } from ${JSON.stringify(dist("index.js"))};
     await Replica.open({ of: ${JSON.stringify(of)} });`,
  ],
};

interface Round {
  readonly perSecond: number;
  readonly cpuUs: number;
}

async function write(primary: Primary, records: number): Promise<void> {
  for (let n = 0; n < records; n++) {
    primary.set(`key:${String(n % KEYS).padStart(12, "0")}`, VALUE);
    if (n % RECORDS_PER_TURN === 0) await turn();
  }
}

async function round(primary: Primary, kind: string): Promise<Round> {
  const replica = start(process.execPath, KINDS[kind]!(`127.0.0.1:${primary.replPort}`));
  try {
    // It has all keys, and its code is warm.
    await primary.waitForReplicas(1, { timeoutMs: 30_000 });
    await write(primary, RECORDS / 2);
    await primary.waitForReplicas(1, { timeoutMs: 30_000 });
    process.kill(replica.pid, "SIGSTOP");
    await write(primary, RECORDS);
    const cpu = cpuSeconds(replica.pid);
    const startMs = performance.now();
    process.kill(replica.pid, "SIGCONT");
    await primary.waitForReplicas(1, { timeoutMs: 60_000 });
    return {
      perSecond: (RECORDS * 1000) / (performance.now() - startMs),
      cpuUs: ((cpuSeconds(replica.pid) - cpu) * 1e6) / RECORDS,
    };
  } finally {
    await replica.stop();
  }
}

const { Primary: PrimaryClass } = await shipped("index");
const primary = await PrimaryClass.open({ backlogBytes: BACKLOG_BYTES });
await write(primary, KEYS);
const rounds: { readonly daemon: Round; readonly embedded: Round }[] = [];
for (let n = 0; n < Number(args.rounds); n++)
  rounds.push({
    daemon: await round(primary, "daemon"),
    embedded: await round(primary, "embedded"),
  });
await primary.close();

const middle = (value: (each: (typeof rounds)[number]) => number): number =>
  median(rounds.map(value));
console.log(
  JSON.stringify({
    name: "embed: replica",
    records: RECORDS,
    ratio: Number(middle(({ daemon, embedded }) => daemon.cpuUs / embedded.cpuUs).toFixed(3)),
    wallRatio: Number(
      middle(({ daemon, embedded }) => embedded.perSecond / daemon.perSecond).toFixed(3),
    ),
    daemonPerSecond: Math.round(middle(({ daemon }) => daemon.perSecond)),
    embeddedPerSecond: Math.round(middle(({ embedded }) => embedded.perSecond)),
    daemonCpuUs: Number(middle(({ daemon }) => daemon.cpuUs).toFixed(3)),
    embeddedCpuUs: Number(middle(({ embedded }) => embedded.cpuUs).toFixed(3)),
  }),
);
