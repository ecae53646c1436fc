/** Which code worker threads run: what was installed, its text, or what the embedder names. */
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Primary, Replica } from "../../src/index.ts";
import { NICE, NICE_ALONE } from "../../src/step-back.ts";
import { codeUrl, findCode, ownThreads, threadsAt, threadsOf } from "../../src/threads.ts";
import { VERSION } from "../../src/version.ts";

const ROOT = new URL("../../", import.meta.url);
const WORKER = new URL("dist/worker.js", ROOT).href;
const TEXT = "require('node:worker_threads')";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser threads 100%-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What is installed, as far as it is looked at, under another name or version. */
function install({ name = "hawser", version = VERSION, worker = true } = {}): string {
  mkdirSync(join(dir, "dist"), { recursive: true });
  writeFileSync(join(dir, "package.json"), JSON.stringify({ name, version }));
  if (worker) writeFileSync(join(dir, "dist/worker.js"), "");
  return pathToFileURL(join(dir, "dist/threads.js")).href;
}

describe("threads: where the code is", () => {
  test.each(["src/threads.ts", "dist/threads.js"])("%s => the compiled file", (path) => {
    expect(String(findCode(new URL(path, ROOT).href, TEXT))).toBe(WORKER);
  });

  test("installed in a folder with blanks and % => the file beside", () => {
    expect(String(findCode(install(), TEXT))).toBe(pathToFileURL(join(dir, "dist/worker.js")).href);
  });

  test.each([
    ["there is no import.meta.url (CommonJS bundles)", () => undefined],
    ["the module is part of another file", () => pathToFileURL(join(dir, "app.js")).href],
    ["the file was not shipped", () => install({ worker: false })],
    ["another version lies there now", () => install({ version: "0.0.1" })],
    ["another package lies there", () => install({ name: "ours" })],
    ["nothing lies there", () => pathToFileURL(join(dir, "gone/dist/threads.js")).href],
    ["it is no file", () => "https://127.0.0.1/dist/threads.js"],
  ])("%s => the text", (_, self) => {
    expect(findCode(self(), TEXT)).toBe(TEXT);
  });

  test("neither file nor text => ERR_WORKER", () => {
    const self = install({ worker: false });
    expect(() => findCode(self, "")).toThrow(/^ERR_WORKER: no code of worker threads beside file:/);
    expect(() => findCode(undefined, "")).toThrow("beside this module");
  });
});

describe("threads: what an embedder may name", () => {
  test("an absolute path, or a file: or data: URL, and nothing else", () => {
    const path = fileURLToPath(WORKER);
    expect([path, WORKER, new URL(WORKER)].map((given) => codeUrl(given)?.href)).toEqual(
      Array.from({ length: 3 }, () => WORKER),
    );
    expect(codeUrl("data:text/javascript,1")?.protocol).toBe("data:");
    for (const given of ["worker.js", "./worker.js", "", "https://127.0.0.1/worker.js"])
      expect(codeUrl(given)).toBe(null);
  });

  test("the code of this version => threads run it, from a copy elsewhere too", async () => {
    const copy = join(dir, "threads.mjs");
    copyFileSync(fileURLToPath(WORKER), copy);
    const threads = await threadsAt(pathToFileURL(copy));
    const [said] = (await once(threads.start("hello"), "message")) as [string];
    expect(said).toBe(VERSION);
  });

  test.each([
    ["a file that is not there", null, "there is no file"],
    ["a file with a mistake", "const = 1;", "is not the code of hawser's threads: "],
    ["a file that throws", "throw new Error('no');", "is not the code of hawser's threads: no"],
    ["a file that does nothing", "", "it ended with code 0"],
    ["a file that ends", "process.exit(3);", "it ended with code 3"],
    [
      "a file that says something else",
      "require('node:worker_threads').parentPort.postMessage('ready'); setInterval(() => 0, 10);",
      "it said something else",
    ],
  ])("%s => ERR_WORKER that names it and says why", async (_, code, why) => {
    const path = join(dir, "worker.cjs");
    if (code !== null) writeFileSync(path, code);
    const failure = await threadsAt(pathToFileURL(path)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "NodeError", code: "ERR_WORKER" });
    expect((failure as Error).message).toContain(path);
    expect((failure as Error).message).toContain(why);
  });

  test("code of another version => it says of which", async () => {
    const thread = threadsOf(new URL(WORKER));
    // What another version would start it with.
    const text = `
      const { Worker, workerData } = require("node:worker_threads");
      workerData.hawser.version = "0.0.1";
      new Worker(new URL(${JSON.stringify(WORKER)}), { workerData });
    `;
    const [error] = (await once(threadsOf(text).start("hello"), "error")) as [Error];
    expect(error.message).toBe(`the worker is of hawser ${VERSION}, what started it of 0.0.1`);
    const [said] = (await once(thread.start("hello"), "message")) as [string];
    expect(said).toBe(VERSION);
  });

  test("the code of threads, imported => it says that it is not to be", async () => {
    await expect(import(/* @vite-ignore */ WORKER)).rejects.toThrow("not to be imported");
  });
});

