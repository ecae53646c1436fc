// The code of all worker threads as one text, in dist/worker-source.js: bundles of embedders have no file
// of it (src/threads.ts). A CommonJS script, as `new Worker(text, { eval: true })` takes it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** Names stay as they are: a stack of such a thread can be read. */
export function writeWorkerSource(root) {
  const built = buildSync({
    entryPoints: [join(root, "src/worker.ts")],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    footer: { js: "//# sourceURL=hawser-worker.js" },
    logLevel: "warning",
  });
  const text = built.outputFiles[0].text;
  const path = join(root, "dist/worker-source.js");
  const code = `export const WORKER_SOURCE = ${JSON.stringify(text)};\n`;
  // What is the same is left alone: others may be reading it.
  if (!existsSync(path) || readFileSync(path, "utf8") !== code) writeFileSync(path, code);
}
