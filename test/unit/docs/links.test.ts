/** The documents name only what exists: links, headings, files, scripts, flags. */
import { describe, expect, test } from "vitest";
import { SETTINGS } from "../../../src/node/settings.ts";
import {
  anchors,
  documents,
  exists,
  filesUnder,
  inlineCode,
  readText,
  relativeLinks,
} from "./documents.ts";

/** A path from the top of the repository; dist is what src becomes. */
const PATH = /(?<![\w./-])(?:src|test|tools|docs|scripts|bench|dist)\/[\w./-]*[\w/]/g;

/** Flags of `hawser status` and of the tools that the documents show. */
const OTHER_FLAGS = new Set(
  "config watch events timeout json password help from replace at log force".split(" "),
);

/** What scripts and benches say of themselves. */
const TOOL_FLAGS: readonly string[] = ["scripts", "bench"].flatMap((folder) =>
  filesUnder(folder)
    .flatMap((path) => [...readText(path).matchAll(/--([a-z][a-z-]*)/g)])
    .map((match) => match[1]!),
);

function isThere(path: string): boolean {
  if (!path.startsWith("dist/")) return exists(path);
  return exists(path.replace(/^dist/, "src").replace(/(\.d\.ts|\.js)$/, ".ts"));
}

describe.each(documents)("docs: $path", (document) => {
  test("every relative link leads to a file, and to a heading in it", () => {
    const broken = relativeLinks(document).filter(({ path, anchor }) => {
      if (!exists(path)) return true;
      return anchor !== "" && !anchors(readText(path)).has(anchor);
    });
    expect(broken.map((link) => link.target)).toEqual([]);
  });

  test("every file and folder that is named exists", () => {
    const named = new Set(document.text.match(PATH) ?? []);
    expect([...named].filter((path) => !isThere(path))).toEqual([]);
  });

  test("every npm script that is named exists", () => {
    const { scripts } = JSON.parse(readText("package.json")) as { scripts: object };
    const named = [...document.text.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g)].map(
      (m) => m[1]!,
    );
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test("every flag that is named exists", () => {
    const options = SETTINGS.map((row) => row.name);
    const known = new Set<string>([...OTHER_FLAGS, ...TOOL_FLAGS, ...options]);
    const code = [...inlineCode(document), ...(document.text.match(/^```[\s\S]*?^```/gm) ?? [])];
    const named = code.flatMap((text) =>
      [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map((match) => match[1]!),
    );
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test("nothing is left to be written", () => {
    expect(document.text.match(/\b(TODO|FIXME|TBD)\b|@@\w+@@/g) ?? []).toEqual([]);
  });
});

test("docs: every source file begins with what it is about", () => {
  const silent = filesUnder("src").filter((path) => !/^(#!.*\n)?\/\*\*/.test(readText(path)));
  expect(silent, "a comment at the top: subject, what it owns, what it does not").toEqual([]);
});
