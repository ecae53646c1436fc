/**
 * Resynchronization under bad conditions, one JSON line for each question.
 *
 *   npm run bench:resync -- [--only loop,cuts,memory,stopped,ten,record]
 */
import { parseArgs } from "node:util";
import { busyStrangers } from "../lib/process.ts";
import { QUESTIONS } from "./questions.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const only = values.only?.split(",") ?? Object.keys(QUESTIONS);
  const busy = await busyStrangers(0.05);
  for (const name of only) {
    const ask = QUESTIONS[name];
    if (ask === undefined)
      throw new Error(`no question "${name}"; there are ${Object.keys(QUESTIONS).join(", ")}`);
    const figures = await ask();
    console.log(JSON.stringify({ question: name, ...figures, node: process.version, busy }));
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
