/** The documents as tests see them: text, headings, links, code, rows of tables. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export interface Document {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
  /** Without fenced blocks. */
  readonly prose: string;
}

export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(root, path));
}

export function document(path: string): Document {
  const text = readText(path);
  return { path, text, prose: text.replaceAll(/^```[\s\S]*?^```/gm, "") };
}

/** README.md, CHANGELOG.md and every text below docs. */
export const documents: readonly Document[] = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].map(document);

/** All files below a folder, from the top of the repository. */
export function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    return statSync(join(root, path)).isDirectory() ? filesUnder(path) : [path];
  });
}

/** The product's sources, all in one text: to see whether a name occurs in them at all. */
export function sourceText(): string {
  return filesUnder("src").map(readText).join("\n");
}

export interface Link {
  readonly target: string;
  /** From the top of the repository. */
  readonly path: string;
  readonly anchor: string;
}

/** Links to files of the repository and to headings. */
export function relativeLinks({ path, prose }: Document): Link[] {
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", anchor = ""] = target.split("#");
      const linked = file === "" ? path : normalize(join(dirname(path), file));
      return { target, path: linked, anchor };
    });
}

/** The anchors that a reader of the file on GitHub can jump to. */
export function anchors(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map((match) =>
      match[1]!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** What stands between backticks. */
export function inlineCode({ prose }: Document): string[] {
  return [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
}

/** The part of a document below a heading, up to the next of the same rank or a higher one. */
export function section(text: string, heading: string): string {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (from < 0) throw new Error(`there is no heading "${heading}"`);
  const rank = /^#+/.exec(lines[from]!)![0].length;
  const length = lines
    .slice(from + 1)
    .findIndex((line) => /^#+ /.test(line) && /^#+/.exec(line)![0].length <= rank);
  return lines.slice(from, length < 0 ? undefined : from + 1 + length).join("\n");
}

/** Cells of all rows of all tables, heads and rules left out. */
export function tableRows(text: string): string[][] {
  return text
    .split("\n")
    .filter(
      (line, i, lines) =>
        line.startsWith("|") &&
        !/^\|[\s|-]+$/.test(line) &&
        !/^\|[\s|-]+$/.test(lines[i + 1] ?? ""),
    )
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

/** The names in backticks in the first cells of a table. */
export function namesIn(text: string): string[] {
  return tableRows(text).flatMap(([first = ""]) =>
    [...first.matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
  );
}
