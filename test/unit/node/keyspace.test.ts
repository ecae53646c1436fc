import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Housekeeping } from "../../../src/node/housekeeping.ts";
import { OP } from "../../../src/store/record.ts";
import { Store } from "../../../src/store/store.ts";
import { FakeClient, FakePort, request } from "../resp/fake-node.ts";

function contents(store: Store): Map<string, string> {
  const keys: string[] = [];
  let cursor = 0;
  do {
    cursor = store.scan(cursor, 100, (bytes, from, to) =>
      keys.push(bytes.toString("latin1", from, to)),
    );
  } while (cursor !== 0);
  return new Map(
    keys.sort().map((key) => {
      const bytes = Buffer.from(key, "latin1");
      store.find(bytes, 0, bytes.length);
      const value = store.hitBytes.toString("latin1", store.hitFrom, store.hitTo);
      return [key, `${value} ${store.hitExpireAt}`];
    }),
  );
}

describe("what is logged", () => {
  const LOGGED: readonly (readonly [string, readonly number[]])[] = [
    ["SET k v", [OP.set]],
    ["SET k v EX 100", [OP.set]],
    ["MSET a 1", [OP.set]],
    ["MSET a 1 b 2", [OP.group]],
    ["SET gone v", [OP.set]],
    ["DEL gone missing", [OP.del]],
    ["DEL a b k", [OP.group]],
    ["DEL missing other", []],
    ["APPEND s abc", [OP.set]],
    ["APPEND s def", [OP.patch]],
    ["SETRANGE s 2 XX", [OP.patch]],
    ["SETRANGE z 4 X", [OP.patch]],
    ["INCR n", [OP.set]],
    ["EXPIRE n 100", [OP.expire]],
    ["PERSIST n", [OP.expire]],
    ["PERSIST n", []],
    ["RENAME n m", [OP.rename]],
    ["COPY m n", [OP.copy]],
    ["GETEX n EX 10", [OP.expire]],
    ["GETEX n", []],
    ["EXPIRE n -1", [OP.del]],
    ["GETDEL m", [OP.del]],
    ["SET s v NX", []],
    ["FLUSHALL", [OP.flush]],
  ];

  test("each write => its smallest record, and nothing when nothing changes", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    for (const [command, ops] of LOGGED) {
      client.call(...command.split(" "));
      expect(port.node.takeOps(), command).toEqual(ops);
    }
  });

  test("relative times => absolute ones in the record", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    const before = Date.now();
    client.call("SET", "k", "v", "EX", "100");
    const [record] = port.node.records();
    const at = record!.readUInt32LE(6) + record!.readUInt32LE(10) * 2 ** 32;
    expect(at).toBeGreaterThanOrEqual(before + 100_000);
    expect(at).toBeLessThanOrEqual(Date.now() + 100_000);
  });

  test("EXEC => all writes in one GROUP; one write alone is no group; reads log nothing", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    // Why a read for each: of one pipeline the rest comes in a later turn, when a costly command of it ended late.
    const exec = (...commands: string[]) => {
      for (const command of ["MULTI", ...commands, "EXEC"]) client.send(`${command}\r\n`);
      return port.node.takeOps();
    };
    expect(exec("SET a 1", "INCR a", "MSET b 1 c 2", "DEL b c")).toEqual([OP.group]);
    expect(exec("SET a 1")).toEqual([OP.set]);
    expect(exec("GET a")).toEqual([]);
    expect(exec("FLUSHALL", "SET x 1")).toEqual([OP.group]);
  });

  test("random commands and transactions => a second store fed with the log is equal", () => {
    const key = fc.constantFrom("a", "b", "c", "d", "");
    const value = fc
      .oneof(fc.string({ maxLength: 80 }), fc.integer().map(String))
      .map((s) => Buffer.from(s).toString("latin1"));
    const command = fc.oneof(
      fc.tuple(key, value).map(([k, v]) => ["SET", k, v]),
      fc.tuple(key, value).map(([k, v]) => ["SET", k, v, "EX", "100"]),
      fc.tuple(key, value).map(([k, v]) => ["APPEND", k, v]),
      fc.tuple(key, fc.nat(50), value).map(([k, n, v]) => ["SETRANGE", k, String(n), v]),
      fc.tuple(fc.constantFrom("INCR", "GETDEL", "PERSIST"), key).map(([c, k]) => [c, k]),
      fc.tuple(fc.constantFrom("RENAME", "COPY"), key, key).map(([c, a, b]) => [c, a, b]),
      fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => ["DEL", ...keys]),
      fc
        .array(fc.tuple(key, value), { minLength: 1, maxLength: 3 })
        .map((p) => ["MSET", ...p.flat()]),
      fc.tuple(key, fc.constantFrom("100", "-1")).map(([k, t]) => ["EXPIRE", k, t]),
      fc.constantFrom(["MULTI"], ["EXEC"], ["FLUSHALL"], ["DISCARD"]),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const port = new FakePort();
        const client = new FakeClient(port);
        for (const words of commands) client.call(...words);
        const copy = new Store();
        for (const record of port.node.records()) copy.apply(record, 0, record.length);
        expect(contents(copy)).toEqual(contents(port.node.store));
      }),
      { numRuns: 200 },
    );
  });
});

