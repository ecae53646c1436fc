/** WAIT, WAITAOF and REPL.WAITALL: arguments in redis's order and words, and what is asked of the node. */
import { describe, expect, test } from "vitest";
import type { LogOnDisk } from "../../../../src/node/api.ts";
import { FakeClient, FakePort, request } from "../fake-node.ts";

const ON_DISK = {} as LogOnDisk;
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const NOT_POSITIVE = "-ERR value is out of range, must be positive\r\n";

function open(): { port: FakePort; client: FakeClient } {
  const port = new FakePort();
  return { port, client: new FakeClient(port) };
}

describe("WAITAOF", () => {
  test.each([
    [["a", "0", "0"], NOT_INTEGER],
    [["2", "x", "x"], "-ERR value is out of range, value must between 0 and 1\r\n"],
    [["-1", "0", "0"], "-ERR value is out of range, value must between 0 and 1\r\n"],
    [["1", "-1", "x"], NOT_POSITIVE],
    [["1", "x", "x"], NOT_POSITIVE],
    [["1", "0", "-1"], "-ERR timeout is negative\r\n"],
    [["1", "0", "1.5"], "-ERR timeout is not an integer or out of range\r\n"],
    [
      ["1", "0", "0"],
      "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
    ],
    [["0", "0", "0"], "*2\r\n:0\r\n:0\r\n"],
    [["0", "0"], "-ERR wrong number of arguments for 'waitaof' command\r\n"],
  ])("%j without a disk => %j", (words, reply) => {
    expect(open().client.call("WAITAOF", ...words)).toBe(reply);
  });

  test("on a replica => redis's words, after the arguments and before the disk", () => {
    const { port, client } = open();
    port.node.role = "replica";
    expect(client.call("WAITAOF", "1", "0", "0")).toBe(
      "-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.\r\n",
    );
    expect(client.call("WAITAOF", "1", "0", "-1")).toBe("-ERR timeout is negative\r\n");
  });

  test("local alone => waits for this disk, for what this connection wrote", () => {
    const { port, client } = open();
    port.node.logOnDisk = ON_DISK;
    client.send(request("SET", "k", "v") + request("WAITAOF", "1", "0", "0"));
    const { tail } = port.node.log;
    expect(port.node.waits[0]!.wanted).toEqual({
      offset: tail,
      replicas: 0,
      level: "durable",
      local: true,
    });
    port.node.durable = tail;
    port.node.waits[0]!.done(0);
    expect(client.taken()).toBe("*2\r\n:1\r\n:0\r\n");
    expect(client.call("WAITAOF", "1", "0", "0")).toBe("*2\r\n:1\r\n:0\r\n");
    expect(port.node.waits).toHaveLength(1);
  });

  test("the time is over => what there is; cut by a demotion => UNBLOCKED, and the end", () => {
    const { port, client } = open();
    port.node.logOnDisk = ON_DISK;
    client.send(request("SET", "k", "v") + request("WAITAOF", "1", "3", "10"));
    port.node.waits[0]!.done(2);
    expect(client.taken()).toContain("*2\r\n:0\r\n:2\r\n");
    client.send(request("WAITAOF", "0", "1", "0"));
    port.node.waits[1]!.done(null);
    expect(client.taken()).toContain("-UNBLOCKED ");
    expect(client.ended).toBe(true);
  });

  test("the write is in no log any more => [0, 0], whatever replicas have; in MULTI it never waits", () => {
    const { port, client } = open();
    port.node.logOnDisk = ON_DISK;
    port.node.confirmed = 5;
    client.call("SET", "k", "v");
    expect(
      client.send(request("MULTI") + request("WAITAOF", "1", "9", "0") + request("EXEC")),
    ).toBe("+OK\r\n+QUEUED\r\n*1\r\n*2\r\n:0\r\n:5\r\n");
    port.node.identity = { ...port.node.identity, history: "4".repeat(32) };
    port.node.durable = port.node.log.tail;
    expect(client.call("WAITAOF", "1", "9", "0")).toBe("*2\r\n:0\r\n:0\r\n");
    expect(client.call("WAIT", "9", "0")).toBe(":0\r\n");
    expect(port.node.waits).toHaveLength(0);
  });
});

