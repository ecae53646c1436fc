/** Tables of the documents against those of the code: limits, states, codes, counters, events. */
import { expect, test } from "vitest";
import { allCommands } from "../../../src/resp/commands/table.ts";
import { ORDER_MOVES } from "../../../src/bridge/write-order.ts";
import { LIMITS } from "../../../src/limits.ts";
import { ROLE_MOVES } from "../../../src/node/roles.ts";
import { FEEDER_COUNTERS } from "../../../src/primary/journal.ts";
import { LINK_MOVES } from "../../../src/primary/link-state.ts";
import { CALL_MOVES } from "../../../src/replica/calls.ts";
import { SESSION_MOVES } from "../../../src/replica/session-state.ts";
import {
  document,
  filesUnder,
  namesIn,
  readText,
  section,
  sourceText,
  tableRows,
} from "./documents.ts";

const states = document("docs/reference/states.md").text;
const refusals = document("docs/reference/refusals.md").text;

/** The words of a union of strings in a source file. */
function wordsOf(path: string, type: string): string[] {
  const found = new RegExp(`export type ${type} =((?:\\s*\\|? ?"\\w+")+);`).exec(readText(path));
  if (found === null) throw new Error(`no union ${type} in ${path}`);
  return [...found[1]!.matchAll(/"(\w+)"/g)].map((match) => match[1]!);
}

test("docs: limits => every one with its value, and no other", () => {
  const told = tableRows(document("docs/reference/limits.md").text).map(([name, value]) => [
    name,
    Number(value),
  ]);
  expect(Object.fromEntries(told)).toEqual(LIMITS);
});

test.each([
  ["The link, as the feeder sees it", LINK_MOVES],
  ["The session, as the replica sees it", SESSION_MOVES],
  ["A state that answers later", CALL_MOVES],
  ["The role, as the node sees it", ROLE_MOVES],
  ["A write to a state of one's own", ORDER_MOVES],
] as const)("docs: states: %s => every move, and no other", (heading, moves) => {
  const told = tableRows(section(states, heading)).map(([name = "", , to = ""]) => [
    name,
    to === "" ? [] : to.split(", "),
  ]);
  expect(Object.fromEntries(told)).toEqual(moves);
});

test("docs: every code of REJECT has its row", () => {
  const told = namesIn(section(refusals, "When a replica is rejected"));
  expect(told.sort()).toEqual(wordsOf("src/wire/messages.ts", "RejectCode").sort());
});

test("docs: every reason for which a link ends has its row", () => {
  const told = namesIn(section(refusals, "Why links end"));
  expect(told.sort()).toEqual(wordsOf("src/primary/link-state.ts", "CloseReason").sort());
});

test("docs: every case of the resume decision has its row", () => {
  const told = tableRows(document("docs/decisions/D08-lineage.md").text).map(([name]) => name);
  expect(told.sort()).toEqual(wordsOf("src/primary/resume.ts", "ResumeCase").sort());
});

test("docs: every counter has its row, and every row is a counter or a field", () => {
  const told = namesIn(document("docs/reference/info.md").text);
  expect(FEEDER_COUNTERS.filter((name) => !told.includes(name))).toEqual([]);
  const source = sourceText();
  const unknown = told.filter((name) => {
    const stem = name.replace(/(<\w+>|\d+)$/, "");
    return !source.includes(`"${name}"`) && !source.includes(`\`${stem}$`);
  });
  expect(unknown).toEqual([]);
});

/** The first name after a level or a condition over levels: how every line is logged. */
const LOGGED =
  /(?:journal|log|logger)(?:\.(?:debug|info|warn|error))?\(\s*(?:[^";]*\? )?(?:"(?:debug|info|warn|error)"(?: : "\w+")?,\s*)?"([a-z_]+)"/g;

test("docs: every log event has its row, and every row is an event", () => {
  const told = namesIn(document("docs/reference/events.md").text);
  const levels = new Set(["debug", "info", "warn", "error"]);
  const logged = filesUnder("src")
    .flatMap((path) => [...readText(path).matchAll(LOGGED)].map((match) => match[1]!))
    .filter((name) => !levels.has(name));
  expect(logged).toEqual(expect.arrayContaining(["ready", "link_closed", "resume", "restored"]));
  expect([...new Set(logged)].filter((name) => !told.includes(name))).toEqual([]);
  const source = sourceText();
  expect(told.filter((name) => !source.includes(`"${name}"`))).toEqual([]);
});

test("docs: README.md has every command, and no other", () => {
  const told = tableRows(section(document("README.md").text, "Run")).flatMap(([, words = ""]) =>
    words.toLowerCase().split(" "),
  );
  // What a browser sends to a port that it was tricked to; answered, but no command.
  const commands = allCommands()
    .map((command) => command.name)
    .filter((name) => name !== "post" && name !== "host:");
  expect(told.sort()).toEqual([...commands].sort());
});
