/**
 * Resynchronization under bad conditions, one JSON line for each question.
 *
 *   npm run bench:resync -- [--only loop,cuts,memory,stopped,ten,record,ends] [--runs N]
 *
 *   --runs   each question so many times (default 1)
 */
import { parseArgs } from "node:util";
import { busyStrangers } from "../lib/process.ts";
import { QUESTIONS } from "./questions.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: "string" }, runs: { type: "string", default: "1" } },
  });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1)
    throw new Error(`--runs ${values.runs}: a whole number from 1 on`);
  const only = values.only?.split(",") ?? Object.keys(QUESTIONS);
  const busy = await busyStrangers(0.05);
  for (const name of only) {
    const ask = QUESTIONS[name];
    if (ask === undefined)
      throw new Error(`no question "${name}"; there are ${Object.keys(QUESTIONS).join(", ")}`);
    for (let run = 0; run < runs; run++) {
      const figures = await ask();
      console.log(JSON.stringify({ question: name, ...figures, node: process.version, busy }));
    }
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
