/** REPL.MEMBERS: its words, what it shows, and whom it refuses. */
import { expect, test } from "vitest";
import type { SyncStatus } from "../../../../src/node/member-status.ts";
import { FakeClient, FakePort } from "../fake-node.ts";

const ID = "0123456789abcdef0123456789abcdef";
const SYNC: SyncStatus = {
  copies: 1,
  level: "applied",
  leads: true,
  confirmed: 7,
  goodMembers: 0,
  members: [],
  heldReplies: 0,
  change: null,
};

function withSync(): { port: FakePort; client: FakeClient } {
  const port = new FakePort();
  port.node.sync = SYNC;
  return { port, client: new FakeClient(port) };
}

test("off => every form says so, and nothing is changed", () => {
  const port = new FakePort();
  const client = new FakeClient(port);
  for (const words of [[], ["ADD", ID], ["REMOVE", ID], ["FORCE"]])
    expect(client.call("REPL.MEMBERS", ...words)).toMatch(
      /^-ERR synchronous mode is off: .*--sync/,
    );
  expect(port.node.memberChanges).toEqual([]);
});

test("without arguments => the rule and its members, as JSON", () => {
  const { client } = withSync();
  const [, json] = client.call("REPL.MEMBERS").split("\r\n");
  expect(JSON.parse(json!)).toEqual(SYNC);
});

test.each([
  [["add", ID], `add ${ID}`],
  [["REMOVE", ID], `remove ${ID}`],
  [["force"], "force"],
])("%j => begins", (words, change) => {
  const { port, client } = withSync();
  expect(client.call("REPL.MEMBERS", ...words)).toBe("+OK\r\n");
  expect(port.node.memberChanges).toEqual([change]);
});

test.each([
  [["ADD"], "expected REPL.MEMBERS [ADD id | REMOVE id | FORCE]"],
  [["FORCE", ID], "expected REPL.MEMBERS [ADD id | REMOVE id | FORCE]"],
  [["ADD", ID, "x"], "expected REPL.MEMBERS [ADD id | REMOVE id | FORCE]"],
  [["ADD", "b1"], "'b1' is no store id: expected 32 hex digits in lower case"],
  [["REMOVE", ID.toUpperCase()], "is no store id: expected 32 hex digits in lower case"],
])("%j => refused, with nothing changed", (words, why) => {
  const { port, client } = withSync();
  expect(client.call("REPL.MEMBERS", ...words)).toContain(why);
  expect(port.node.memberChanges).toEqual([]);
});

test("what the node refuses is said in its words", () => {
  const { port, client } = withSync();
  port.node.membersRefusal = "this node does not lead";
  expect(client.call("REPL.MEMBERS", "FORCE")).toBe("-ERR this node does not lead\r\n");
});
