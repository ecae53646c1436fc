/** What --dir remembers of a node's role, and how it starts with it. */
import { describe, expect, test } from "vitest";
import {
  decodeRole,
  type RoleFlags,
  type RoleMemory,
  startingRole,
} from "../../../src/node/role-memory.ts";

const X = { host: "x", port: 1 };
const Y = { host: "y", port: 2 };
const PRIMARY: RoleMemory = { role: "primary", upstream: null };
const OF_Y: RoleMemory = { role: "replica", upstream: Y };

const flags = (
  command: RoleFlags["command"],
  of: RoleFlags["of"] = null,
  seedFrom: RoleFlags["seedFrom"] = [],
  roleFromFlags = false,
  keepsState = false,
): RoleFlags => ({ command, of, seedFrom, roleFromFlags, keepsState });

/** The same with a state on the disk. */
const kept = (seedFrom: RoleFlags["seedFrom"]): RoleFlags =>
  flags("primary", null, seedFrom, false, true);

const fencedBy = (leader: typeof X | null): RoleMemory => ({
  role: "fenced",
  upstream: null,
  fence: {
    history: "1".repeat(32),
    rank: { term: 4, run: 0 },
    led: { term: 3, run: 0 },
    fork: 7,
    leader,
  },
});

describe("startingRole", () => {
  test.each<[string, RoleFlags, RoleMemory | null, string]>([
    ["nothing remembered, primary", flags("primary"), null, "primary"],
    ["nothing remembered, replica", flags("replica", X), null, "replica of x"],
    ["nothing remembered, seeding", flags("primary", null, [X]), null, "replica, seeds from x"],
    ["replica of y, flags primary", flags("primary"), OF_Y, "replica of y, memory_won"],
    ["replica of y, seeding", flags("primary", null, [X]), OF_Y, "replica of y, memory_won"],
    ["replica of y, flags replica of x", flags("replica", X), OF_Y, "replica of y, memory_won"],
    ["replica of y, flags the same", flags("replica", Y), OF_Y, "replica of y"],
    ["primary, flags replica", flags("replica", X), PRIMARY, "primary, memory_won, emptied"],
    ["primary, flags primary", flags("primary"), PRIMARY, "primary, emptied"],
    ["primary, seeding", flags("primary", null, [X]), PRIMARY, "replica, seeds from x"],
    ["primary whose state is kept, seeding", kept([X]), PRIMARY, "primary, seeds from x, emptied"],
    ["nothing remembered, state kept, seeding", kept([X]), null, "replica, seeds from x"],
    ["fenced, flags primary", flags("primary"), fencedBy(Y), "replica, fenced"],
    ["fenced, state kept, seeding", kept([X]), fencedBy(Y), "replica, fenced"],
    [
      "fenced, seeding",
      flags("primary", null, [X]),
      fencedBy(Y),
      "replica, seeds from y, seeds from x, fenced",
    ],
    [
      "fenced by somebody, seeding",
      flags("primary", null, [X]),
      fencedBy(null),
      "replica, seeds from x, fenced",
    ],
    ["switch, replica of y", flags("primary", null, [], true), OF_Y, "primary, flags_won"],
    ["switch, primary", flags("replica", X, [], true), PRIMARY, "replica of x, flags_won"],
    ["switch, the same", flags("replica", Y, [], true), OF_Y, "replica of y"],
    ["switch, nothing remembered", flags("replica", X, [], true), null, "replica of x"],
  ])("%s", (_name, given, memory, expected) => {
    const { role, upstream, sources, conflict, emptied, fence } = startingRole(given, memory);
    const words = [
      upstream === null ? role : `${role} of ${upstream.host}`,
      ...sources.map(({ host }) => `seeds from ${host}`),
      ...(conflict === "none" ? [] : [conflict]),
      ...(emptied ? ["emptied"] : []),
      ...(fence === null ? [] : ["fenced"]),
    ];
    expect(words.join(", ")).toBe(expected);
  });
});

const RESIGNED = {
  role: "resigned",
  upstream: Y,
  failoverId: "8".repeat(32),
  target: "2".repeat(32),
  end: { history: "1".repeat(32), offset: 700, chain: 9 },
  term: 5,
  forced: false,
} as const;

test.each([flags("primary"), flags("replica", X), flags("primary", null, [X])])(
  "resigned => resigned again, whatever the flags say, a replica of its target to all",
  (given) => {
    expect(startingRole(given, RESIGNED)).toEqual({
      role: "replica",
      upstream: Y,
      sources: [],
      conflict: "memory_won",
      emptied: false,
      fence: null,
      resignation: RESIGNED,
    });
    expect(startingRole({ ...given, roleFromFlags: true }, RESIGNED).resignation).toBe(undefined);
  },
);

