// The code of all worker threads, in two forms of one file each:
//
//   dist/worker.js         a module, in place of what the compiler makes of src/worker.ts: a thread that reads
//                          one file begins sooner (36 ms, not 53), and an embedder can copy it as it is
//   dist/worker-source.js  a text within bundles, which have no file of it (src/threads.ts): a CommonJS
//                          script, as `new Worker(text, { eval: true })` takes it
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

export function writeWorker(root) {
  write(join(root, "dist/worker.js"), bundle(root, { format: "esm" }));
  // Names stay as they are: a stack of such a thread can be read.
  const text = bundle(root, {
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    footer: { js: "//# sourceURL=hawser-worker.js" },
  });
  const code = `export const WORKER_SOURCE = ${JSON.stringify(text)};\n`;
  write(join(root, "dist/worker-source.js"), code);
}

function bundle(root, options) {
  const built = buildSync({
    absWorkingDir: root,
    entryPoints: ["src/worker.ts"],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    legalComments: "none",
    logLevel: "warning",
    ...options,
  });
  return built.outputFiles[0].text;
}

/** What is the same is left alone: others may be reading it. */
function write(path, text) {
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
}
