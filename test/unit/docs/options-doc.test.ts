/** docs/OPERATIONS.md has every option, with its default and who takes it, and no other. */
import { expect, test } from "vitest";
import { OPTION_ROWS, type OptionRow } from "../../../src/node/option-table.ts";
import { PROFILE_OPTIONS, PROFILES } from "../../../src/node/profiles.ts";
import { document, section, tableRows } from "./documents.ts";

const options = section(document("docs/OPERATIONS.md").text, "2. Options");
const profiles = section(options, "Profiles");

const rows = new Map(
  tableRows(options.replace(profiles, ""))
    .filter(([name = ""]) => name.startsWith("`--"))
    .map(([name = "", of = "", fallback = "", meaning = ""]) => [
      name.slice("`--".length, -"`".length),
      { of, fallback, meaning },
    ]),
);

test.each(OPTION_ROWS)("options: --$name => its row says who takes it and its default", (row) => {
  const told = rows.get(row.name);
  expect(told, `--${row.name} has no row`).toBeDefined();
  expect(told!.of).toBe(row.of);
  // Ports and addresses have defaults that depend on the command: words, not a value.
  if (row.fallback !== "") expect(told!.fallback).toBe(row.fallback);
  expect(told!.meaning).not.toBe("");
});

test.each(OPTION_ROWS.filter((row: OptionRow) => row.choices !== undefined))(
  "options: --$name => its row names every choice",
  (row) => {
    for (const choice of row.choices!)
      expect(rows.get(row.name)!.meaning).toContain(`\`${choice}\``);
  },
);

test("options: every row is an option", () => {
  const known = new Set<string>(["config", ...OPTION_ROWS.map((row) => row.name)]);
  expect([...rows.keys()].filter((name) => !known.has(name))).toEqual([]);
});

test("profiles: the table has every value of every profile; lan is the defaults", () => {
  const columns = ["lan", "wan", "edge"] as const;
  const told = tableRows(profiles);
  expect(columns).toEqual(Object.keys(PROFILES));
  expect(told).toEqual(
    PROFILE_OPTIONS.map((name) => [
      `\`--${name}\``,
      ...columns.map((profile) => PROFILES[profile][name]),
    ]),
  );
  expect(profiles).toContain(`| option | ${columns.join(" | ")} |`);
  for (const name of PROFILE_OPTIONS)
    expect(OPTION_ROWS.find((row) => row.name === name)?.fallback).toBe(PROFILES.lan[name]);
});