describe("role.json", () => {
  test.each([
    ["target", "x", "role.target"],
    ["end", null, "role.end"],
    ["term", -1, "role.term"],
    ["forced", 1, "role.forced"],
    ["end", { ...RESIGNED.end, chain: 2 ** 32 }, "role.end.chain"],
  ])("resigned with another %s => named", (field, value, named) => {
    const text = JSON.stringify({ version: 1, ...RESIGNED, [field]: value });
    expect(() => decodeRole(text)).toThrow(named);
  });

  test.each([PRIMARY, OF_Y, RESIGNED])("%j => read back", (memory) => {
    expect(decodeRole(JSON.stringify({ version: 1, ...memory }))).toEqual(memory);
  });

  test.each([
    ["", "it is empty"],
    ["\n", "it is empty"],
    ['{"version":1,"ro', "it is no JSON"],
    ["[]", "the text is no object"],
    ["null", "the text is no object"],
    ['{"version":2,"role":"primary","upstream":null}', "version is 2, expected 1"],
    ['{"role":"primary","upstream":null}', "version is missing, expected 1"],
    [
      '{"version":1,"role":"king","upstream":null}',
      'role is "king", expected primary, replica, resigned or fenced',
    ],
    [
      '{"version":1,"role":"primary","upstream":{}}',
      "there is an upstream of a node that follows nobody",
    ],
    ['{"version":1,"role":"fenced","upstream":null}', "fence is no object"],
    ['{"version":1,"role":"replica","upstream":null}', "upstream is no object"],
    ['{"version":1,"role":"replica","upstream":{"port":1}}', "upstream.host is no text"],
    ['{"version":1,"role":"replica","upstream":{"host":"","port":1}}', "upstream.host is no text"],
    [
      `{"version":1,"role":"replica","upstream":{"host":"${"h".repeat(256)}","port":1}}`,
      "upstream.host is no text",
    ],
    ['{"version":1,"role":"replica","upstream":{"host":"h","port":0}}', "upstream.port is 0"],
    ['{"version":1,"role":"replica","upstream":{"host":"h","port":1.5}}', "upstream.port is 1.5"],
    ['{"version":1,"role":"replica","upstream":{"host":"h"}}', "upstream.port is missing"],
  ])("%s => %s", (text, error) => {
    expect(() => decodeRole(text)).toThrow(error);
  });
});

describe("a node that was fenced", () => {
  const fence = {
    history: "b".repeat(32),
    rank: { term: 4, run: 0 },
    led: { term: 3, run: 1 },
    fork: 700,
    leader: { host: "a", port: 1 },
  };
  const text = (change: object): string =>
    JSON.stringify({ version: 1, role: "fenced", upstream: null, fence: { ...fence, ...change } });
  const flags: RoleFlags = {
    command: "primary",
    of: null,
    seedFrom: [],
    roleFromFlags: false,
    keepsState: true,
  };

  test("it starts fenced, whatever its flags say, and leads nobody", () => {
    const memory = decodeRole(text({}));
    expect(memory).toMatchObject({ role: "fenced", fence });
    const start = { role: "replica", upstream: null, sources: [], fence, emptied: false };
    expect(startingRole(flags, memory)).toEqual({ ...start, conflict: "none" });
    const below = { ...flags, command: "replica" as const, of: { host: "x", port: 2 } };
    expect(startingRole(below, memory)).toEqual({ ...start, conflict: "memory_won" });
  });

  test("--seed-from counts less, and --role-from-flags more", () => {
    const memory = decodeRole(text({ leader: null }));
    const seedFrom = [{ host: "s", port: 3 }];
    expect(startingRole({ ...flags, seedFrom }, memory)).toMatchObject({
      role: "replica",
      sources: [],
      fence: { ...fence, leader: null },
    });
    expect(startingRole({ ...flags, roleFromFlags: true }, memory)).toMatchObject({
      role: "primary",
      fence: null,
    });
  });

  test.each([
    [{ history: 1 }, "fence.history is no id"],
    [{ rank: null }, "fence.rank is no object"],
    [{ led: { term: -1, run: 0 } }, "led.term is no whole number"],
    [{ fork: null }, "fence.fork is no whole number"],
    [{ leader: {} }, "fence.leader.host is no text"],
  ])("%j => %s", (change, error) => {
    expect(() => decodeRole(text(change))).toThrow(error);
  });
});
