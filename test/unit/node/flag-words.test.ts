/** Flags as words: their names, and which words are their texts. */
import { expect, test } from "vitest";
import { flagName, flagText } from "../../../src/node/flag-words.ts";

test.each([
  ["--port", "port"],
  ["--port=1=2", "port"],
  ["--", ""],
  ["-p", null],
  ["host:1", null],
])("flagName: %s => %s", (word, name) => {
  expect(flagName(word)).toBe(name);
});

test.each([
  [["--a", "1", "2"], false, { text: "1", last: 1 }],
  [["--a=1=2", "3"], false, { text: "1=2", last: 0 }],
  [["--a=", "3"], false, { text: "", last: 0 }],
  [["--a", "host:1"], true, { text: "true", last: 0 }],
  [["--a", "false"], true, { text: "false", last: 1 }],
  [["--a"], true, { text: "true", last: 0 }],
])("flagText: %s => %s", (argv, isSwitch, found) => {
  expect(flagText(argv, 0, isSwitch)).toEqual(found);
});

test("flagText: nothing behind a flag that needs a text => an error that names it", () => {
  expect(() => flagText(["--a"], 0, false)).toThrow("--a: a value is missing");
});
