/** docs/reference/api.md is what the exports and their comments make of it: npm run docs writes it. */
import { expect, test } from "vitest";
import { apiPage } from "../../scripts/docs/api-page.ts";
import * as hawser from "../../src/index.ts";
import { document } from "./docs/documents.ts";

/** Methods of a state are its interface's, which says what they do. */
const OF_NODES = /^(Primary|Replica|EmbeddedNode|ReplicatedNode|HawserError)\./;

const page = apiPage();

test("api: the page is as npm run docs writes it", () => {
  expect(document("docs/reference/api.md").text).toBe(page.text);
});

test("api: everything that is exported has a doc comment, and every method of a node", () => {
  const isWanted = (name: string): boolean => !name.includes(".") || OF_NODES.test(name);
  expect(page.undocumented.filter(isWanted)).toEqual([]);
});

test("api: every value that is exported has a heading, and its methods", () => {
  for (const name of Object.keys(hawser)) expect(page.text).toContain(`\n### ${name}\n`);
  const methods = (of: object): string[] =>
    Object.getOwnPropertyNames(of).filter((name) => name !== "constructor");
  const { prototype } = hawser.Primary;
  const all = [...methods(prototype), ...methods(Object.getPrototypeOf(prototype) as object)];
  expect(all.length).toBeGreaterThan(20);
  for (const name of all) expect(page.text).toMatch(new RegExp(`^(get )?${name}[(<]`, "m"));
});
