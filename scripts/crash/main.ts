/**
 * npm run crash -- [--rounds N] [--seed S] [--replicas N] [--policy always|everysec|no] [--death D]
 *                  [--dry] [--no-reclaim]
 *
 * Kills nodes under load N times (default 100): half of the rounds without a replica, half with two, or
 * all with as many as --replicas says. Policies and deaths are drawn from the seed (default: from the
 * clock), or given; when exactly a node dies also depends on the machine. --dry: nodes keep nothing, and
 * the run must fail: it tests the checks. --no-reclaim: a primary asks nobody what its disk has lost, and
 * may come back without what a living replica has. Exit code 1 when a check failed.
 */
import { parseArgs } from "node:util";
import { errorText } from "../../tools/wait.ts";
import { endWith, tellVerdicts } from "../soak/verdict-end.ts";
import { Verdicts } from "../soak/verdicts.ts";
import { Series, type SeriesOptions } from "./series.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    replicas: { type: "string" },
    policy: { type: "string" },
    death: { type: "string" },
    dry: { type: "boolean", default: false },
    "no-reclaim": { type: "boolean", default: false },
  },
});

function series(): SeriesOptions[] {
  const rounds = Number(values.rounds);
  const common = {
    seed: Number(values.seed),
    policy: (values.policy ?? null) as SeriesOptions["policy"],
    death: (values.death ?? null) as SeriesOptions["death"],
    dry: values.dry,
    reclaims: !values["no-reclaim"],
  };
  if (values.replicas !== undefined)
    return [{ ...common, rounds, replicas: Number(values.replicas) }];
  const half = Math.floor(rounds / 2);
  return [
    { ...common, rounds: half, replicas: 0 },
    { ...common, rounds: rounds - half, replicas: 2 },
  ];
}

/** The command that runs the same again. */
function again({ seed, rounds, replicas, policy, death, dry, reclaims }: SeriesOptions): string {
  const more = [
    ...(policy === null ? [] : ["--policy", policy]),
    ...(death === null ? [] : ["--death", death]),
    ...(dry ? ["--dry"] : []),
    ...(reclaims ? [] : ["--no-reclaim"]),
  ];
  const args = ["--seed", seed, "--rounds", rounds, "--replicas", replicas, ...more];
  return `npm run crash -- ${args.join(" ")}`;
}

async function main(): Promise<number> {
  const verdicts = new Verdicts();
  let failure = "";
  for (const options of series()) {
    const before = verdicts.failures;
    const one = new Series(options, verdicts);
    console.log(again(options));
    try {
      await one.run();
    } catch (error) {
      failure = errorText(error);
      console.error(`crash: FAILED: ${error instanceof Error ? (error.stack ?? "") : failure}`);
    }
    if (failure !== "" || verdicts.failures > before) {
      console.error(one.dump());
      console.error(`crash: FAILED: ${again(options)}`);
    }
    await one.close();
    if (failure !== "") break;
  }
  return tellVerdicts(verdicts, failure);
}

await endWith(main);
