/** docs/reference/options.md has every option, with its default and who takes it, and no other. */
import { expect, test } from "vitest";
import { defaultOf, SETTINGS, type Setting } from "../../../src/node/settings.ts";
import { document, section, tableRows } from "./documents.ts";

const options = document("docs/reference/options.md").text;
const profiles = section(options, "Profiles");

const rows = new Map(
  tableRows(options.replace(profiles, ""))
    .filter(([name = ""]) => name.startsWith("`--"))
    .map(([name = "", of = "", fallback = "", meaning = ""]) => [
      name.slice("`--".length, -"`".length),
      { of, fallback, meaning },
    ]),
);

test.each(SETTINGS)("options: --$name => its row says who takes it and its default", (row) => {
  const told = rows.get(row.name);
  expect(told, `--${row.name} has no row`).toBeDefined();
  expect(told!.of).toBe(row.of);
  // Ports and addresses have defaults that depend on the command: words, not a value.
  if (row.fallback !== "") expect(told!.fallback).toBe(row.fallback);
  expect(told!.meaning).not.toBe("");
});

test.each(SETTINGS.filter((row: Setting) => row.choices !== undefined))(
  "options: --$name => its row names every choice",
  (row) => {
    for (const choice of row.choices!)
      expect(rows.get(row.name)!.meaning).toContain(`\`${choice}\``);
  },
);

test("options: every row is an option", () => {
  const known = new Set<string>(["config", ...SETTINGS.map((row) => row.name)]);
  expect([...rows.keys()].filter((name) => !known.has(name))).toEqual([]);
});

test("profiles: the table has every value of every profile; lan is the defaults", () => {
  const columns = ["lan", "wan", "edge"] as const;
  const told = tableRows(profiles);
  const rows = SETTINGS.filter((row) => row.profiles !== undefined);
  expect(rows.length).toBe(8);
  for (const row of rows) expect(Object.keys(row.profiles!)).toEqual(columns.slice(1));
  expect(told).toEqual(
    rows.map((row) => [`\`--${row.name}\``, ...columns.map((profile) => defaultOf(row, profile))]),
  );
  expect(profiles).toContain(`| option | ${columns.join(" | ")} |`);
  for (const row of rows) expect(row.fallback).toBe(defaultOf(row, "lan"));
});