describe("expiry", () => {
  function expiredPort() {
    vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
    const port = new FakePort();
    const client = new FakeClient(port);
    client.call("SET", "k", "v", "PX", "100");
    client.call("SET", "stays", "v");
    port.node.takeOps();
    return { port, client };
  }

  test("primary + read of an expired key => gone, and a DEL in the log", () => {
    const { port, client } = expiredPort();
    vi.setSystemTime(1_000_100);
    expect(client.call("GET", "k")).toBe("$1\r\nv\r\n");
    expect(client.call("PTTL", "k")).toBe(":0\r\n");
    vi.setSystemTime(1_000_101);
    expect(client.call("GET", "k")).toBe("$-1\r\n");
    expect(port.node.takeOps()).toEqual([OP.del]);
    expect(client.call("DBSIZE")).toBe(":1\r\n");
    vi.useRealTimers();
  });

  test("replica + read of an expired key => hidden, nothing logged, nothing deleted", () => {
    const { port, client } = expiredPort();
    port.node.role = "replica";
    port.node.refusal = "readonly";
    vi.setSystemTime(1_000_101);
    for (const [command, reply] of [
      ["GET k", "$-1\r\n"],
      ["EXISTS k", ":0\r\n"],
      ["TTL k", ":-2\r\n"],
      ["TYPE k", "+none\r\n"],
      ["MGET k stays", "*2\r\n$-1\r\n$1\r\nv\r\n"],
      ["KEYS *", "*1\r\n$5\r\nstays\r\n"],
      ["SCAN 0 COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nstays\r\n"],
      ["RANDOMKEY", "$5\r\nstays\r\n"],
    ] as const) {
      expect(client.call(...command.split(" ")), command).toBe(reply);
    }
    expect(port.node.takeOps()).toEqual([]);
    expect(port.node.store.size).toBe(2);
    vi.useRealTimers();
  });

  test("housekeeping: primary => expired keys are deleted through the log; replica => never", () => {
    const { port, client } = expiredPort();
    for (let i = 0; i < 300; i++) client.call("SET", `e${i}`, "v", "PX", "50");
    port.node.takeOps();
    vi.setSystemTime(1_001_000);
    const housekeeping = new Housekeeping(port.server.context);
    for (const refusal of ["readonly", "fenced", "paused"] as const) {
      port.node.refusal = refusal;
      housekeeping.tick();
      expect([port.node.store.size, port.node.takeOps()]).toEqual([302, []]);
    }
    port.node.refusal = null;
    for (let i = 0; i < 50; i++) housekeeping.tick();
    expect(port.node.store.size).toBe(1);
    expect(port.node.takeOps().every((op) => op === OP.del)).toBe(true);
    expect(port.server.context.keys.counters.expired).toBe(301);
    vi.useRealTimers();
  });

  test("WATCH + the key expires before EXEC => aborted", () => {
    const { client } = expiredPort();
    client.call("WATCH", "k");
    vi.setSystemTime(1_000_200);
    expect(client.send("MULTI\r\nPING\r\nEXEC\r\n")).toBe("+OK\r\n+QUEUED\r\n*-1\r\n");
    vi.useRealTimers();
  });
});

