/**
 * The tarball, installed without a network into an empty folder: README's example as it stands there, by
 * import and by require(), from a worker thread, from somebody's vitest, and its types for each way of
 * resolving modules.
 */
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack, Project, ROOT } from "../tools/packed.ts";

/** What the replica of the example has. */
const PRINTED = ["a 1", "greeting hello"];

let project: Project;
let tarball = "";

beforeAll(async () => {
  project = new Project("installed 100%");
  tarball = pack(project);
  project.write("package.json", '{ "name": "theirs", "private": true }');
  const offline = ["--offline", "--no-audit", "--no-fund", "--silent"];
  await project.run("npm", "install", ...offline, tarball);
});

afterAll(() => project.remove());

/** README's first example of JavaScript, with a port that is free. */
async function example(): Promise<string> {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const block = /^```js\n([\s\S]*?)^```/m.exec(readme)![1]!;
  expect(block).toMatch(/^import \{ .* \} from "hawser";\n/);
  return block.replaceAll("16380", String(await freePort()));
}

const lines = (text: string): string[] => text.trim().split("\n");

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The same for CommonJS, which has no await outside of functions. */
function required(text: string): string {
  const code = text.replace(/^import (\{ .* \}) from ("hawser");/, "const $1 = require($2);");
  return `async function main() {\n${code}\n}\nmain();\n`;
}

describe("packed: README's example", () => {
  test("import => the replicated value, and the process ends by itself", async () => {
    const file = project.write("import.mjs", await example());
    expect(lines(await project.node(file))).toEqual(expect.arrayContaining(PRINTED));
  });

  test("require() => the same, without a warning", async () => {
    const file = project.write("require.cjs", required(await example()));
    const told = await project.node("--throw-deprecation", file);
    expect(lines(told)).toEqual(expect.arrayContaining(PRINTED));
    const warned = project.write(
      "warned.cjs",
      `process.on("warning", ({ message }) => console.log(message)); require("hawser");`,
    );
    expect(await project.node(warned)).toBe("");
  });

  test("import and require() => one copy of everything", async () => {
    const file = project.write(
      "both.cjs",
      `const required = require("hawser");
      import("hawser").then((imported) => {
        for (const name of Object.keys(imported))
          if (name !== "default" && required[name] !== imported[name]) console.log(name);
        console.log(Object.keys(imported).includes("Primary"));
      });`,
    );
    expect(await project.node(file)).toBe("true\n");
  });

  test("from a worker thread => the same", async () => {
    const inside = project.write("inside.mjs", await example());
    const file = project.write(
      "outside.mjs",
      `import { Worker } from "node:worker_threads";
      new Worker(${JSON.stringify(inside)});`,
    );
    expect(lines(await project.node(file))).toEqual(expect.arrayContaining(PRINTED));
  });

  test.each(["forks", "threads"])("from vitest, with its pool of %s => the same", async (pool) => {
    // Why another folder: vitest cannot be run where a name has a %.
    const tested = new Project("tested");
    try {
      tested.unpack(tarball);
      tested.link("vitest");
      const [imports, ...body] = (await example()).replaceAll("console.log(", "log(").split("\n");
      tested.write(
        "theirs.test.mjs",
        `import { expect, test } from "vitest";
        ${imports}
        test("theirs", async () => {
          const said = [];
          const log = (...words) => said.push(words.join(" "));
          ${body.join("\n")}
          expect(said).toEqual(expect.arrayContaining(${JSON.stringify(PRINTED)}));
        }, 30_000);`,
      );
      const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
      const args = ["run", "--no-color", "--root", tested.dir, `--pool=${pool}`];
      expect(await tested.node(vitest, ...args)).toMatch(/Tests\s+1 passed/);
    } finally {
      tested.remove();
    }
  });
});

describe("packed: types", () => {
  const CODE = `
    import { HawserError, Primary, Replica, type ErrorCode, type PrimaryOptions } from "hawser";
    export async function use(options: PrimaryOptions): Promise<ErrorCode | null> {
      const primary: Primary = await Primary.open(options);
      const replica: Replica = await Replica.open({ of: "127.0.0.1:1" });
      const value: Buffer | null = replica.get("key");
      // @ts-expect-error: a number is no value
      primary.set("key", value?.length ?? 0);
      const error: unknown = null;
      return error instanceof HawserError ? error.code : null;
    }
  `;

  test.each([
    ["node16", "types.mts", "types.cts"],
    ["nodenext", "types.mts", "types.cts"],
    ["bundler", "types.ts"],
  ])("%s => what must compile does, what must not does not", async (resolution, ...names) => {
    project.link("@types/node");
    const files = names.map((name) => project.write(name, CODE));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const module = resolution === "bundler" ? "esnext" : resolution;
    const resolving = ["--module", module, "--moduleResolution", resolution];
    // Our own declarations are looked at too.
    const strict = ["--strict", "--skipLibCheck", "false", "--types", "node"];
    const target = ["--target", "es2023", "--lib", "es2023,es2024.sharedmemory"];
    const args = [tsc, "--noEmit", ...strict, ...target, ...resolving, ...files];
    const told = await project.node(...args).catch((error: unknown) => error);
    expect(told).toBe("");
  });
});
