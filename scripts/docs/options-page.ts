/**
 * The generated parts of docs/reference/options.md: a row for each setting, from the table of settings.
 *
 * Owns: their form. Does not own: the settings (src/node/settings.ts), words beside them (option-notes.ts).
 */
import { PROFILES, SETTINGS, type Setting } from "../../src/node/settings.ts";
import { defaultOf } from "../../src/node/setting-lookup.ts";
import { DEFAULTS_IN_WORDS, NOTES } from "./option-notes.ts";

const COLUMNS = ["option", "redis's name", "of", "value", "default", "change", "meaning"];
const KINDS: Readonly<Record<Setting["kind"], string>> = {
  port: "port",
  size: "size",
  count: "count",
  time: "time",
  text: "path",
  host: "host",
  secret: "text",
  switch: "true or false",
  choice: "",
  address: "HOST:PORT",
  addresses: "HOST:PORT,..",
};
/** It names the file that the others are read from, and so is none of them. */
const CONFIG_ROW = ["`--config`", "", "both", "path", "", "restart", "JSON file with options"];

/** The page with its generated parts made anew; all else stays. */
export function optionsPage(page: string): string {
  return replacePart(replacePart(page, "options", optionsTable()), "profiles", profilesTable());
}

function replacePart(page: string, name: string, table: string): string {
  const begin = `<!-- ${name}: written by npm run docs -->`;
  const end = `<!-- end of ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs: no place for ${name}`);
  return `${page.slice(0, from + begin.length)}\n\n${table}\n\n${page.slice(to)}`;
}

function optionsTable(): string {
  return table(COLUMNS, [...SETTINGS.map(optionRow), CONFIG_ROW]);
}

function optionRow(setting: Setting): readonly string[] {
  const { name, redis = [], of, live, help } = setting;
  return [
    `\`--${name}\``,
    redis.map((word) => `\`${word}\``).join(", "),
    of,
    valueOf(setting),
    DEFAULTS_IN_WORDS[name] ?? defaultsOf(setting),
    live === true ? "live" : "restart",
    NOTES[name] ?? help,
  ];
}

/** What may be given: "size, 16kb to 1mb", or the choices. */
function valueOf({ kind, choices, range }: Setting): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(", ");
  return range === undefined ? KINDS[kind] : `${KINDS[kind]}, ${range}`;
}

/** That of lan, and those of other profiles where they are others. */
function defaultsOf(setting: Setting): string {
  const others = PROFILES.filter((profile) => defaultOf(setting, profile) !== setting.fallback).map(
    (profile) => `${profile} ${defaultOf(setting, profile)}`,
  );
  return [setting.fallback, ...others].join(", ");
}

function profilesTable(): string {
  const rows = SETTINGS.filter(({ profiles }) => profiles !== undefined);
  return table(
    ["option", ...PROFILES],
    rows.map((row) => [`\`--${row.name}\``, ...PROFILES.map((profile) => defaultOf(row, profile))]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => (cell === "" ? "" : `${cell} `)).join("| ")}|`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