describe("refused writes", () => {
  test("replica => READONLY for every write, in MULTI too; reads and EXEC of reads go on", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    port.node.refusal = "readonly";
    const refused = "-READONLY You can't write against a read only replica.\r\n";
    for (const command of ["SET k v", "DEL k", "INCR k", "FLUSHALL", "EXPIRE k 1", "GETDEL k"]) {
      expect(client.call(...command.split(" ")), command).toBe(refused);
    }
    expect(client.send("MULTI\r\nSET k v\r\nEXEC\r\n")).toBe(
      `+OK\r\n${refused}-EXECABORT Transaction discarded because of previous errors.\r\n`,
    );
    expect(client.send("MULTI\r\nGET k\r\nEXEC\r\n")).toBe("+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    expect(client.send("MULTI\r\n")).toBe("+OK\r\n");
  });

  test("a primary that became a replica between MULTI and EXEC => EXECABORT", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    client.send("MULTI\r\nSET k v\r\n");
    port.node.refusal = "readonly";
    expect(client.send("EXEC\r\nPING\r\n")).toBe(
      "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.\r\n+PONG\r\n",
    );
  });

  test("loading => what needs a state answers LOADING, PING too, as redis; INFO does not", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    port.node.loading = true;
    expect(client.call("GET", "k")).toMatch(/^-LOADING /);
    expect(client.call("SET", "k", "v")).toMatch(/^-LOADING /);
    for (const command of [["PING"], ["WAIT", "0", "0"], ["DBSIZE"], ["EXISTS", "k"]])
      expect(client.call(...command)).toMatch(/^-LOADING /);
    expect(client.call("INFO", "persistence")).toMatch(/loading:1\r\n.*loading_eta_seconds:1/s);
    for (const command of ["ECHO x", "SELECT 0", "MULTI", "DISCARD", "ROLE", "REPL.INFO", "TIME"])
      expect(client.send(`${command}\r\n`)).not.toMatch(/^-/);
    port.node.loading = false;
    expect(client.send("MULTI\r\nPING\r\n")).toBe("+OK\r\n+QUEUED\r\n");
    port.node.loading = true;
    expect(client.send("EXEC\r\n")).toMatch(/^-EXECABORT .*LOADING /);
  });

  test("maxmemory reached => growing writes answer OOM, reads and deletes go on", () => {
    const port = new FakePort("--maxmemory", "4mb");
    const client = new FakeClient(port);
    const value = "v".repeat(10_000);
    let reply = "";
    for (let i = 0; i < 2000 && !reply.startsWith("-"); i++)
      reply = client.call("SET", `k${i}`, value);
    expect(reply).toBe("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    expect(client.call("GET", "k0")).toContain(value);
    expect(client.call("MSET", "a", "1")).toMatch(/^-OOM/);
    expect(client.call("DEL", "k0")).toBe(":1\r\n");
    expect(client.call("CONFIG", "SET", "maxmemory", "0")).toBe("+OK\r\n");
    expect(client.call("SET", "k0", value)).toBe("+OK\r\n");
  });
});

describe("WATCH", () => {
  const exec = "MULTI\r\nPING\r\nEXEC\r\n";
  const ran = "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n";
  const aborted = "+OK\r\n+QUEUED\r\n*-1\r\n";

  test.each([
    ["SET w 2", aborted],
    ["SET w 1", aborted],
    ["SET other 1", ran],
    ["EXPIRE w 100", aborted],
    ["RENAME w x", aborted],
    ["RENAME other w", aborted],
    ["COPY w y", ran],
    ["FLUSHALL", aborted],
    ["GET w", ran],
    ["DEL w", aborted],
    ["MSET a 1 w 2", aborted],
  ])("w is watched and another client sends %s", (command, expected) => {
    const port = new FakePort();
    const [client, other] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    client.send("MSET w 1 other 2\r\n");
    client.call("WATCH", "w");
    other.call(...command.split(" "));
    expect(client.send(exec)).toBe(expected);
    expect(client.send(exec)).toBe(ran);
  });

  test("a change that came by the log of a replica => aborted", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    client.call("SET", "w", "1");
    client.call("WATCH", "w");
    const [record] = port.node.records();
    record![record!.length - 1] = 0x39;
    port.node.store.apply(record!, 0, record!.length);
    expect(client.send(exec)).toBe(aborted);
  });

  test("a swap => aborted for keys that were there, not for absent ones", () => {
    const port = new FakePort();
    const [one, two] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    one.call("SET", "w", "1");
    one.call("WATCH", "w");
    two.call("WATCH", "absent");
    port.node.stateGeneration++;
    expect(one.send(exec)).toBe(aborted);
    expect(two.send(exec)).toBe(ran);
  });

  test("UNWATCH, DISCARD, EXEC and a closed connection => nothing is watched any more", () => {
    const port = new FakePort();
    const { watches } = port.server.context.keys;
    for (const end of [request("UNWATCH"), "MULTI\r\nDISCARD\r\n", exec, request("RESET")]) {
      const client = new FakeClient(port);
      client.call("WATCH", "a", "b");
      expect(watches.size).toBe(2);
      client.send(end);
      expect(watches.size).toBe(0);
    }
    const client = new FakeClient(port);
    client.call("WATCH", "a");
    client.client.close();
    expect(watches.size).toBe(0);
  });
});
