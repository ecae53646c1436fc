/**
 * The package as it is published, and folders outside the repository in which it is used.
 *
 * Owns: the tarball, such folders. Does not own: what is done there.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** What runs what is packed: this Node, or another version of it, by its path. */
const NODE = process.env["NODE_UNDER_TEST"] ?? process.execPath;

/** Longer than any of these programs takes on a busy machine; one that hangs is ended. */
const RUN_MS = 60_000;

/** A folder of somebody who uses hawser. */
export class Project {
  readonly dir: string;

  /** @param name  part of the folder's name */
  constructor(name: string) {
    this.dir = mkdtempSync(join(tmpdir(), `hawser ${name}-`));
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, ...parts);
  }

  /** @returns the file's path */
  write(name: string, text: string): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** The package of this build, as npm would unpack it. */
  unpack(tarball: string): void {
    const target = this.path("node_modules/hawser");
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
  }

  /** A development dependency of ours, for it to use. */
  link(name: string): void {
    const target = this.path("node_modules", name);
    if (existsSync(target)) return;
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), target);
  }

  /** Runs a file with node, in this folder, to its end. @throws what it said when it fails or hangs */
  async node(...args: readonly string[]): Promise<string> {
    return this.run(NODE, ...args);
  }

  async run(command: string, ...args: readonly string[]): Promise<string> {
    // What this test runner is told is not for others.
    const env = { ...process.env, NODE_OPTIONS: "", NODE_ENV: "", VITEST: "" };
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: this.dir,
      env,
      timeout: RUN_MS,
    });
    return stdout;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Packs what is built. @returns the tarball's path, in that folder */
export function pack(into: Project): string {
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", into.dir];
  execFileSync("npm", args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const name = readdirSync(into.dir).find((each) => each.endsWith(".tgz"));
  if (name === undefined) throw new Error("npm pack made no tarball");
  return into.path(name);
}
