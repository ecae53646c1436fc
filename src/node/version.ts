/**
 * Our version, from the package that we are part of.
 *
 * Owns: reading it once. Does not own: the number (package.json).
 * Tested in: test/e2e/processes.test.ts.
 */
import { readFileSync } from "node:fs";

/** dist/node/ and src/node/ are both two levels below package.json. */
const parsed: unknown = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);

export const VERSION: string =
  typeof parsed === "object" && parsed !== null && "version" in parsed
    ? String(parsed.version)
    : "unknown";
