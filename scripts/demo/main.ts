/**
 * The demo's entry. `npm run demo` plays until Ctrl-C, `npm run demo -- --check` proves itself and
 * exits 0 only if everything is true.
 *
 * Owns: the command line, exit codes, and that no child is left behind.
 */
import { parseArgs } from "node:util";
import { Fleet } from "../../tools/processes.ts";
import { errorText } from "../../tools/wait.ts";
import { runLive } from "./live.ts";
import { runMainJob } from "./main-job.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
const STOP_BY_THEMSELVES_MS = 1500;

async function check(fleet: Fleet): Promise<number> {
  const { failed } = await runMainJob(fleet);
  if (failed.length === 0) return 0;
  console.error(fleet.dump());
  for (const name of failed) console.error(`demo: FAILED: ${name}`);
  return EXIT_FAILED;
}

async function live(fleet: Fleet, stopped: AbortSignal): Promise<number> {
  await runLive(fleet, stopped);
  // Ctrl-C in a terminal reaches the nodes as well; a second signal would cut their goodbyes short.
  await Promise.all(
    fleet.nodes.map((node) => node.ended(STOP_BY_THEMSELVES_MS).catch(() => node.stop())),
  );
  console.log("\nstopped");
  return 0;
}

function readFlags(): { check: boolean } | null {
  try {
    const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
    return values;
  } catch (error) {
    console.error(`demo: ${errorText(error)}\nusage: npm run demo [-- --check]`);
    return null;
  }
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (!flags) return EXIT_USAGE;
  const fleet = new Fleet();
  const stopping = new AbortController();
  process.on("SIGINT", () => {
    if (flags.check) process.exit(EXIT_INTERRUPTED);
    stopping.abort();
  });
  try {
    return await (flags.check ? check(fleet) : live(fleet, stopping.signal));
  } catch (error) {
    if (fleet.nodes.length > 0) console.error(fleet.dump());
    console.error(`demo: FAILED: ${errorText(error)}`);
    return EXIT_FAILED;
  } finally {
    await fleet.stopAll();
  }
}

process.exitCode = await main();
