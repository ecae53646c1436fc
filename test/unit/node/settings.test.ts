/** The table of settings agrees with itself: defaults and bounds are values, names are one setting's. */
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { rangeOf, readSetting, showSetting } from "../../../src/node/setting-text.ts";
import { SETTINGS } from "../../../src/node/settings.ts";
import { defaultOf, variableOf } from "../../../src/node/setting-lookup.ts";

test.each(SETTINGS)("$name: every default is in range, and is written as it is read", (setting) => {
  for (const profile of ["lan", "wan", "edge"] as const) {
    const text = defaultOf(setting, profile);
    if (text === "") continue;
    const value = readSetting(setting, text);
    expect(readSetting(setting, showSetting(setting.kind, value))).toEqual(value);
  }
  expect(setting.help).not.toBe("");
});

test("a range is read, both ends belong to it, and what lies beyond does not", () => {
  const ranged = SETTINGS.filter((setting) => setting.range !== undefined);
  expect(ranged.length).toBe(25);
  for (const setting of ranged) {
    const { min, max, orZero } = rangeOf(setting)!;
    expect(min, setting.name).toBeLessThan(max);
    for (const value of [min, max, ...(orZero ? [0] : [])])
      expect(readSetting(setting, showSetting(setting.kind, value))).toBe(value);
    for (const value of [min - 1, max + 1])
      expect(() => readSetting(setting, showSetting(setting.kind, value)), setting.name).toThrow();
  }
});

test("a chunk may be as large as a frame carries", () => {
  const chunk = SETTINGS.find(({ name }) => name === "chunk")!;
  expect(rangeOf(chunk)!.max).toBe(LIMITS.chunkBytesMax);
});

test("no name, key, variable or name of redis belongs to two settings", () => {
  const names = SETTINGS.flatMap(({ name, redis = [] }) => [name, ...redis]);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(SETTINGS.map(({ key }) => key)).size).toBe(SETTINGS.length);
  expect(new Set(SETTINGS.map(({ name }) => variableOf(name))).size).toBe(SETTINGS.length);
});
