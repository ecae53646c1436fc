/** Transactions: what MULTI keeps and how much of it, WATCH and expiry, EXEC over a change of roles. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../../src/limits.ts";
import { FakeClient, FakePort, request } from "../fake-node.ts";

const READONLY = "READONLY You can't write against a read only replica.";
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

function send(client: FakeClient, ...lines: string[]): string {
  return client.send(lines.map((line) => request(...line.split(" "))).join(""));
}

/** All replies to what was sent: a long run is cut, and goes on in a later turn. */
async function settled(client: FakeClient, replies: string): Promise<string> {
  let all = replies;
  while (client.client.isBlocked) {
    await new Promise(setImmediate);
    all += client.taken();
  }
  return all;
}

describe("EXEC over a change of roles", () => {
  test.each([
    ["a write before REPLICAOF", ["SET a 1", "REPLICAOF h 1"]],
    ["a write after REPLICAOF", ["SLAVEOF h 1", "SET a 1"]],
    ["a write between others", ["GET a", "INCR a", "PING", "REPLICAOF h 1", "GET a"]],
  ])("%s => refused as a whole: no write, no other role", (_name, lines) => {
    const port = new FakePort();
    const client = new FakeClient(port);
    const queued = "+QUEUED\r\n".repeat(lines.length);
    expect(send(client, "MULTI", ...lines, "EXEC")).toBe(
      `+OK\r\n${queued}-EXECABORT Transaction discarded because of: ${READONLY}\r\n`,
    );
    expect([port.node.followed, port.node.records()]).toEqual([[], []]);
    expect(send(client, "GET a", "MULTI", "EXEC")).toBe("$-1\r\n+OK\r\n*0\r\n");
  });

  test("REPLICAOF without writes, NO ONE with them => run", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    expect(send(client, "MULTI", "GET a", "REPLICAOF h 1", "EXEC")).toBe(
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$-1\r\n+OK\r\n",
    );
    expect(port.node.followed).toEqual(["h:1"]);
    port.node.promote = (_force, done) => {
      done(null);
      return null;
    };
    expect(send(client, "MULTI", "SET a 1", "REPLICAOF NO ONE", "EXEC")).toBe(
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n",
    );
  });

  test("writes queued on a primary, EXEC on what is a replica now => refused as a whole", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    send(client, "MULTI", "SET a 1");
    port.node.role = "replica";
    port.node.refusal = "readonly";
    expect(send(client, "EXEC")).toBe(
      `-EXECABORT Transaction discarded because of: ${READONLY}\r\n`,
    );
    expect(port.node.records()).toEqual([]);
  });
});

