import { describe, expect, test } from "vitest";
import type { TurnConfirmer } from "../../../src/node/confirm-queues.ts";
import { FakeClient, FakePort, request } from "./fake-node.ts";

/** Lets the loop go round; an answer that was waited for comes a turn after it is there. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

describe("client: order and blocking", () => {
  test("one read with many commands => one write", () => {
    const client = new FakeClient(new FakePort());
    expect(client.send(request("PING").repeat(500))).toBe("+PONG\r\n".repeat(500));
    expect(client.writes).toBe(1);
  });

  test("WAIT in a pipeline => later commands run only after it is answered", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    const sent = request("SET", "k", "1") + request("WAIT", "1", "0") + request("GET", "k");
    expect(client.send(sent)).toBe("+OK\r\n");
    // Its end would not be seen else.
    expect(client.paused).toBe(false);
    expect(client.send(request("ECHO", "late"))).toBe("");
    expect(client.paused).toBe(true);
    expect(port.node.waits).toMatchObject([
      { wanted: { replicas: 1, offset: port.node.log.tail, level: "applied", local: false } },
    ]);
    port.node.waits[0]!.done(1);
    expect(client.taken()).toBe(":1\r\n$1\r\n1\r\n$4\r\nlate\r\n");
    expect(client.paused).toBe(false);
  });

  test("WAIT answered at once => no blocking", () => {
    const port = new FakePort();
    port.node.feeder.wait = (_wanted, _untilMs, done) => {
      done(3);
      return () => undefined;
    };
    const client = new FakeClient(port);
    expect(client.send(request("WAIT", "1", "0") + request("PING"))).toBe(":3\r\n+PONG\r\n");
  });

  test("WAIT when the node becomes a replica => redis's error, and the connection is closed", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    expect(client.send(request("SET", "k", "1") + request("WAIT", "1", "0"))).toBe("+OK\r\n");
    client.send(request("GET", "k"));
    port.node.waits[0]!.done(null);
    expect(client.taken()).toBe(
      "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n",
    );
    expect(client.ended).toBe(true);
  });

  test("WAIT for a write that a resync took away => 0 at once, until the connection writes again", () => {
    const port = new FakePort();
    const { node } = port;
    const client = new FakeClient(port);
    client.call("SET", "k", "1");
    const written = node.log.tail;
    const lineage = (left: number) => [{ history: node.identity.history, left, term: 1, run: 0 }];
    const kept = { ...node.identity, history: "4".repeat(32), lineage: lineage(written) };
    const lost = { ...node.identity, history: "4".repeat(32), lineage: lineage(written - 1) };
    node.confirmed = 2;
    node.identity = lost;
    expect(client.call("WAIT", "1", "0")).toBe(":0\r\n");
    expect(client.call("WAIT", "0", "0")).toBe(":0\r\n");
    expect(client.send(request("MULTI") + request("WAIT", "1", "0") + request("EXEC"))).toBe(
      "+OK\r\n+QUEUED\r\n*1\r\n:0\r\n",
    );
    expect(node.waits).toEqual([]);
    node.identity = kept;
    expect(client.call("WAIT", "0", "0")).toBe(":2\r\n");
    expect(client.call("WAIT", "1", "0")).toBe("");
    expect(node.waits).toMatchObject([{ wanted: { offset: written } }]);
    node.waits[0]!.done(1);
    client.taken();
    node.identity = lost;
    expect(client.send(request("SET", "k", "2") + request("WAIT", "1", "0"))).toBe("+OK\r\n");
    expect(node.waits).toMatchObject([{}, { wanted: { offset: node.log.tail } }]);
  });

  test("a blocked client that goes away => its wait is cancelled, a late answer is ignored", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    client.call("WAIT", "1", "0");
    client.client.close();
    expect(port.node.waits[0]!.cancelled).toBe(true);
    port.node.waits[0]!.done(1);
    expect(client.taken()).toBe("");
  });

  test("a wait that ends inside another client's run => its reply comes in a later turn", async () => {
    const port = new FakePort();
    const [waiting, other] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    waiting.call("WAIT", "1", "0");
    port.node.role = "replica";
    port.node.promote = (_force, done) => {
      port.node.waits[0]!.done(7);
      done(null);
      return null;
    };
    expect(other.send(request("PING") + request("REPLICAOF", "NO", "ONE"))).toBe(
      "+PONG\r\n+OK\r\n",
    );
    expect(waiting.taken()).toBe("");
    await new Promise(setImmediate);
    expect(waiting.taken()).toBe(":7\r\n");
  });

  test("writers paused => reads go on, the write and all after it wait", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    port.node.paused = true;
    const sent = request("GET", "k") + request("SET", "k", "1") + request("GET", "k");
    expect(client.send(sent)).toBe("$-1\r\n");
    expect(client.paused).toBe(true);
    const reader = new FakeClient(port, 2);
    expect(reader.call("PING")).toBe("+PONG\r\n");
    port.node.resumeWriters();
    expect(client.taken()).toBe("+OK\r\n$1\r\n1\r\n");
  });

  test("the node is about to resign => a read that others confirm waits too, in EXEC as well; others do not", () => {
    const port = new FakePort();
    port.node.paused = true;
    port.node.failover.holdsReads = true;
    const client = new FakeClient(port);
    expect(client.call("GET", "k")).toBe("$-1\r\n");
    port.node.turn.confirmer = { isOn: true } as TurnConfirmer;
    expect(client.send(request("PING") + request("GET", "k") + request("PING"))).toBe("+PONG\r\n");
    const other = new FakeClient(port, 2);
    const multi = request("MULTI") + request("GET", "k") + request("EXEC");
    expect(other.send(multi)).toBe("+OK\r\n+QUEUED\r\n");
    port.node.failover.holdsReads = false;
    port.node.resumeWriters();
    expect(client.taken()).toBe("$-1\r\n+PONG\r\n");
    expect(other.taken()).toBe("*1\r\n$-1\r\n");
  });

  test("writers paused, the client goes away => it waits no more", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    port.node.paused = true;
    client.send(request("SET", "k", "1"));
    expect(port.node.writersWaiting).toBe(1);
    client.client.close();
    expect(port.node.writersWaiting).toBe(0);
  });

  test("writers paused + MULTI => queued, and EXEC with writes waits", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    port.node.paused = true;
    const sent = request("MULTI") + request("SET", "k", "1") + request("EXEC");
    expect(client.send(sent)).toBe("+OK\r\n+QUEUED\r\n");
    port.node.resumeWriters();
    expect(client.taken()).toBe("*1\r\n+OK\r\n");
  });

  test("output full in the middle of a read => the rest waits until it is gone", () => {
    const client = new FakeClient(new FakePort());
    client.isFull = true;
    expect(client.send(request("PING") + request("ECHO", "a") + request("ECHO", "b"))).toBe(
      "+PONG\r\n",
    );
    client.client.drained();
    expect(client.taken()).toBe("$1\r\na\r\n");
    client.isFull = false;
    client.client.drained();
    expect(client.taken()).toBe("$1\r\nb\r\n");
    client.client.drained();
    expect(client.paused).toBe(false);
  });

  test("REPL.DIGEST => blocked until the node has it", async () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    expect(client.send(request("REPL.DIGEST") + request("PING"))).toBe("");
    const position = { history: "ab", offset: 42, chain: 1 };
    port.node.digests[0]!({ position, records: 3, sum: "0123" });
    await turns(2);
    expect(client.taken()).toBe("*4\r\n$2\r\nab\r\n:42\r\n:3\r\n$4\r\n0123\r\n+PONG\r\n");
  });

  test("REPL.EVENTS and REPL.VERIFY => JSON; a bad argument is refused", async () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    const events = (reply: string) =>
      (JSON.parse(reply.split("\r\n")[1]!) as { event: string }[]).map((event) => event.event);
    expect(events(client.call("REPL.EVENTS"))).toEqual(["event1", "event2", "event3"]);
    expect(events(client.call("REPL.EVENTS", "2"))).toEqual(["event2", "event3"]);
    expect(client.call("REPL.EVENTS", "x")).toMatch(/^-ERR value is not an integer/);
    expect(client.send(request("REPL.VERIFY", "500") + request("PING"))).toBe("");
    await turns(2);
    expect(client.taken()).toMatch(/"offset":500.*\r\n\+PONG\r\n$/s);
    expect(client.call("REPL.VERIFY", "-1")).toMatch(/^-ERR timeout/);
  });

  test("REPL.BUCKET => JSON; what is out of range is refused before anything is walked", async () => {
    const client = new FakeClient(new FakePort());
    const seed = "00112233445566778899aabbccddeeff";
    expect(client.send(request("REPL.BUCKET", seed, "512", "5,7"))).toBe("");
    await turns(2);
    expect(client.taken()).toMatch(/"to":7,"truncated":false,"keys":\[\]/);
    for (const words of [
      ["short", "512", "7"],
      [seed, "0", "0"],
      [seed, "513", "0"],
      [seed, "512", "512"],
      [seed, "512", "-1"],
      [seed, "512", "1,,2"],
      [seed, "512", "0", "0"],
      [seed, "512", "0", "200001"],
      [seed, "512", "0", "1", "1"],
    ])
      expect(client.call("REPL.BUCKET", ...words), words.join(" ")).toMatch(/^-ERR /);
  });

  test("QUIT => what came before is answered, what comes after is not read", () => {
    const client = new FakeClient(new FakePort());
    expect(client.send("PING\r\nQUIT\r\nPING\r\n")).toBe("+PONG\r\n+OK\r\n");
    expect(client.ended).toBe(true);
    expect(client.send("PING\r\n")).toBe("");
  });

  test("a protocol error after good commands => answered, logged once, closed", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    expect(client.send("PING\r\n*x\r\nPING\r\n")).toBe(
      "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
    );
    expect(client.ended).toBe(true);
    expect(port.logged.filter((line) => line.includes("client_dropped"))).toHaveLength(1);
  });

  test("an HTTP request => closed without an answer", () => {
    const client = new FakeClient(new FakePort());
    expect(client.send("POST / HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
    expect(client.ended).toBe(true);
  });

  test.each([
    [[], "auto"],
    [["SAVE"], "save"],
    [["NOSAVE", "NOW"], "nosave"],
  ])("SHUTDOWN %s => asked of the process, no reply", (words, save) => {
    const port = new FakePort();
    const client = new FakeClient(port);
    expect(client.call("SHUTDOWN", ...words)).toBe("");
    expect([port.shutdowns, client.ended]).toEqual([[save], true]);
  });
});

describe("client: others' turn", () => {
  test("a pipeline of costly commands => others are served in between; nothing is lost or reordered", async () => {
    const port = new FakePort();
    const [greedy, other] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    for (let i = 0; i < 20_000; i += 100) {
      const pairs = Array.from({ length: 100 }, (_, j) => [`key:${i + j}`, "v"]).flat();
      greedy.call("MSET", ...pairs);
    }
    const pipeline = Array.from(
      { length: 60 },
      (_, i) => request("KEYS", "none*") + request("ECHO", `${i}`),
    );
    let got = greedy.send(pipeline.join(""));
    let turns = 0;
    while (!got.endsWith("$2\r\n59\r\n")) {
      // 60 walks over 20,000 keys take longer than one run may.
      expect(turns++).toBeLessThan(200);
      expect(other.call("PING")).toBe("+PONG\r\n");
      await new Promise(setImmediate);
      got += greedy.taken();
    }
    expect(turns).toBeGreaterThan(2);
    expect(got).toBe(
      Array.from({ length: 60 }, (_, i) => `*0\r\n$${`${i}`.length}\r\n${i}\r\n`).join(""),
    );
    expect(greedy.paused).toBe(false);
  });

  test("a pipeline of REPL.BUCKET => one a turn, however fast the answers are there", async () => {
    const client = new FakeClient(new FakePort());
    client.send(request("REPL.BUCKET", "0".repeat(32), "512", "5").repeat(20));
    let turns = 0;
    let got = "";
    while (got.split('"truncated"').length < 21) {
      expect(turns++).toBeLessThan(100);
      await new Promise(setImmediate);
      got += client.taken();
    }
    expect(turns).toBeGreaterThanOrEqual(20);
  });
});

describe("client: passwords", () => {
  test("a stranger that pipelines and does not read => hardly anything waits for it, no command runs", () => {
    const port = new FakePort("--requirepass", "secret", "--repl-open");
    const client = new FakeClient(port);
    client.takes = false;
    client.write = function (bytes) {
      client.outputBytes += bytes.length;
      return false;
    };
    for (let read = 0; read < 200; read++) {
      client.client.receive(Buffer.from(request("PING").repeat(4000), "latin1"));
      if (client.paused) break;
    }
    expect(client.paused).toBe(true);
    expect(client.outputBytes).toBeLessThan(80 * 1024);
    const { commands } = port.server.context.counters;
    expect(commands).toBeLessThan(4000);
    // It reads again: what it sent is answered on.
    client.outputBytes = 0;
    client.client.drained();
    expect(port.server.context.counters.commands).toBeGreaterThan(commands);
  });

  test("CONFIG SET requirepass that leaves the other port open => refused; with consent => set", () => {
    const open = new FakeClient(new FakePort());
    expect(open.call("CONFIG", "SET", "requirepass", "x")).toMatch(
      /^-ERR CONFIG SET failed .*the replication port has no password/,
    );
    expect(open.call("GET", "k")).toBe("$-1\r\n");
    const both = new FakeClient(new FakePort("--requirepass", "a", "--repl-password", "b"));
    expect(both.call("AUTH", "a")).toBe("+OK\r\n");
    expect(both.call("CONFIG", "SET", "requirepass", "")).toMatch(/^-ERR .*--clients-open/);
    expect(both.call("CONFIG", "SET", "requirepass", "c")).toBe("+OK\r\n");
    const meant = new FakeClient(new FakePort("--repl-open"));
    expect(meant.call("CONFIG", "SET", "requirepass", "x")).toBe("+OK\r\n");
  });

  test("without AUTH => only AUTH, HELLO, QUIT, RESET", () => {
    const client = new FakeClient(new FakePort("--requirepass", "secret", "--repl-open"));
    const refused = "-NOAUTH Authentication required.\r\n";
    for (const command of ["PING", "GET k", "INFO", "REPL.INFO", "MULTI", "CLIENT ID"]) {
      expect(client.call(...command.split(" ")), command).toBe(refused);
    }
    expect(client.call("AUTH", "wrong")).toContain("-WRONGPASS");
    expect(client.call("AUTH", "default", "secret")).toBe("+OK\r\n");
    expect(client.call("PING")).toBe("+PONG\r\n");
    expect(client.call("RESET")).toBe("+RESET\r\n");
    expect(client.call("PING")).toBe(refused);
    expect(client.call("HELLO", "3")).toContain("-NOAUTH HELLO must be called");
    expect(client.call("HELLO", "3", "AUTH", "default", "secret")).toMatch(/^%7\r\n/);
  });

  test("AUTH and a large command in one read => the large one has the authenticated limits", () => {
    const client = new FakeClient(new FakePort("--requirepass", "secret", "--repl-open"));
    const big = request("SET", "k", "v".repeat(20_000));
    expect(client.send(request("AUTH", "secret") + big)).toBe("+OK\r\n+OK\r\n");
  });

  test("a stranger's large command => protocol error, closed", () => {
    const client = new FakeClient(new FakePort("--requirepass", "secret", "--repl-open"));
    expect(client.send("*100\r\n")).toBe(
      "-ERR Protocol error: unauthenticated multibulk length\r\n",
    );
    expect(client.ended).toBe(true);
  });
});

describe("client: RESP3", () => {
  test("HELLO 3 => maps, nulls and sets from then on", () => {
    const client = new FakeClient(new FakePort());
    expect(client.call("HELLO", "3", "SETNAME", "me")).toMatch(
      /^%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n.*\$5\r\nproto\r\n:3\r\n/s,
    );
    expect(client.call("GET", "missing")).toBe("_\r\n");
    expect(client.call("CONFIG", "GET", "maxmemory")).toBe("%1\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
    expect(client.call("INFO", "keyspace")).toMatch(/^=\d+\r\ntxt:# Keyspace/);
    expect(client.call("COMMAND", "INFO", "get")).toContain("~2\r\n+readonly\r\n+fast\r\n");
    expect(client.call("CLIENT", "GETNAME")).toBe("$2\r\nme\r\n");
    expect(client.send(request("HELLO", "2") + request("GET", "missing"))).toMatch(/\$-1\r\n$/);
  });
});
