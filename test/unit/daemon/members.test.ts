/** `hawser members`: its page, its command line, and whom it believes. */
import { expect, test } from "vitest";
import { readMembers } from "../../../src/daemon/answers.ts";
import { readMembersOptions } from "../../../src/daemon/ask-options.ts";
import { membersText } from "../../../src/daemon/members.ts";
import type { MemberStatus, SyncStatus } from "../../../src/node/member-status.ts";

const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(32)) as [string, string, string];
const LINKED: MemberStatus = {
  storeId: A,
  host: "10.0.0.1",
  clientPort: 6381,
  replPort: 16381,
  replacedBy: "",
  linked: true,
  complete: true,
  good: true,
  confirmed: 90,
  lagBytes: 10,
};
const GONE: MemberStatus = {
  storeId: B,
  host: "",
  clientPort: 0,
  replPort: 0,
  replacedBy: "",
  linked: false,
  complete: false,
  good: false,
  confirmed: -1,
  lagBytes: -1,
};
const SYNC: SyncStatus = {
  copies: 1,
  level: "durable",
  leads: true,
  confirmed: 90,
  goodMembers: 1,
  members: [LINKED, GONE],
  heldReplies: 0,
  change: {
    from: { copies: 1, level: "durable", members: [A, B] },
    to: { copies: 1, level: "durable", members: [A] },
  },
};

test("the page has the rule, a change with the rule before, and each member", () => {
  expect(membersText(SYNC).split("\n")).toEqual([
    "sync      1 of 2 members besides the leader, level durable",
    "confirmed up to 90, 1 good besides this node",
    `change    under way, confirmed by both: from 1 at level durable of ${A} ${B}`,
    `          to 1 at level durable of ${A}`,
    `  ${A}  10.0.0.1:6381          linked, complete, good, confirmed 90, 10 bytes behind`,
    `  ${B}  -                      not linked, incomplete, not good, nothing known`,
    "",
  ]);
  expect(membersText({ ...SYNC, leads: false, change: null })).toContain("does not lead");
  const away = { ...GONE, host: "10.0.0.2", replPort: 16382, replacedBy: C };
  const members = [away, { ...away, clientPort: 6382, replacedBy: "" } as const];
  expect(
    membersText({ ...SYNC, members })
      .split("\n")
      .slice(4),
  ).toEqual([
    `  ${B}  10.0.0.2:16382         not linked, was last there, incomplete, not good, nothing known`,
    `    another store is there now, ${C}: without --dir a replica is another one after each start; add that one, remove this one`,
    `  ${B}  10.0.0.2:6382          not linked, was last there, incomplete, not good, nothing known`,
    "",
  ]);
  const off = { ...SYNC, change: { from: null, to: null } };
  expect(membersText(off)).toContain("from off");
});

test("an answer is believed when all of it is of its type", () => {
  expect(readMembers(JSON.stringify(SYNC))).toEqual(SYNC);
  for (const wrong of [
    { ...SYNC, members: [{ ...GONE, storeId: "x" }] },
    { ...SYNC, change: {} },
    { ...SYNC, confirmed: -2 },
    { ...SYNC, heldReplies: -1 },
    { ...SYNC, members: [{ ...GONE, replacedBy: "x" }] },
  ])
    expect(() => readMembers(JSON.stringify(wrong))).toThrow(/is not what a hawser node/);
});

test("the command line: what is to change, and which id it takes", () => {
  expect(readMembersOptions(["h:1", "remove", C, "--force", "--timeout", "2s"], {})).toEqual({
    target: { host: "h", port: 1 },
    change: { kind: "remove", id: C },
    force: true,
    json: false,
    password: "",
    timeoutMs: 2_000,
  });
  expect(readMembersOptions([], {}).change).toBeNull();
  expect(() => readMembersOptions(["add", "c"], {})).toThrow(
    /add: "c" is no store id, expected 32/,
  );
  expect(() => readMembersOptions(["remove"], {})).toThrow(/remove: "" is no store id/);
});
