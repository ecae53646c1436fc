/** What a stranger gets: the package's promises, and habits that no other tool checks. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { VERSION } from "../../src/version.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const at = (path: string): string => join(root, path);
const read = (path: string): string => readFileSync(at(path), "utf8");

/** Of an export: a path, or one for each condition. */
type Target = string | { readonly [condition: string]: Target };

interface Manifest {
  readonly name: string;
  readonly type: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Target>>;
  readonly version: string;
  readonly [field: string]: unknown;
}
const manifest = JSON.parse(read("package.json")) as Manifest;

interface Lockfile {
  readonly packages: Readonly<
    Record<string, { resolved?: string; optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}
const lock = JSON.parse(read("package-lock.json")) as Lockfile;

const NOT_OURS = new Set(["node_modules", "dist", "coverage", ".git", ".demo", "corpus"]);
function filesUnder(folder: string): string[] {
  return readdirSync(at(folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}
const files = filesUnder(".");
const sources = files.filter((path) => /\.(ts|mjs)$/.test(path));

/** Lines that match, as "path:line: text". */
function linesLike(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe("package: what is installed", () => {
  test("there is no runtime dependency of any kind", () => {
    for (const field of [
      "dependencies",
      "peerDependencies",
      "optionalDependencies",
      "bundleDependencies",
      "bundledDependencies",
    ]) {
      expect(manifest[field], field).toBeUndefined();
    }
    const imported = linesLike(
      files.filter((path) => path.startsWith("src/")),
      /^(?:import\b|export\b|\}).* from "(?!node:|\.)/,
    );
    expect(imported).toEqual([]);
  });

  test("it is ESM for Node 20.19 and later", () => {
    expect(manifest.name).toBe("hawser");
    expect(manifest.type).toBe("module");
    expect(manifest.engines.node).toBe(">=20.19.0");
  });

  test("the version is the one that the sources say", () => {
    expect(VERSION).toBe(manifest.version);
  });

  test("nothing runs on the machine of who installs it", () => {
    const scripts = Object.keys(manifest["scripts"] as object);
    expect(scripts.filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });

  test("the lockfile names no private registry", () => {
    const elsewhere = Object.entries(lock.packages).filter(
      ([, { resolved }]) => resolved && !resolved.startsWith("https://registry.npmjs.org/"),
    );
    expect(elsewhere).toEqual([]);
  });

  test("the lockfile knows every platform's packages: npm ci works everywhere", () => {
    const missing = Object.entries(lock.packages).flatMap(([at, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !lock.packages[`${at}/node_modules/${name}`] && !lock.packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe("package: what is built", () => {
  test("every path of exports and bin exists", () => {
    const pathsOf = (target: Target): string[] =>
      typeof target === "string" ? [target] : Object.values(target).flatMap(pathsOf);
    const exported = Object.values(manifest.exports).flatMap(pathsOf);
    const paths = [...exported, ...Object.values(manifest.bin)];
    expect(paths.filter((path) => !existsSync(at(path)))).toEqual([]);
  });

  test("the command can be executed and starts with its interpreter", () => {
    const entry = manifest.bin["hawser"]!;
    expect(read(entry).split("\n")[0]).toBe("#!/usr/bin/env node");
    expect(statSync(at(entry)).mode & 0o111).toBe(0o111);
  });

  test("the tarball holds the build, the docs and nothing else", () => {
    const listed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [packed] = JSON.parse(listed) as [{ files: { path: string }[] }];
    const paths = packed.files.map((file) => file.path);
    const expected = /^(dist\/|docs\/|CHANGELOG\.md$|LICENSE$|README\.md$|package\.json$)/;
    expect(paths.filter((path) => !expected.test(path))).toEqual([]);
    expect(paths).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts"]));
  });
});

describe("package: habits", () => {
  test("no test is left focused", () => {
    const tests = sources.filter((path) => path.startsWith("test/"));
    expect(linesLike(tests, /\b(test|it|describe)\.only\(/)).toEqual([]);
  });

  test("nothing is left to be written", () => {
    const product = sources.filter((path) => /^(src|scripts|bench)\//.test(path));
    expect(linesLike(product, /\b(TODO|FIXME|XXX|HACK)\b|not (yet )?implemented/i)).toEqual([]);
  });

  test("no file is larger than 256 KiB", () => {
    expect(files.filter((path) => statSync(at(path)).size > 256 * 1024)).toEqual([]);
  });

  test("no path of somebody's machine", () => {
    const text = files.filter((path) => /\.(ts|mjs|md|json)$/.test(path));
    const machine = new RegExp(
      ["home", "Users", "work", "root"].map((n) => `[\\s"'(]/${n}/`).join("|"),
    );
    expect(linesLike(text, machine)).toEqual([]);
  });
});
