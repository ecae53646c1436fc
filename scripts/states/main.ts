/**
 * npm run crash:states -- --kills 100 [--seed N] [level] [lmdb] [accounts]
 *
 * Kills processes that write to a store on disk through its adapter, or put a snapshot in place, and opens
 * what they left: the checks of the conformance suite whose names begin with "crash", and so many kills of
 * each. Exit code 1 when one fails; it prints the seed that repeats its draws.
 */
import { parseArgs } from "node:util";
import { conformance, type ConformanceOptions } from "../../src/conformance/index.ts";

const ALL = ["level", "lmdb", "accounts"];
const MS_PER_KILL = 5000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: "string", default: "100" }, seed: { type: "string" } },
});
const kills = Number(values.kills);
const seed = values.seed === undefined ? {} : { seed: Number(values.seed) };

for (const name of positionals.length > 0 ? positionals : ALL) {
  const module = new URL(`../../test/tools/${name}-subject.mjs`, import.meta.url);
  const { default: subject } = (await import(module.href)) as { default: ConformanceOptions };
  const timeoutMs = 60_000 + kills * MS_PER_KILL;
  const options = { ...subject, ...seed, module, execArgv: [], kills, timeoutMs };
  for (const { name: check, run } of conformance(options)) {
    if (!check.startsWith("crash")) continue;
    const from = Date.now();
    const said = await run().catch((error: unknown) => {
      process.exitCode = 1;
      return String(error);
    });
    console.log(`${name} ${check}: ${said} (${kills} kills, ${Date.now() - from} ms)`);
  }
}
