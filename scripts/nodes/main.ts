/**
 * npm run crash:nodes -- [--kills N] [--seed S] [--dry] [level] [lmdb] [accounts] [map] [arena]
 *
 * Kills primaries and replicas over states with real files N times (default 100), of the kinds that are named or
 * of all by turns: a series of kills for each, whose replica the seed draws. Deaths are drawn from the seed
 * (default: from the clock); when exactly a node dies also depends on the machine. --dry: primaries have their log in memory alone, and the run must
 * fail: it tests the checks; of states that keep themselves only. Exit code 1 when a check failed.
 */
import { parseArgs } from "node:util";
import { errorText } from "../../tools/wait.ts";
import { endWith, tellVerdicts } from "../soak/verdict-end.ts";
import { Verdicts } from "../soak/verdicts.ts";
import { FOLLOWERS, NodeSeries } from "./series.ts";

/** Kills of one series: long ones see much data, new ones other replicas. */
const SERIES_KILLS = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    dry: { type: "boolean", default: false },
  },
});
const kinds = positionals.length > 0 ? positionals : Object.keys(FOLLOWERS);
const seed = Number(values.seed);
const all = Number(values.kills);
const perSeries = Math.min(SERIES_KILLS, Math.ceil(all / kinds.length));

/** Runs the same again. */
function command(from: number, kills: number, of: readonly string[]): string {
  const more = values.dry ? ["--dry"] : [];
  return ["npm run crash:nodes -- --seed", from, "--kills", kills, ...more, ...of].join(" ");
}

async function main(): Promise<number> {
  const unknown = kinds.filter((kind) => !(kind in FOLLOWERS));
  if (unknown.length > 0) throw new Error(`no such kind: ${unknown.join(" ")}`);
  const verdicts = new Verdicts();
  console.log(command(seed, all, kinds));
  let failure = "";
  for (let n = 0, left = all; left > 0 && failure === ""; n++) {
    const kills = Math.min(left, perSeries);
    left -= kills;
    const options = { kind: kinds[n % kinds.length]!, seed: seed + n, kills, dry: values.dry };
    const again = command(options.seed, kills, [options.kind]);
    const before = verdicts.failures;
    const series = new NodeSeries(options, verdicts);
    try {
      await series.run();
    } catch (error) {
      failure = errorText(error);
      console.error(`crash:nodes: FAILED: ${failure}`);
    }
    if (failure !== "" || verdicts.failures > before)
      console.error(`${series.dump()}\ncrash:nodes: FAILED: ${again}`);
    await series.close();
  }
  return tellVerdicts(verdicts, failure);
}

await endWith(main);
