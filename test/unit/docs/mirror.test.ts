/**
 * Tests mirror src/: the test of src/a/b.ts is test/unit/a/b.test.ts, or a line "Tested in: ..." in the
 * head of src/a/b.ts says where else it is tested.
 */
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { exists, filesUnder, readText } from "./documents.ts";

const sources = filesUnder("src").filter((path) => path.endsWith(".ts"));
const tests = filesUnder("test").filter((path) => path.endsWith(".test.ts"));

const STARTED = new Set([
  "src/conformance/crash-child.ts",
  "src/worker.ts",
  "src/node/disk/checkpoint-worker.ts",
  "src/node/disk/log-worker.ts",
  "src/node/disk/log-reader-worker.ts",
  "src/store/serializer-worker.ts",
]);

function mirrorOf(source: string): string {
  return source.replace(/^src\//, "test/unit/").replace(/\.ts$/, ".test.ts");
}

/** The files that the head of a source names. */
function namedBy(source: string): string[] {
  const head = readText(source).split("*/", 1)[0]!;
  const line = /Tested in:((?:\s|\*|,)*test\/[\w./-]+\.test\.ts)+/.exec(head)?.[0] ?? "";
  return line.match(/test\/[\w./-]+\.test\.ts/g) ?? [];
}

/** All that a file imports, and what that imports. */
function reachedFrom(path: string): Set<string> {
  const reached = new Set([path]);
  for (const file of reached)
    for (const [, target = ""] of readText(file).matchAll(/from "(\.[^"]+\.ts)"/g))
      reached.add(normalize(join(dirname(file), target)));
  return reached;
}

test("sources: each has a test of its name, or says where it is tested", () => {
  const untold = sources.filter((path) => !exists(mirrorOf(path)) && namedBy(path).length === 0);
  expect(untold, 'add the test, or a line "Tested in: test/..." to the head of the file').toEqual(
    [],
  );
});

test("sources: the tests that a head names exist, and run the source", () => {
  const reached = new Map<string, Set<string>>();
  const wrong = sources.flatMap((source) =>
    namedBy(source)
      .filter((path) => {
        if (!exists(path)) return true;
        // No import leads to what is started in a process or a thread of its own.
        if (path.startsWith("test/e2e/") || STARTED.has(source)) return false;
        if (!reached.has(path)) reached.set(path, reachedFrom(path));
        return !reached.get(path)!.has(source);
      })
      .map((path) => `${source}: ${path}`),
  );
  expect(wrong).toEqual([]);
});

test("unit tests of a folder of src: each has the name of a source, or a source names it", () => {
  const folders = new Set(sources.map((path) => path.split("/")[1]!));
  const named = new Set([...sources.map(mirrorOf), ...sources.flatMap(namedBy)]);
  const strays = tests.filter(
    (path) => path.startsWith("test/unit/") && folders.has(path.split("/")[2]!) && !named.has(path),
  );
  expect(strays, "name it like the source, or name it in the source's head").toEqual([]);
});
