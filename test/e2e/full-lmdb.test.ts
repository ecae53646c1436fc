/** An LMDB whose file may not grow: writes reject with what LMDB says, nothing of them is stored, and the node goes on. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const CHILD = fileURLToPath(new URL("../tools/full-lmdb.mjs", import.meta.url));
/** KiB that a file of the process may have. */
const FILE_KIB_MAX = 700;

interface Told {
  readonly outcomes: readonly string[];
  readonly positions: readonly number[];
  readonly entries: number;
  readonly unhandled: readonly string[];
}

test("a commit that fails => its write rejects, nothing of it is stored or logged, no rejection is left", () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-full-"));
  try {
    // Without the trap the kernel ends a process that writes beyond the limit.
    const script = `ulimit -f ${FILE_KIB_MAX}; trap '' XFSZ; exec "$0" "$1" "$2"`;
    const said = execFileSync("bash", ["-c", script, process.execPath, CHILD, join(dir, "lmdb")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const told = JSON.parse(said) as Told;
    const written = told.outcomes.filter((outcome) => outcome === "ok").length;
    expect(written).toBeGreaterThan(0);
    const refused = told.outcomes.slice(written);
    expect(refused.length).toBeGreaterThan(0);
    for (const outcome of refused)
      expect(outcome).toMatch(/^ERR_STORE_REFUSED: LMDB has not committed it: /);
    expect(told.positions.slice(written - 1)).toEqual(
      told.outcomes.slice(written - 1).map(() => told.positions[written - 1]),
    );
    expect(told.entries).toBe(written * 200);
    expect(told.unhandled).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