describe("EXEC with REPLICAOF NO ONE", () => {
  const LINES = ["MULTI", "SLAVEOF NO ONE", "STRLEN b", "ECHO a", "EXEC"];
  const QUEUED = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n";

  function replica(): { port: FakePort; client: FakeClient } {
    const port = new FakePort();
    port.node.role = "replica";
    return { port, client: new FakeClient(port) };
  }

  test("it leads later => EXEC is answered then, and what is in it runs then", () => {
    const { port, client } = replica();
    expect(send(client, ...LINES)).toBe(QUEUED);
    expect([port.node.promoted.length, client.client.isBlocked]).toEqual([1, true]);
    send(client, "PING");
    expect(client.taken()).toBe("");
    port.node.promoted[0]!(null);
    expect(client.taken()).toBe("*3\r\n+OK\r\n:0\r\n$1\r\na\r\n+PONG\r\n");
    expect(port.node.promoted).toHaveLength(1);
    expect(send(client, "EXEC")).toBe("-ERR EXEC without MULTI\r\n");
  });

  test("too few promise => the error is in its place, and the rest runs", () => {
    const { port, client } = replica();
    send(client, ...LINES);
    port.node.promoted[0]!("1 more has to promise");
    expect(client.taken()).toBe("*3\r\n-ERR 1 more has to promise\r\n:0\r\n$1\r\na\r\n");
  });

  test("refused at once => the same; two of them => one promotion, one answer for both", () => {
    const { port, client } = replica();
    port.node.roleRefusal = "no";
    expect(send(client, "MULTI", "REPLICAOF NO ONE", "EXEC")).toBe(
      "+OK\r\n+QUEUED\r\n*1\r\n-ERR no\r\n",
    );
    port.node.roleRefusal = null;
    send(client, "MULTI", "REPLICAOF NO ONE", "REPLICAOF NO ONE FORCE", "EXEC");
    expect(port.node.promoted).toHaveLength(1);
    port.node.promoted[0]!(null);
    expect(client.taken()).toBe("*2\r\n+OK\r\n+OK\r\n");
  });

  test("in synchronous mode => its answer shows nothing that others would have to confirm, unless it reads", () => {
    const { port, client } = replica();
    port.node.turn.confirmer = {
      isOn: true,
      timeoutMs: 5_000,
      needsDurable: false,
      look: () => undefined,
      confirmedTo: () => -1,
      heardUs: () => -1,
      ask: () => undefined,
      askToSync: () => undefined,
    };
    send(client, "MULTI", "REPLICAOF NO ONE", "ECHO a", "EXEC");
    port.node.promoted[0]!(null);
    expect(client.dataReplies).toBe(0);
    send(client, "MULTI", "REPLICAOF NO ONE", "STRLEN a", "EXEC");
    port.node.promoted[1]!(null);
    expect(client.dataReplies).toBe(1);
  });

  test("FORCE is told; what is no promotion is not", () => {
    const { port, client } = replica();
    const forces: boolean[] = [];
    port.node.promote = (force, done) => {
      forces.push(force);
      done(null);
      return null;
    };
    send(client, "MULTI", "REPLICAOF NO ONE FORCE", "EXEC");
    expect(send(client, "MULTI", "REPLICAOF NO TWO", "EXEC")).toContain("-ERR Invalid master port");
    expect(forces).toEqual([true]);
  });

  test("the client goes away meanwhile => nothing in it runs", () => {
    const { port, client } = replica();
    const other = new FakeClient(port, 2);
    send(client, "MULTI", "SLAVEOF NO ONE", "CONFIG SET maxmemory 5mb", "EXEC");
    client.client.close();
    port.node.promoted[0]!(null);
    expect(send(other, "CONFIG GET maxmemory")).toContain("\r\n0\r\n");
  });

  test("a watched key has changed => no promotion", () => {
    const port = new FakePort();
    const [client, other] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    send(client, "WATCH a");
    send(other, "SET a 1");
    expect(send(client, "MULTI", "REPLICAOF NO ONE", "EXEC")).toBe("+OK\r\n+QUEUED\r\n*-1\r\n");
    expect(port.node.promoted).toEqual([]);
  });

  test("beside a REPLICAOF of a node, in synchronous mode => that one alone; FORCE asks nobody", () => {
    const { port, client } = replica();
    port.node.sync = {
      copies: 1,
      level: "applied",
      leads: false,
      confirmed: -1,
      goodMembers: 0,
      members: [],
      heldReplies: 0,
      change: null,
    };
    const lines = ["MULTI", "REPLICAOF h 1", "REPLICAOF NO ONE", "EXEC"];
    expect(send(client, ...lines)).toMatch(/\*2\r\n\+OK\r\n-ERR in synchronous mode/);
    expect([port.node.followed, port.node.promoted]).toEqual([["h:1"], []]);
    expect(send(client, "MULTI", "REPLICAOF h 1", "REPLICAOF NO ONE FORCE", "EXEC")).toContain(
      "*2\r\n+OK\r\n+OK\r\n",
    );
  });
});

