// Makes dist/ of src/: compiled files, the command line entry executable, the code of worker threads as
// one file and as a text, and what require() finds. Stale output is removed.
// What did not change is not compiled again: every run of the tests begins here. What tsc remembers
// for that lies in dist/ itself, so that removing dist/ makes all of it anew.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeCommonJs } from "./build/commonjs.mjs";
import { writeWorker } from "./build/worker.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const src = join(root, "src");

const memory = ".tsbuildinfo";
// A checkout that was copied by hard links (cp -al) shares these files with the original, and the compiler
// writes into them: begin anew, in files of our own.
if (statSync(join(dist, memory), { throwIfNoEntry: false })?.nlink > 1)
  rmSync(dist, { recursive: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
execFileSync(
  process.execPath,
  [tsc, "-p", root, "--incremental", "--tsBuildInfoFile", join(dist, memory)],
  { stdio: "inherit", cwd: root },
);

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
writeWorker(root);
const made = new Set([memory, ...writeCommonJs(root, manifest)]);

for (const name of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
  const path = join(dist, String(name));
  if (made.has(String(name)) || statSync(path).isDirectory()) continue;
  const source = join(src, String(name).replace(/(\.d\.ts|\.js)$/, ".ts"));
  if (!existsSync(source)) rmSync(path);
}
const entry = join(dist, "daemon/main.js");
if (existsSync(entry)) chmodSync(entry, 0o755);
