/**
 * npm run switchovers -- [--rounds N] [--dir] [--fsync always|everysec|no] [--sync N]
 *
 * Planned failovers between two nodes under load, each followed by a comparison (tools/switchovers.ts), and how
 * long nobody could write. `--dir`: both keep their data, in directories that are removed. `--sync`: synchronous mode.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { converge } from "../../tools/converge.ts";
import { Fleet } from "../../tools/processes.ts";
import { switchovers } from "../../tools/switchovers.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    dir: { type: "boolean", default: false },
    fsync: { type: "string", default: "everysec" },
    sync: { type: "string", default: "0" },
  },
});

const folder = mkdtempSync(join(tmpdir(), "hawser-switchovers-"));
const fleet = new Fleet();
const flagsOf = (name: string): string[] => [
  ...["--sync", values.sync],
  ...(values.dir ? ["--dir", join(folder, name), "--fsync", values.fsync] : []),
];
try {
  const primary = await fleet.primary(...flagsOf("a"));
  const replica = await fleet.replica(primary, ...flagsOf("b"));
  await converge([primary, replica]);
  const made = await switchovers([primary, replica], Number(values.rounds), (line) =>
    console.log(line),
  );
  const gaps = made.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))]!.toFixed(0);
  console.log(
    `${made.length} switchovers, 0 full syncs, no INCR lost or doubled; longest time without a write: ` +
      `median ${at(0.5)} ms, p90 ${at(0.9)} ms, worst ${at(1)} ms`,
  );
} catch (error) {
  console.error(fleet.dump());
  throw error;
} finally {
  await fleet.stopAll();
  rmSync(folder, { recursive: true, force: true });
}
