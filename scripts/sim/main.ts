/**
 * npm run sim -- [--seeds N] [--first SEED] [--jobs N] [--trace] [--until-failure] [--quiet] [--marks] [--log-stores | --on-disk | --public | --disks | --reclaims | --failovers | --sync]
 *
 * Runs N schedules from consecutive seeds (default 100, from 1) and prints the coverage table and the
 * speed. Exit code 1 when a checker objects, or when a fault, phase or path was never exercised.
 *   --jobs           so many processes side by side (default 1)
 *   --trace          prints every event as it happens
 *   --until-failure  stops at the first seed that fails; one process
 *   --quiet          one line for each failing seed, no table
 *   --marks          prints every count there is
 *   --log-stores     nodes have a store behind the log in memory, slow and at times damaged
 *   --on-disk        nodes keep log and state on a disk that crashes
 *   --public         all nodes have a state of an embedder's kind, over the bridge
 *   --disks          one node's log on a disk that crashes, instead of clusters
 *   --reclaims       a leader that dies, and asks those that followed it when it is back, instead of clusters
 *   --failovers      nodes that hand the primary over by plan, instead of clusters
 *   --sync           nodes in synchronous mode, instead of clusters
 */
import { parseArgs } from "node:util";
import { Coverage } from "../../test/sim/coverage.ts";
import { runInJobs, serveJobs } from "./jobs.ts";
import { runRange } from "./range.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    first: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
    "until-failure": { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
    marks: { type: "boolean", default: false },
    "log-stores": { type: "boolean", default: false },
    "on-disk": { type: "boolean", default: false },
    public: { type: "boolean", default: false },
    disks: { type: "boolean", default: false },
    reclaims: { type: "boolean", default: false },
    failovers: { type: "boolean", default: false },
    sync: { type: "boolean", default: false },
  },
});
const options = {
  ...values,
  untilFailure: values["until-failure"],
  logStores: values["log-stores"],
  onDisk: values["on-disk"],
  publicStates: values.public,
};

async function main(): Promise<number> {
  const [first, count, jobs] = [values.first, values.seeds, values.jobs].map(Number) as [
    number,
    number,
    number,
  ];
  if (![first, count, jobs].every(Number.isSafeInteger) || count < 1 || jobs < 1) {
    console.error("--seeds, --first and --jobs take whole numbers");
    return 2;
  }
  const startedAt = performance.now();
  const alone = jobs === 1 || options.untilFailure;
  const total = await (alone ? runRange(first, count, options) : runInJobs(first, count, jobs));
  const seconds = (performance.now() - startedAt) / 1000;
  const coverage = new Coverage();
  coverage.add(total.marks, total.schedules);
  const isNoCluster = options.disks || options.reclaims || options.failovers || options.sync;
  const missing = options.untilFailure || isNoCluster ? [] : coverage.missing();
  if (!values.quiet && !isNoCluster) console.log(coverage.table());
  if (values.marks || isNoCluster) console.log(coverage.all());
  for (const what of missing) console.log(`never exercised: ${what}`);
  const speed = (total.virtualMs / 1000 / seconds).toFixed(0);
  const rate = ((total.schedules * 60) / seconds).toFixed(0);
  const failed = total.failed.sort((a, b) => a - b);
  console.log(
    `\n${total.schedules} schedules from seed ${first}, ${failed.length} failed, ` +
      `${seconds.toFixed(1)} s: ${speed} virtual s per s, ${rate} schedules per minute`,
  );
  if (failed.length > 0) console.log(`failed seeds: ${failed.join(" ")}`);
  return failed.length > 0 || missing.length > 0 ? 1 : 0;
}

if (!serveJobs(options)) process.exitCode = await main();
