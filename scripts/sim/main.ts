/** npm run sim -- --seeds N [--first SEED] [--trace]: runs consecutive seeds. */
import { Simulation } from "../../test/sim/simulation.ts";

const args = process.argv.slice(2);
const value = (name: string, fallback: number): number => {
  const at = args.indexOf(name);
  return at < 0 ? fallback : Number(args[at + 1]);
};
const seeds = value("--seeds", 100);
const first = value("--first", 1);
const verbose = args.includes("--trace");
let failed = 0;
const marks = new Map<string, number>();
const startedAt = Date.now();
let virtualMs = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const sim = new Simulation(seed);
  sim.verbose = verbose;
  const began = Date.now();
  try {
    sim.run();
  } catch (error) {
    failed += 1;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!args.includes("--quiet"))
      console.log(sim.lines.slice(-(args.includes("--short") ? 0 : 25)).join("\n"));
    console.log(
      `seed=${seed} FAILED at ${sim.clock.nowMs.toFixed(1)} ms: ${text
        .split("\n")
        .slice(0, args.includes("--quiet") ? 1 : 12)
        .join("\n")}`,
    );
  }
  const took = Date.now() - began;
  if (took > 3000)
    console.log(
      `seed=${seed} took ${took} ms, ${sim.clock.events} events, ${sim.peaceMs} ms of peace`,
    );
  virtualMs += sim.clock.nowMs;
  for (const [what, count] of sim.marks) marks.set(what, (marks.get(what) ?? 0) + count);
}
const realMs = Date.now() - startedAt;
console.log(
  [...marks]
    .sort()
    .map(([what, count]) => `${what}=${count}`)
    .join(" "),
);
console.log(
  `${seeds} seeds, ${failed} failed, ${(virtualMs / realMs).toFixed(0)} virtual s per s, ${((seeds * 60_000) / realMs).toFixed(0)} schedules/min`,
);
process.exitCode = failed > 0 ? 1 : 0;
