/** CONFIG SET takes what the flag of the same name takes, and no more. */
import { expect, test } from "vitest";
import { readNodeOptions } from "../../../../src/node/options.ts";
import { UsageError } from "../../../../src/node/option-values.ts";
import { SETTINGS } from "../../../../src/node/settings.ts";
import { FakeClient, FakePort } from "../fake-node.ts";

const VALUES = [
  "0",
  "1",
  "7",
  "1kb",
  "16kb",
  "10mb",
  "1gb",
  "2048gb",
  "9000000000mb",
  "-1",
  "x",
  "",
];

test.each([
  ["backlog", "backlog"],
  ["repl-backlog-size", "backlog"],
  ["ship-rate", "ship-rate"],
  ["maxmemory", "maxmemory"],
  ["maxclients", "maxclients"],
] as const)("CONFIG SET %s => as --%s, for every value", (setting, flag) => {
  const client = new FakeClient(new FakePort());
  let refused = 0;
  for (const value of VALUES) {
    let taken = true;
    try {
      readNodeOptions("primary", [`--${flag}=${value}`], {}, () => "{}");
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      taken = false;
      refused += 1;
    }
    const reply = client.call("CONFIG", "SET", setting, value);
    expect(reply, value).toMatch(taken ? /^\+OK/ : /^-ERR CONFIG SET failed .* - argument /);
  }
  expect(refused).toBeGreaterThan(3);
  expect(refused).toBeLessThan(VALUES.length - 1);
});

test("hold follows the backlog unless it is given", () => {
  const hold = (...flags: string[]): string =>
    new FakeClient(new FakePort(...flags)).call("CONFIG", "GET", "hold");
  const port = new FakePort();
  const { sizeBytes } = port.node.status().backlog;
  expect(hold()).toContain(String(4 * sizeBytes));
  expect(hold("--hold", "32kb")).toContain("32768");
});

const asPairs = (port: FakePort, pattern: string): Map<string, string> => {
  const words = new FakeClient(port).call("CONFIG", "GET", pattern).split("\r\n");
  const values = words.filter((_, n) => n > 0 && n % 2 === 0);
  return new Map(values.flatMap((name, n) => (n % 2 === 0 ? [[name, values[n + 1] ?? ""]] : [])));
};

test("every setting => shown by its own name as the flag takes it, but the password of links", () => {
  const port = new FakePort("--silence", "7s", "--stall", "3500ms", "--ship-rate", "1mb");
  const shown = asPairs(port, "*");
  for (const { name, redis = [] } of SETTINGS)
    for (const each of [name, ...redis])
      expect([each, shown.has(each)]).toEqual([each, name !== "repl-password"]);
  expect([shown.get("silence"), shown.get("repl-timeout")]).toEqual(["7s", "7"]);
  expect([shown.get("stall"), shown.get("ship-gather")]).toEqual(["3500ms", "200ms"]);
  expect(shown.get("ship-rate")).toBe("1048576");
  const argv = SETTINGS.filter(
    ({ of, name }) => of !== "replica" && (shown.get(name) ?? "") !== "",
  );
  const { options } = readNodeOptions(
    "primary",
    argv.map(({ name }) => `--${name}=${shown.get(name)!}`),
    {},
    () => "{}",
  );
  // Not given, these follow the backlog.
  expect(options).toEqual({
    ...port.node.settings,
    replPort: 16380,
    holdBytes: 4 * options.backlogBytes,
    logKeepBytes: 4 * options.backlogBytes,
  });
});

test("CONFIG SET => the node's settings, all that read them, and both names", () => {
  const port = new FakePort();
  const client = new FakeClient(port);
  const changes = ["backlog", "1mb", "maxmemory", "2mb", "maxclients", "7", "ship-rate", "3mb"];
  expect(client.call("CONFIG", "SET", ...changes)).toBe("+OK\r\n");
  expect(port.node.settings).toMatchObject({
    backlogBytes: 1 << 20,
    maxmemory: 2 << 20,
    maxclients: 7,
    shipRate: 3 << 20,
  });
  expect(port.server.context.keys.maxmemory).toBe(2 << 20);
  const shown = asPairs(port, "*backlog*");
  expect([shown.get("backlog"), shown.get("repl-backlog-size")]).toEqual(["1048576", "1048576"]);
  expect(client.call("CONFIG", "GET", "hold")).toContain(String(4 << 20));
  for (const both of [
    ["backlog", "2mb", "repl-backlog-size", "4mb"],
    ["maxmemory", "1mb", "silence", "10s"],
    ["maxmemory", "1mb", "maxclients", "0"],
  ])
    expect(client.call("CONFIG", "SET", ...both)).toMatch(/^-ERR CONFIG SET failed/);
  expect(port.node.settings).toMatchObject({ backlogBytes: 1 << 20, maxmemory: 2 << 20 });
});

test("CONFIG SET '' => what is so unless somebody says otherwise, where that is no value of its own", () => {
  const port = new FakePort();
  const client = new FakeClient(port);
  expect(asPairs(port, "checkpoint-rate").get("checkpoint-rate")).toBe("");
  expect(client.call("CONFIG", "SET", "checkpoint-rate", "1mb")).toBe("+OK\r\n");
  expect(asPairs(port, "checkpoint-rate").get("checkpoint-rate")).toBe("1048576");
  expect(client.call("CONFIG", "SET", "checkpoint-rate", "")).toBe("+OK\r\n");
  expect(port.node.settings).toMatchObject({ checkpointRate: -1 });
  expect(client.call("CONFIG", "SET", "maxmemory", "")).toMatch(/^-ERR CONFIG SET failed/);
});

test("CONFIG SET requirepass '' beyond loopback => refused as at the start, and the password stays", () => {
  const beyond = ["--bind", "0.0.0.0", "--requirepass", "x", "--repl-open"];
  const set = (...flags: string[]): readonly string[] => {
    const client = new FakeClient(new FakePort(...flags));
    client.call("AUTH", "x");
    const reply = client.call("CONFIG", "SET", "requirepass", "");
    return [reply, client.call("CONFIG", "GET", "requirepass")];
  };
  const [refused, kept] = set(...beyond);
  expect(refused).toMatch(/^-ERR CONFIG SET failed .* listens on 0\.0\.0\.0, without a password/);
  expect(kept).toContain("\r\nx\r\n");
  for (const consent of ["--clients-open", "--insecure"])
    expect(set(...beyond, consent)[0], consent).toBe("+OK\r\n");
  expect(set("--requirepass", "x", "--repl-open")[0]).toBe("+OK\r\n");
});
