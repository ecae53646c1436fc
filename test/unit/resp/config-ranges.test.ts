/** CONFIG SET takes what the flag of the same name takes, and no more. */
import { expect, test } from "vitest";
import { readNodeOptions } from "../../../src/node/options.ts";
import { UsageError } from "../../../src/node/option-values.ts";
import { FakeClient, FakePort } from "./fake-node.ts";

const VALUES = ["0", "1", "1kb", "16kb", "10mb", "1gb", "2048gb", "9000000000mb", "-1", "x", ""];

test.each([
  ["backlog", "backlog"],
  ["repl-backlog-size", "backlog"],
  ["ship-rate", "ship-rate"],
  ["maxmemory", "maxmemory"],
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
