/** The examples, each by its one command: what it prints, and that it ends by itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../tools/packed.ts";
import { ManagedProcess } from "../../tools/processes.ts";

/** What each prints. */
const PRINTED: Readonly<Record<string, string>> = {
  "accounts.mjs":
    "the replica: ann has 100, bob has 0\nrefused\n" +
    "the primary: ann has 75, bob has 30\nthe replica: ann has 75, bob has 30\n",
  "replicate-map.mjs": [
    "a copy of what was there: [ [ 'apple', { cents: 40 } ] ]",
    "and of what came later: [ [ 'pear', { cents: 55 } ] ]",
    "a replica is read: ERR_READONLY",
    "promoted: 2 entries\n",
  ].join("\n"),
  "replicate-level.mjs": "greeting: hello\ngreeting: hello again\nmissed: not for long visits: 1\n",
  "http-replica.mjs": "greeting: hello\nwithout the daemon: hello\nnothing: 404\n",
  "sessions.mjs": "30 visits, counted one by one by 3 processes\n",
  "replica-in-a-thread.mjs": "10000 accounts, 49995000 in all\n10000 accounts, 49996000 in all\n",
};

const FOLDER = join(ROOT, "examples");

test("examples: each is tested, and README.md names it by its command", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".mjs"));
  expect(files.sort()).toEqual(Object.keys(PRINTED).sort());
  const readme = readFileSync(join(FOLDER, "README.md"), "utf8");
  const commands = [...readme.matchAll(/`node examples\/([\w-]+\.mjs)`/g)].map(([, name]) => name!);
  expect(commands.sort()).toEqual(files);
});

test.each(Object.entries(PRINTED))(
  "examples: %s => what it promises, exit 0",
  async (name, out) => {
    const args = [join(FOLDER, name)];
    const run = await ManagedProcess.spawn(process.execPath, args, { name, cwd: ROOT });
    try {
      const { code } = await run.ended(60_000);
      expect([run.stdout, run.errorLines.join("\n"), code]).toEqual([out, "", 0]);
    } finally {
      await run.kill();
    }
  },
);
