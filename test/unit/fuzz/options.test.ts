/** Random command lines, variables and config files: a UsageError for people, or options in range. */
import { expect, test } from "vitest";
import { SETTINGS } from "../../../src/node/settings.ts";
import { UsageError } from "../../../src/node/option-values.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import { Random } from "../../../tools/random.ts";
import { corpus, trying } from "./corpus.ts";
import { damage } from "./tools.ts";

const WORDS = ["", "0", "-1", "1", "6380", "70000", "1e9", "999999999999999999999", "NaN", "0x10"];
const MORE = ["1kb", "1tb", "10ms", "5s", "1h", "true", "false", "::1", "a:b", "[::1]:5", "refuse"];
const VALUES = [...WORDS, ...MORE, "localhost:1,localhost:2", "\u0000", "😀", "a".repeat(5_000)];

/** Times and sizes without a default: below 0 when nobody said them, and then the node decides by what it finds. */
const DECIDED_LATER: ReadonlySet<string> = new Set(
  SETTINGS.filter(({ kind }) => kind === "time" || kind === "size")
    .filter(({ fallback }) => fallback === "")
    .map(({ key }) => key),
);

/** Reads; @returns false when it was refused in words. */
function reads(argv: readonly string[], variables: Record<string, string>, file: string): boolean {
  try {
    const line = readCommandLine(argv, variables, () => file);
    if (line.kind !== "node") return true;
    for (const [name, value] of Object.entries(line.options))
      if (typeof value === "number" && !(value === -1 && DECIDED_LATER.has(name)))
        expect([name, value >= 0 && value < 2 ** 53]).toEqual([name, true]);
    expect(line.options.port).toBeLessThan(65_536);
    return true;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.message.length).toBeLessThan(20_000);
    return false;
  }
}

test("random flags, variables and files => options in range or a UsageError", () => {
  const random = new Random(2);
  const names = SETTINGS.map((row) => row.name);
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    const argv: string[] = [random.pick(["primary", "replica", "replica", "status", "verify"])];
    const flags = random.between(0, 3);
    for (let n = 0; n < flags; n++)
      argv.push(`--${random.pick(names)}${random.pick(["", "=", ""])}`, random.pick(VALUES));
    const variables: Record<string, string> = {};
    const name = random.pick(names).toUpperCase().replaceAll("-", "_");
    if (random.fraction() < 0.3) variables[`HAWSER_${name}`] = random.pick(VALUES);
    const file = JSON.stringify({
      [random.pick(names)]: random.pick([...VALUES, 1, -1, null, []]),
    });
    if (random.fraction() < 0.3) argv.push("--config", "f");
    if (reads(argv, variables, file)) accepted += 1;
  }
  expect(accepted).toBeGreaterThan(1_000);
});

test.each(corpus("config"))("corpus: %s => options in range or a UsageError", (_name, file) => {
  for (const command of ["primary", "replica"])
    reads([command, "--config", "f"], {}, file.toString());
});

test("damaged config files => options or a UsageError; __proto__ changes nothing", async () => {
  const whole = Buffer.from('{"port": 7000, "window": "1mb", "insecure": true, "dir": "/tmp/x"}');
  const random = new Random(3);
  for (let round = 0; round < 5_000; round++) {
    const file = damage(random, whole, whole);
    await trying("config", file, () => reads(["primary", "--config", "f"], {}, file.toString()));
  }
  expect(reads(["primary", "--config", "f"], {}, '{"__proto__": {"port": 1}}')).toBe(false);
  expect(({} as { port?: number }).port).toBeUndefined();
  expect(reads(["primary", "--config", "f"], {}, "[".repeat(100_000))).toBe(false);
});
