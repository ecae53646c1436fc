// Compiles src/ to dist/ and marks the command line entry executable. Stale output is removed.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const src = join(root, "src");

execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", root], {
  stdio: "inherit",
  cwd: root,
});

for (const name of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
  const path = join(dist, String(name));
  if (statSync(path).isDirectory()) continue;
  const source = join(src, String(name).replace(/(\.d\.ts|\.js|\.js\.map|\.d\.ts\.map)$/, ".ts"));
  if (!existsSync(source)) rmSync(path);
}
const entry = join(dist, "daemon/main.js");
if (existsSync(entry)) chmodSync(entry, 0o755);