test("threads: the text that bundles have within => runs, and is that of this build", async () => {
  const built = (await import(new URL("dist/worker-source.js", ROOT).href)) as {
    WORKER_SOURCE: string;
  };
  const [said] = (await once(threadsOf(built.WORKER_SOURCE).start("hello"), "message")) as [string];
  expect(said).toBe(VERSION);
  expect(built.WORKER_SOURCE).not.toMatch(/\bimport\b[.(]/);
});

test("threads: our own => the same each time", () => {
  expect(ownThreads()).toBe(ownThreads());
});

describe("threads: a node", () => {
  const settings = { log: () => undefined };

  test("workerUrl => all of its threads run that", async () => {
    const kinds = join(dir, "kinds");
    const path = join(dir, "worker.mjs");
    writeFileSync(
      path,
      `import { appendFileSync } from "node:fs";
      import { workerData } from "node:worker_threads";
      appendFileSync(${JSON.stringify(kinds)}, workerData.hawser.kind + "\\n");
      import(${JSON.stringify(WORKER)});`,
    );
    const primary = await Primary.open({
      ...settings,
      dir: join(dir, "data"),
      backlogBytes: 16_384,
      workerUrl: path,
    });
    for (let n = 0; n < 10_000; n++) primary.set(`key${n}`, "v".repeat(100));
    await primary.durable();
    const replica = await Replica.open({ ...settings, of: `127.0.0.1:${primary.replPort}` });
    await replica.synced();
    expect(String(replica.get("key9999"))).toBe("v".repeat(100));
    await replica.close();
    await primary.close();
    expect([...new Set(readFileSync(kinds, "utf8").trim().split("\n"))].sort()).toEqual(
      expect.arrayContaining(["hello", "log", "serializer"]),
    );
  }, 60_000);

  test.each([
    ["worker.js", 'workerUrl: "worker.js" is not allowed; expected an absolute path'],
    [5, "workerUrl: 5 is not allowed"],
    [{}, "workerUrl: of type object is not allowed"],
    ["/gone/worker.js", "ERR_WORKER: workerUrl: there is no file /gone/worker.js"],
  ])("workerUrl: %j => it does not open, and the directory is free", async (given, message) => {
    const opened = Primary.open({ ...settings, dir, workerUrl: given as string });
    await expect(opened).rejects.toThrow(message);
    await (await Primary.open({ ...settings, dir })).close();
  });

  test("the code goes away later => the full sync fails, with an event, and is tried again", async () => {
    const path = join(dir, "worker.mjs");
    const code = `import(${JSON.stringify(WORKER)});`;
    writeFileSync(path, code);
    const primary = await Primary.open({ ...settings, workerUrl: pathToFileURL(path) });
    rmSync(path);
    primary.set("key", "value");
    const failed = new Promise((resolve) => primary.on("error", resolve));
    const replica = await Replica.open({ ...settings, of: `127.0.0.1:${primary.replPort}` });
    expect(await failed).toMatchObject({
      what: "serializer_failed",
      why: expect.stringContaining("Cannot find module") as string,
    });
    writeFileSync(path, code);
    await replica.synced();
    expect(String(replica.get("key"))).toBe("value");
    await replica.close();
    await primary.close();
  });
});

/** Of every thread of this process: its nice value, by thread. */
function niceValues(): Map<string, number> {
  const values = readdirSync("/proc/self/task").map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1");
    // Behind the name, which may have blanks in it, nice is the seventeenth field.
    return [thread, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])] as const;
  });
  return new Map(values);
}

describe.runIf(process.platform === "linux")("threads: who gives way to the loop", () => {
  test.each([
    ["serializer", true],
    ["log-reader", false],
  ] as const)("%s: %s", async (kind, givesWay) => {
    const before = niceValues();
    const worker = ownThreads().start(kind);
    try {
      await once(worker, "online");
      const kindOf = (): number[] =>
        [...niceValues()].filter(([thread]) => !before.has(thread)).map(([, nice]) => nice);
      const own = before.get(String(process.pid))!;
      // Its code runs a moment after it is online.
      const wanted = availableParallelism() > 1 ? NICE : NICE_ALONE;
      if (givesWay) await expect.poll(() => Math.max(...kindOf())).toBe(wanted);
      else expect(Math.max(...kindOf())).toBe(own);
      expect(niceValues().get(String(process.pid))).toBe(own);
    } finally {
      await worker.terminate();
    }
  });
});
