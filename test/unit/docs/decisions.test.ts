/** docs/decisions: the table has the title of every file, and every file has context and decision. */
import { expect, test } from "vitest";
import { documents, readText, tableRows } from "./documents.ts";

const FOLDER = "docs/decisions/";
const decisions = documents.filter(({ path }) => /^docs\/decisions\/D\d+/.test(path));

test("decisions: the table has every one with its title, in order", () => {
  const titles = decisions
    .map(({ path, text }) => {
      const [, number = "", title = ""] = /^# D(\d+)\. (.+)$/m.exec(text) ?? [];
      return { number: Number(number), row: [`[D${number}](${path.slice(FOLDER.length)})`, title] };
    })
    .sort((a, b) => a.number - b.number);
  expect(tableRows(readText(`${FOLDER}README.md`))).toEqual(titles.map(({ row }) => row));
});

test.each(decisions)(
  "$path: context, then decision, then what was measured and follows",
  (file) => {
    const parts = [...file.prose.matchAll(/^## (.+)$/gm)].map((match) => match[1]!);
    expect(parts.slice(0, 2)).toEqual(["Context", "Decision"]);
  },
);
