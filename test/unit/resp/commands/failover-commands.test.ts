/** FAILOVER: its words, and redis's errors. */
import { expect, test } from "vitest";
import { FakeClient, FakePort } from "../fake-node.ts";

test.each([
  [[], { to: null, force: false, timeoutMs: 0 }],
  [["TIMEOUT", "500"], { to: null, force: false, timeoutMs: 500 }],
  [["to", "h", "7402"], { to: { host: "h", port: 7402 }, force: false, timeoutMs: 0 }],
  [
    ["TO", "h", "7402", "FORCE", "TIMEOUT", "9"],
    { to: { host: "h", port: 7402 }, force: true, timeoutMs: 9 },
  ],
  [
    ["TIMEOUT", "9", "TO", "h", "7402"],
    { to: { host: "h", port: 7402 }, force: false, timeoutMs: 9 },
  ],
])("FAILOVER %j => begins", (words, plan) => {
  const port = new FakePort();
  expect(new FakeClient(port).call("FAILOVER", ...words)).toBe("+OK\r\n");
  expect(port.node.failover.plans).toEqual([plan]);
});

test.each([
  [["TO", "h"], "ERR syntax error"],
  [["TO", "h", "x"], "ERR value is not an integer or out of range"],
  [["TIMEOUT"], "ERR syntax error"],
  [["TIMEOUT", "0"], "ERR FAILOVER timeout must be greater than 0"],
  [["TIMEOUT", "-1"], "ERR FAILOVER timeout must be greater than 0"],
  [["TIMEOUT", "x"], "ERR value is not an integer or out of range"],
  [["TIMEOUT", "2147483648"], "ERR value is not an integer or out of range"],
  [["TIMEOUT", "1", "TIMEOUT", "1"], "ERR syntax error"],
  [["FORCE", "FORCE"], "ERR syntax error"],
  [["ABORT", "now"], "ERR syntax error"],
  [["soon"], "ERR syntax error"],
])("FAILOVER %j => %s", (words, error) => {
  const port = new FakePort();
  expect(new FakeClient(port).call("FAILOVER", ...words)).toBe(`-${error}\r\n`);
  expect(port.node.failover.plans).toEqual([]);
});

test("what the node refuses is said in its words", () => {
  const port = new FakePort();
  port.node.failover.refusal = "FAILOVER already in progress.";
  const client = new FakeClient(port);
  expect(client.call("FAILOVER")).toBe("-ERR FAILOVER already in progress.\r\n");
  expect(client.call("FAILOVER", "ABORT")).toBe("-ERR FAILOVER already in progress.\r\n");
});

test("ABORT => answered when it is known how it ended", () => {
  const port = new FakePort();
  const client = new FakeClient(port);
  expect(client.call("FAILOVER", "ABORT")).toBe("");
  port.node.failover.aborts[0]!(null);
  expect(client.taken()).toBe("+OK\r\n");
});

test("a write in MULTI is queued while writers are held", () => {
  const port = new FakePort();
  const client = new FakeClient(port);
  port.node.refusal = "paused";
  port.node.paused = true;
  client.call("MULTI");
  expect(client.call("SET", "k", "v")).toBe("+QUEUED\r\n");
  expect(client.call("EXEC")).toBe("");
});
