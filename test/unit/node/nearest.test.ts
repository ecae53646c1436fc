/** What a mistyped word is told. */
import { expect, test } from "vitest";
import { didYouMean } from "../../../src/node/nearest.ts";
import { SETTINGS } from "../../../src/node/settings.ts";

const FLAGS = SETTINGS.map(({ name }) => `--${name}`);

test.each([
  ["--backlgo", "--backlog"],
  ["--repl-pasword", "--repl-password"],
  ["--maxclient", "--maxclients"],
  ["--BIND", "--bind"],
  ["--ship_rate", "--ship-rate"],
  ["--bind", "--bind"],
])("%s => did you mean %s?", (word, meant) => {
  expect(didYouMean(word, FLAGS)).toBe(`: did you mean ${meant}?`);
});

test.each(["--nosuch", "--xyzzyq", "", "--", "x".repeat(10_000)])(
  "%s => nothing is near",
  (word) => {
    expect(didYouMean(word, FLAGS)).toBe("");
  },
);
