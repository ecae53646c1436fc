/** What an embedder reads names options and methods: every text of the parts that a node is made of, and where it comes from. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { keyValueCodec, mapState } from "../../../src/adapters/map.ts";
import { asEmbedder, errorInWords, inWords, REPLICATE_NAMES } from "../../../src/embed/words.ts";
import { NodeError } from "../../../src/errors.ts";
import { Primary, Replica, replicate } from "../../../src/index.ts";
import { SETTINGS } from "../../../src/node/settings.ts";
import { until } from "../../../tools/wait.ts";

const SRC = new URL("../../../src/", import.meta.url).pathname;
/** Read by operators alone: a command line, a client port, what works on a directory without a node. */
const NOT_EMBEDDED =
  /^(?:daemon|resp)\/|^node\/(?:options|settings|flag-words)\.ts$|restore-directory\.ts$/;
/** Seeding is of daemons: the rest of such a message says what else to do. No embedder comes to the other. */
const NO_OPTION = ["on-divergence", "seed-from"];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Texts in the code of a file, without its comments. */
function textsOf(code: string): string[] {
  const bare = code.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  return [...bare.matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map(([text]) => text);
}

const TEXTS = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !NOT_EMBEDDED.test(file) && file !== "embed/words.ts")
  .flatMap((file) =>
    textsOf(readFileSync(join(SRC, file), "utf8")).map((text) => [file, text] as const),
  )
  .filter(([, text]) => /--[a-z]|REPLICAOF|FAILOVER/.test(text) && !text.includes("--expose-gc"));

test("each text that names a flag or a command => options and methods", () => {
  expect(TEXTS.length).toBeGreaterThan(20);
  for (const [file, text] of TEXTS)
    expect(`${file}: ${asEmbedder(text)}`).not.toMatch(/--[a-z]|REPLICAOF|FAILOVER/);
});

test("each flag that is named => an option that an embedder has", () => {
  const named = TEXTS.flatMap(([, text]) => [...text.matchAll(/--([a-z][a-z-]*)/g)]).map(
    ([, name]) => name!,
  );
  const embedded: string[] = SETTINGS.filter((setting) => setting.embedded !== undefined).map(
    ({ name }) => name,
  );
  const foreign = new Set(named.filter((name) => !embedded.includes(name)));
  expect([...foreign].sort()).toEqual(NO_OPTION);
});

test("asEmbedder: names of replicate(), what is no flag stays", () => {
  const why = "give both the same --repl-password; start with --allow-reset or REPLICAOF";
  expect(asEmbedder(why)).toBe("give both the same replPassword; start with allowReset");
  expect(asEmbedder(why, REPLICATE_NAMES)).toBe(
    "give both the same password; start with allowReset",
  );
  expect(asEmbedder("--no-such-flag and a-b")).toBe("--no-such-flag and a-b");
});

test("inWords: texts at any depth; what has none is the same object", () => {
  const given = { why: "--dir", n: 1, at: { list: ["a", "--repl-port"] }, none: null };
  expect(inWords(given, {})).toEqual({
    why: "dir",
    n: 1,
    at: { list: ["a", "replPort"] },
    none: null,
  });
  expect(given.at.list[1]).toBe("--repl-port");
  const plain = { a: ["b"], c: { d: "e" } };
  expect(inWords(plain, {})).toBe(plain);
});

test("errorInWords: message and stack of ours, nothing of others", () => {
  const ours = new NodeError("ERR_NOT_PROMOTED", "say REPLICAOF NO ONE");
  const { name, code } = ours;
  expect(errorInWords(ours, {})).toBe(ours);
  expect(ours).toMatchObject({ name, code, message: "ERR_NOT_PROMOTED: say promote()" });
  expect(ours.stack).toContain("say promote()");
  expect(ours.stack).not.toContain("REPLICAOF");
  const theirs = new Error("--dir");
  expect(errorInWords(theirs, {})).toBe(theirs);
  expect(theirs.message).toBe("--dir");
});

test("a directory in use => the error names the option dir", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-words-"));
  closing.push(() => rmSync(dir, { recursive: true }));
  const primary = await Primary.open({ dir });
  closing.push(() => primary.close());
  const refused = Primary.open({ dir });
  await expect(refused).rejects.toThrow(/: dir ".*" is in use/);
  await expect(refused).rejects.toMatchObject({ code: "ERR_DISK_LOCKED" });
});

test("a primary with a password, a replica without => log, event, status and error name the option", async () => {
  const lines: string[] = [];
  const primary = await Primary.open({ replPassword: "x" });
  closing.push(() => primary.close());
  const of = `127.0.0.1:${primary.replPort}`;
  const replica = await Replica.open({ of, log: (line) => lines.push(line) });
  closing.push(() => replica.close());
  const told: string[] = [];
  replica.on("refused", ({ why }) => told.push(why));
  await expect(replica.synced({ timeoutMs: 20_000 })).rejects.toThrow(/replPassword/);
  await until(() => told.length > 0, { what: "the event" });
  expect(told[0]).toMatch(/replPassword/);
  expect(lines.join("\n")).toContain("replPassword");
  expect(JSON.stringify(replica.status().upstream)).toContain("replPassword");
  const said = lines.join("\n") + told.join("\n") + JSON.stringify(replica.status());
  expect(said).not.toContain("--repl-password");
});

test("replicate(): the same option by its own name", async () => {
  const lines: string[] = [];
  const primary = await replicate(mapState(keyValueCodec), { password: "x" });
  closing.push(() => primary.close());
  const replica = await replicate(mapState(keyValueCodec), {
    of: `127.0.0.1:${primary.port}`,
    log: (line) => lines.push(line),
  });
  closing.push(() => replica.close());
  const told: string[] = [];
  replica.on("refused", ({ why }) => told.push(why));
  await expect(replica.synced({ timeoutMs: 20_000 })).rejects.toThrow(/same password/);
  await until(() => told.length > 0, { what: "the event" });
  const said = lines.join("\n") + told.join("\n") + JSON.stringify(replica.status());
  expect(said).toContain("same password");
  expect(said).not.toMatch(/--repl-password|replPassword/);
});
