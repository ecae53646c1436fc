/**
 * A process with hawser bundled into one file: threads find their code though no file of ours is left. Each
 * bundle opens a primary with a log on disk and a replica that takes a full sync, in a folder without
 * node_modules whose name has a blank and a %.
 */
import { copyFileSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { build as esbuild } from "esbuild";
import { rollup, type OutputOptions } from "rollup";
import { build as vite } from "vite";
import webpack from "webpack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack, Project } from "../tools/packed.ts";

const MAIN = `
async function main() {
  const workerUrl = process.argv[3];
  const primary = await Primary.open({ dir: process.argv[2], workerUrl });
  const seen = [];
  primary.on("resync", ({ change }) => seen.push(change));
  primary.set("greeting", "hello");
  await primary.durable();
  const replica = await Replica.open({ of: "127.0.0.1:" + primary.replPort, workerUrl });
  await replica.synced();
  console.log(String(replica.get("greeting")), seen[0]);
  await replica.close();
  await primary.close();
}
main();
`;
const FOUND = "hello began\n";

let source: Project;
/** Where bundles are run. */
let elsewhere: Project;
let entry = "";

beforeAll(() => {
  source = new Project("source");
  elsewhere = new Project("bundle 100%");
  source.unpack(pack(source));
  entry = source.write("app.mjs", `import { Primary, Replica } from "hawser";${MAIN}`);
  source.write("app.cjs", `const { Primary, Replica } = require("hawser");${MAIN}`);
});

afterAll(() => {
  source.remove();
  elsewhere.remove();
});

/** Runs a bundle where nothing of the rest is. */
async function runElsewhere(bundle: string, ...args: readonly string[]): Promise<string> {
  const moved = elsewhere.path(basename(bundle));
  copyFileSync(bundle, moved);
  return elsewhere.node(moved, `${moved}.data`, ...args);
}

describe("esbuild", () => {
  const bundled = async (
    name: string,
    format: "esm" | "cjs",
    from = entry,
  ): Promise<{ outfile: string; warnings: readonly string[] }> => {
    const outfile = source.path("out", name);
    const { warnings } = await esbuild({
      entryPoints: [from],
      outfile,
      format,
      bundle: true,
      platform: "node",
      target: "node20",
      logLevel: "silent",
    });
    return { outfile, warnings: warnings.map(({ text }) => text) };
  };

  test.each([
    ["ESM", "esbuild.mjs", "esm", "app.mjs"],
    ["CommonJS", "esbuild.cjs", "cjs", "app.mjs"],
    ["CommonJS of require()", "esbuild-require.cjs", "cjs", "app.cjs"],
  ] as const)("%s => one file that works, without a warning", async (_, name, format, from) => {
    const { outfile, warnings } = await bundled(name, format, source.path(from));
    expect(warnings).toEqual([]);
    expect(await runElsewhere(outfile)).toBe(FOUND);
  });

  test("the code of threads as a file of its own => workerUrl names it, and it is what runs", async () => {
    const { outfile } = await bundled("esbuild-own.cjs", "cjs");
    const seen = elsewhere.path("seen");
    await esbuild({
      entryPoints: ["hawser/worker"],
      absWorkingDir: source.dir,
      outfile: elsewhere.path("threads.cjs"),
      bundle: true,
      platform: "node",
      banner: {
        js: `require("node:fs").appendFileSync(${JSON.stringify(seen)},
          require("node:worker_threads").workerData.hawser.kind + " ");`,
      },
    });
    expect(await runElsewhere(outfile, elsewhere.path("threads.cjs"))).toBe(FOUND);
    const kinds = new Set(readFileSync(seen, "utf8").split(" "));
    expect([...kinds]).toEqual(expect.arrayContaining(["hello", "log", "serializer"]));
  });
});

describe("rollup", () => {
  test.each([
    ["ESM", { format: "es", file: "rollup.mjs" }],
    ["CommonJS", { format: "cjs", file: "rollup.cjs" }],
  ] as const)("%s => one file that works", async (_, { format, file }) => {
    const hawser = source.path("node_modules/hawser/dist/index.js");
    const bundle = await rollup({
      input: entry,
      // What @rollup/plugin-node-resolve would do.
      plugins: [{ name: "resolve", resolveId: (id) => (id === "hawser" ? hawser : null) }],
      external: /^node:/,
    });
    const output: OutputOptions = { format, file: source.path("out", file) };
    await bundle.write(output);
    await bundle.close();
    expect(await runElsewhere(output.file!)).toBe(FOUND);
  });
});

describe("vite, for a server", () => {
  test.each([
    ["ESM", "es", "vite.mjs"],
    ["CommonJS", "cjs", "vite.cjs"],
  ] as const)("%s => one file that works", async (_, format, name) => {
    await vite({
      root: source.dir,
      configFile: false,
      logLevel: "silent",
      ssr: { noExternal: true },
      build: {
        ssr: entry,
        outDir: source.path("out/vite"),
        emptyOutDir: false,
        rolldownOptions: { output: { format, entryFileNames: name } },
      },
    });
    expect(await runElsewhere(source.path("out/vite", name))).toBe(FOUND);
  });
});

describe("webpack, for node", () => {
  const bundled = async (options: webpack.Configuration): Promise<readonly string[]> => {
    const compiler = webpack({
      target: "node20",
      mode: "production",
      context: source.dir,
      optimization: { minimize: false },
      ...options,
    });
    const stats = await new Promise<webpack.Stats>((resolve, reject) => {
      compiler.run((error, done) => {
        if (error !== null || done === undefined) reject(error ?? new Error("nothing was done"));
        else resolve(done);
      });
    });
    await new Promise((resolve) => compiler.close(resolve));
    const { errors = [], warnings = [] } = stats.toJson({
      all: false,
      errors: true,
      warnings: true,
    });
    return [...errors, ...warnings].map(({ message }) => message);
  };

  test.each([
    ["ESM", "webpack.mjs", "app.mjs"],
    ["CommonJS", "webpack.cjs", "app.mjs"],
    ["CommonJS of require()", "webpack-require.cjs", "app.cjs"],
  ] as const)("%s => one file that works, here and elsewhere", async (_, filename, from) => {
    const isModule = filename.endsWith(".mjs");
    const output = { path: source.path("out"), filename };
    const told = await bundled({
      entry: source.path(from),
      output: isModule ? { ...output, module: true, library: { type: "module" } } : output,
      ...(isModule ? { experiments: { outputModule: true } } : {}),
    });
    expect(told).toEqual([]);
    const bundle = source.path("out", filename);
    // Here what import.meta.url was at build time still leads to a file.
    expect(await source.node(bundle, `${bundle}.data`)).toBe(FOUND);
    expect(await runElsewhere(bundle)).toBe(FOUND);
  });
});
