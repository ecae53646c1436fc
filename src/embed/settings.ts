/**
 * An embedder's options to the options of a node: checked by the table of settings, named as the embedder
 * names them.
 *
 * Owns: what an embedder may give, and in which type. Does not own: names, ranges, defaults
 * (node/settings.ts), what settings must be together (node/options.ts), messages (words.ts).
 * Tested in: test/unit/index.test.ts.
 */
import { didYouMean } from "../node/nearest.ts";
import { UsageError } from "../node/option-values.ts";
import { assemble, check, type NodeOptions, type Spelling } from "../node/options.ts";
import { rangeOf, readSetting, type SettingValue } from "../node/setting-text.ts";
import { SETTINGS, type Setting, type SettingName } from "../node/settings.ts";
import { settingsOf } from "../node/setting-lookup.ts";
import { type OptionNames, shownKey } from "./words.ts";

/** What there is in a process with other code: no client port, and the code says the role. */
const EMBEDDED: Readonly<Partial<Record<SettingName, SettingValue>>> = {
  port: 0,
  "repl-port": 0,
  "clients-open": true,
  "role-from-flags": true,
};

/** Options that are no settings of a node (open.ts). */
const OTHERS: readonly string[] = ["log", "workerUrl"];

function asKeys(names: OptionNames): Spelling {
  return (name) => {
    const setting = SETTINGS.find((candidate) => candidate.name === name);
    return setting === undefined ? name : shownKey(setting, names);
  };
}

/**
 * @param given what the embedder's code wrote; OTHERS are left to others
 * @throws {UsageError} naming an unknown or wrong option, and what is allowed
 */
export function readEmbedded(
  command: "primary" | "replica",
  given: object,
  names: OptionNames = {},
): NodeOptions {
  const allowed = settingsOf(command).filter(
    ({ embedded }) => embedded === "both" || embedded === command,
  );
  const values = new Map<Setting, SettingValue>();
  for (const [key, value] of Object.entries(given) as [string, unknown][]) {
    if (OTHERS.includes(key) || value === undefined) continue;
    const setting = allowed.find((candidate) => shownKey(candidate, names) === key);
    if (setting === undefined) {
      const keys = [...allowed.map((each) => shownKey(each, names)), ...OTHERS];
      const meant = didYouMean(key, keys);
      throw new UsageError(`unknown option ${key}${meant}; allowed: ${keys.join(" ")}`);
    }
    values.set(setting, readOption(setting, shownKey(setting, names), value));
  }
  const options = assemble(command, (setting) => values.get(setting) ?? EMBEDDED[setting.name]);
  check(options, asKeys(names));
  return options;
}

function readOption(setting: Setting, key: string, value: unknown): SettingValue {
  const { kind } = setting;
  const type = TYPES[kind] ?? "string";
  if (typeof value !== type)
    throw new UsageError(`${key}: of type ${typeof value}; expected a ${type}`);
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return readNumber(setting, key, value);
  try {
    return readSetting(setting, String(value));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const shown = kind === "secret" ? "" : ` "${String(value).slice(0, 200)}"`;
    throw new UsageError(`${key}:${shown} ${error.message}`);
  }
}

const TYPES: Readonly<Partial<Record<Setting["kind"], "number" | "boolean">>> = {
  port: "number",
  size: "number",
  time: "number",
  count: "number",
  switch: "boolean",
};

function readNumber(setting: Setting, key: string, value: number): number {
  const { kind } = setting;
  const { min, max, orZero } = rangeOf(setting) ?? {
    min: 0,
    max: kind === "port" ? 65_535 : Number.MAX_SAFE_INTEGER,
    orZero: false,
  };
  const isAllowed = orZero && value === 0 ? true : value >= min && value <= max;
  if (Number.isSafeInteger(value) && isAllowed) return value;
  const expected = `${orZero ? "0, or " : ""}a whole number from ${min} to ${max}`;
  throw new UsageError(`${key}: ${value} is not allowed; expected ${expected}`);
}
