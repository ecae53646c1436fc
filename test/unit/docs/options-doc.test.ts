/** docs/reference/options.md is what the table of settings makes of it: npm run docs writes it. */
import { expect, test } from "vitest";
import { optionsPage } from "../../../scripts/docs/options-page.ts";
import { SETTINGS, type Setting } from "../../../src/node/settings.ts";
import { defaultOf } from "../../../src/node/setting-lookup.ts";
import { document, section, tableRows } from "./documents.ts";

const options = document("docs/reference/options.md").text;
const profiles = section(options, "Profiles");

const rows = new Map(
  tableRows(options.replace(profiles, ""))
    .filter(([name = ""]) => name.startsWith("`--"))
    .map(
      ([name = "", redis = "", of = "", value = "", fallback = "", change = "", meaning = ""]) => [
        name.slice("`--".length, -"`".length),
        { redis, of, value, fallback, change, meaning },
      ],
    ),
);

test("options: the page is as npm run docs writes it", () => {
  expect(options).toBe(optionsPage(options));
});

test("options: a page without the marks is no place for tables", () => {
  expect(() => optionsPage("# Options")).toThrow("no place for options");
});

test.each(SETTINGS)("options: --$name => its row says who takes it and its default", (row) => {
  const told = rows.get(row.name);
  expect(told, `--${row.name} has no row`).toBeDefined();
  expect(told!.of).toBe(row.of);
  // Ports and addresses have defaults that depend on the command: words, not a value.
  if (row.fallback !== "") expect(told!.fallback.split(",")[0]).toBe(row.fallback);
  expect(told!.meaning).not.toBe("");
});

test.each(SETTINGS.filter((row: Setting) => row.choices !== undefined))(
  "options: --$name => its row names every choice",
  (row) => {
    for (const choice of row.choices!) expect(rows.get(row.name)!.value).toContain(`\`${choice}\``);
  },
);

test("options: a row has redis's name, the range, other profiles, and whether it is live", () => {
  expect(rows.get("backlog")).toEqual({
    redis: "`repl-backlog-size`",
    of: "both",
    value: "size, 16kb to 1048576gb",
    fallback: "256mb",
    change: "live",
    meaning: "log kept for replicas that come back",
  });
  expect(rows.get("silence")).toMatchObject({
    fallback: "60s, wan 120s, edge 300s",
    change: "restart",
  });
});

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