describe("REPL.WAITALL", () => {
  test.each([
    [["x", "applied", "0"], NOT_POSITIVE],
    [["-1", "applied", "0"], NOT_POSITIVE],
    [["1", "sent", "0"], "-ERR level is 'sent'; received, applied or durable is allowed\r\n"],
    [["1", "applied", "x"], "-ERR timeout is not an integer or out of range\r\n"],
  ])("%j => %j", (words, reply) => {
    expect(open().client.call("REPL.WAITALL", ...words)).toBe(reply);
  });

  test("on a connection that wrote nothing => the whole log, at the level asked for", () => {
    const { port, client } = open();
    new FakeClient(port, 2).call("SET", "k", "v");
    client.call("REPL.WAITALL", "2", "DURABLE", "100");
    const { tail } = port.node.log;
    expect(tail).toBeGreaterThan(0);
    const wanted = { offset: tail, replicas: 2, level: "durable", local: false };
    expect(port.node.waits[0]!.wanted).toEqual(wanted);
    port.node.waits[0]!.done(2);
    expect(client.taken()).toBe(":2\r\n");
    port.node.role = "replica";
    expect(client.call("REPL.WAITALL", "1", "applied", "0")).toMatch(
      /^-ERR REPL.WAITALL asks the primary/,
    );
  });
});

describe("too few replicas, or a root too far", () => {
  const NO_REPLICAS = "-NOREPLICAS Not enough good replicas to write.\r\n";

  test("NOREPLICAS => no write is executed, queued or run by EXEC; reads and CONFIG are", () => {
    const { port, client } = open();
    client.call("SET", "k", "1");
    client.send(request("MULTI") + request("SET", "k", "2"));
    const { tail } = port.node.log;
    port.node.refusal = "noreplicas";
    expect(client.call("EXEC")).toBe(
      "-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.\r\n",
    );
    expect(client.call("SET", "k", "3")).toBe(NO_REPLICAS);
    expect(client.call("FLUSHALL")).toBe(NO_REPLICAS);
    expect(client.call("GET", "k")).toBe("$1\r\n1\r\n");
    expect(client.call("CONFIG", "SET", "min-replicas-to-write", "0")).toBe("+OK\r\n");
    client.call("MULTI");
    expect(client.call("SET", "k", "3")).toBe(NO_REPLICAS);
    expect(client.call("EXEC")).toMatch(/^-EXECABORT /);
    expect(port.node.log.tail).toBe(tail);
  });

  test("STALE => what redis refuses on a stale replica, in EXEC too; what it allows is allowed", () => {
    const { port, client } = open();
    client.call("SET", "k", "1");
    client.send(request("MULTI") + request("GET", "k"));
    port.node.role = "replica";
    port.node.refusal = "readonly";
    port.node.settings.replicaMaxStalenessMs = 3_000;
    port.node.nearness = { ...port.node.nearness, isStale: true, staleMs: 5_230 };
    const stale =
      "STALE what this replica would show may be 5230 ms old, by the root's clock; replica-max-staleness is 3000 ms (3s)\r\n";
    expect(client.call("EXEC")).toBe(`-EXECABORT Transaction discarded because of: ${stale}`);
    expect(client.call("GET", "k")).toBe(`-${stale}`);
    expect(client.call("DBSIZE")).toBe(`-${stale}`);
    expect(client.call("SET", "k", "2")).toMatch(/^-READONLY /);
    for (const allowed of ["INFO", "ROLE", "REPL.STATUS", "REPL.TOKEN"])
      expect(client.call(allowed)).not.toMatch(/^-/);
    expect(client.call("CONFIG", "GET", "replica-max-staleness")).toContain("3s");
    // As redis has it: a number alone is seconds. What it came to is said with its unit.
    expect(client.call("CONFIG", "SET", "replica-max-staleness", "4")).toBe("+OK\r\n");
    expect(client.call("GET", "k")).toContain("replica-max-staleness is 4000 ms (4s)");
    expect(client.call("CONFIG", "SET", "replica-max-staleness", "2500ms")).toBe("+OK\r\n");
    expect(client.call("GET", "k")).toContain("replica-max-staleness is 2500 ms (2500ms)");
    port.node.nearness = { ...port.node.nearness, isStale: false };
    expect(client.call("GET", "k")).toBe("$1\r\n1\r\n");
  });
});