describe("MULTI's queue", () => {
  test("commands of many lengths => each runs with its own arguments", async () => {
    const client = new FakeClient(new FakePort());
    let sent = request("MULTI");
    let expected = "+OK\r\n";
    let replies = "";
    for (let i = 0; i < 400; i++) {
      const word = String.fromCharCode(97 + (i % 26)).repeat((i * 37) % 5000);
      sent += i % 3 === 0 ? request("MGET", "x", word, "z") : request("ECHO", word);
      replies += i % 3 === 0 ? "*3\r\n$-1\r\n$-1\r\n$-1\r\n" : `$${word.length}\r\n${word}\r\n`;
      expected += "+QUEUED\r\n";
    }
    expect(await settled(client, client.send(sent + request("EXEC")))).toBe(
      `${expected}*400\r\n${replies}`,
    );
  });

  test("what it keeps is counted until EXEC, DISCARD, or the client's end", () => {
    const port = new FakePort();
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    for (const end of ["EXEC", "DISCARD", "RESET"]) {
      send(client, "MULTI", `SET k ${"v".repeat(10_000)}`, "GET k");
      expect(keys.queuedBytes).toBeGreaterThan(10_000);
      expect(keys.queuedBytes).toBeLessThan(10_200);
      send(client, end);
      expect(keys.clientBytes).toBe(0);
    }
    send(client, "WATCH a b", "MULTI", "SET k v");
    expect(keys.clientBytes).toBeGreaterThan(500);
    client.client.close();
    expect(keys.clientBytes).toBe(0);
  });

  test("broken => nothing is kept, of what came before and of what comes", () => {
    const port = new FakePort();
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    send(client, "MULTI", `SET k ${"v".repeat(10_000)}`, "NOSUCH");
    expect(keys.queuedBytes).toBe(0);
    expect(send(client, `SET k ${"v".repeat(10_000)}`, "GET k")).toBe("+QUEUED\r\n+QUEUED\r\n");
    expect(keys.queuedBytes).toBe(0);
    expect(send(client, "EXEC")).toBe(
      "-EXECABORT Transaction discarded because of previous errors.\r\n",
    );
  });

  test("a watched key was changed => nothing more is kept, EXEC answers nil", () => {
    const port = new FakePort();
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    send(client, "WATCH k", "MULTI");
    send(new FakeClient(port, 2), "SET k 1");
    expect(send(client, `SET k ${"v".repeat(10_000)}`)).toBe("+QUEUED\r\n");
    expect(keys.queuedBytes).toBe(0);
    expect(send(client, "EXEC", "GET k")).toBe("*-1\r\n$1\r\n1\r\n");
  });

  test("beyond maxmemory => OOM for whatever is to be queued, EXEC and DISCARD are answered", () => {
    const port = new FakePort("--maxmemory", "20mb");
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    const set = request("SET", "k", "v".repeat(1_000_000));
    send(client, "MULTI");
    let queued = 0;
    while (queued < 100 && client.send(set) === "+QUEUED\r\n") queued += 1;
    expect(queued).toBeGreaterThan(3);
    expect(queued).toBeLessThan(22);
    expect(keys.queuedBytes).toBe(0);
    expect(send(client, "EXEC")).toMatch(/^-EXECABORT .* previous errors/);

    // Also for commands that need no memory to run, and for other clients' writes.
    send(client, "MULTI");
    while (keys.queuedBytes < 20 * 1024 * 1024 - 2_000_000) client.send(set);
    keys.inputBytes = 3_000_000;
    const other = new FakeClient(port, 2);
    expect(send(other, "SET a 1")).toBe(OOM);
    expect(send(other, "GET a")).toBe("$-1\r\n");
    expect(send(other, "MULTI", "GET a", "PING", "DISCARD")).toBe(`+OK\r\n${OOM}${OOM}+OK\r\n`);
    expect(send(client, "DISCARD")).toBe("+OK\r\n");
    expect(send(other, "SET a 1")).toBe("+OK\r\n");
  });

  test("without maxmemory => all clients together have a limit, for MULTI and for WATCH", () => {
    const port = new FakePort();
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    keys.inputBytes = LIMITS.clientsBytesMax - 1_000;
    expect(send(client, `WATCH ${"w".repeat(1_000)}`)).toBe(OOM);
    expect(send(client, "MULTI", "PING", `SET k ${"v".repeat(1_000)}`)).toBe(
      `+OK\r\n+QUEUED\r\n${OOM}`,
    );
    expect(keys.queuedBytes).toBe(0);
  });

  test("a request that is still arriving counts, once it is more than a read", () => {
    const port = new FakePort();
    const { keys } = port.server.context;
    const client = new FakeClient(port);
    const whole = request("SET", "k", "v".repeat(300_000));
    client.send(whole.slice(0, 10_000));
    expect(keys.inputBytes).toBe(0);
    client.send(whole.slice(10_000, 200_000));
    expect(keys.inputBytes).toBe(200_000);
    expect(client.send(whole.slice(200_000))).toBe("+OK\r\n");
    expect(keys.inputBytes).toBe(0);
    client.send(whole.slice(0, 200_000));
    client.client.close();
    expect(keys.inputBytes).toBe(0);
  });
});

describe("WATCH and expiry, as redis", () => {
  const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  test.each([
    ["met by a command", ["DEL x"], "*1\r\n+PONG\r\n"],
    ["met by a reading command", ["GET x"], "*1\r\n+PONG\r\n"],
    ["met by FLUSHALL", ["FLUSHALL"], "*1\r\n+PONG\r\n"],
    ["left alone", [], "*1\r\n+PONG\r\n"],
    ["set again", ["SET x w"], "*-1\r\n"],
    ["set again and deleted", ["SET x w", "DEL x"], "*-1\r\n"],
    ["deleted, then set again", ["DEL x", "SET x v"], "*-1\r\n"],
    ["renamed over", ["SET y 1", "RENAME y x"], "*-1\r\n"],
  ])("expired before WATCH, then %s", async (_name, lines, verdict) => {
    const client = new FakeClient(new FakePort());
    send(client, "SET x v PX 1");
    await soon(5);
    const replies = await settled(
      client,
      send(client, "WATCH x", ...lines, "MULTI", "PING", "EXEC"),
    );
    expect(replies.endsWith(`+OK\r\n+QUEUED\r\n${verdict}`)).toBe(true);
  });

  test.each([
    ["met by a command", ["DEL x"]],
    ["left alone", []],
    ["met by FLUSHALL", ["FLUSHALL"]],
    ["deleted, then set again alike", ["DEL x", "SET x v"]],
  ])("there at WATCH, expired after it, then %s => changed", async (_name, lines) => {
    const client = new FakeClient(new FakePort());
    send(client, "SET x v PX 30", "WATCH x");
    await soon(40);
    const replies = await settled(client, send(client, ...lines, "MULTI", "PING", "EXEC"));
    expect(replies.endsWith("+OK\r\n+QUEUED\r\n*-1\r\n")).toBe(true);
  });

  test("two clients, one saw it there and one expired => only the first is told", async () => {
    const port = new FakePort();
    const [early, late] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    send(early, "SET x v PX 20", "WATCH x");
    await soon(30);
    send(late, "WATCH x");
    send(new FakeClient(port, 3), "GET x");
    expect(send(early, "MULTI", "EXEC")).toBe("+OK\r\n*-1\r\n");
    expect(send(late, "MULTI", "EXEC")).toBe("+OK\r\n*0\r\n");
  });
});
