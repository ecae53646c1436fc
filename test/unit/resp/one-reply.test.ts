/**
 * Exactly one reply to a command, whatever becomes of it: done, refused, without memory, or a fault of ours.
 */
import { describe, expect, test } from "vitest";
import { LogError, StoreError } from "../../../src/errors.ts";
import { allCommands } from "../../../src/resp/commands/table.ts";
import { FakeClient, FakePort, request } from "./fake-node.ts";

const SEED = "0".repeat(32);
/** A call of each command that gets as far as its effect; "old" is a key that is there. */
const CALLS: Readonly<Record<string, readonly string[][]>> = {
  get: [["old"]],
  set: [
    ["old", "new"],
    ["old", "new", "GET"],
    ["old", "new", "XX", "GET", "EX", "100"],
    ["none", "new", "NX", "GET"],
    ["old", "new", "NX"],
  ],
  setnx: [["none", "1"]],
  setex: [["old", "100", "new"]],
  psetex: [["old", "100", "new"]],
  getset: [
    ["old", "new"],
    ["none", "new"],
  ],
  getdel: [["old"]],
  getex: [
    ["old", "EX", "100"],
    ["old", "PXAT", "1"],
    ["brief", "PERSIST"],
  ],
  mget: [["old", "none", "brief"]],
  mset: [["old", "1", "none", "2"]],
  msetnx: [["none", "1", "none2", "2"]],
  incr: [["number"]],
  decr: [["number"]],
  incrby: [["number", "9007199254740993"]],
  decrby: [["number", "5"]],
  incrbyfloat: [["number", "0.5"]],
  append: [
    ["old", "more"],
    ["none", "more"],
  ],
  strlen: [["old"]],
  getrange: [["old", "0", "-1"]],
  substr: [["old", "0", "-1"]],
  setrange: [["old", "5", "more"]],
  del: [["old", "brief", "none"]],
  unlink: [["old"]],
  exists: [["old", "none"]],
  touch: [["old"]],
  type: [["old"]],
  rename: [["old", "none"]],
  renamenx: [["old", "none"]],
  copy: [["old", "none"]],
  dbsize: [[]],
  flushdb: [[]],
  flushall: [[]],
  expire: [["old", "100"]],
  pexpire: [["old", "-1"]],
  expireat: [["old", "4000000000"]],
  pexpireat: [["old", "1"]],
  ttl: [["brief"]],
  pttl: [["brief"]],
  expiretime: [["brief"]],
  pexpiretime: [["brief"]],
  persist: [["brief"]],
  scan: [["0"]],
  keys: [["*"]],
  randomkey: [[]],
  multi: [[]],
  exec: [[]],
  discard: [[]],
  watch: [["old"]],
  unwatch: [[]],
  ping: [[], ["old"]],
  echo: [["old"]],
  auth: [["x"]],
  hello: [[], ["3"]],
  select: [["0"]],
  reset: [[]],
  quit: [[]],
  client: [["ID"], ["LIST"], ["INFO"]],
  command: [[], ["COUNT"], ["DOCS", "get"], ["INFO", "get", "none"]],
  config: [
    ["GET", "*"],
    ["SET", "maxclients", "100"],
  ],
  info: [[]],
  time: [[]],
  role: [[]],
  replicaof: [["127.0.0.1", "1"]],
  slaveof: [["127.0.0.1", "1"]],
  failover: [[], ["TO", "h", "1", "TIMEOUT", "5"], ["TO", "h"]],
  sync: [[]],
  psync: [["?", "-1"]],
  wait: [["0", "0"]],
  waitaof: [["0", "0", "0"]],
  "repl.waitall": [["0", "applied", "0"]],
  "repl.token": [[]],
  "repl.wait": [[`${"0".repeat(32)}-0-0-0`, "1"]],
  "repl.info": [[]],
  "repl.digest": [[]],
  "repl.status": [[]],
  "repl.events": [[]],
  "repl.members": [[], ["ADD", SEED], ["REMOVE", SEED], ["FORCE"], ["x"]],
  "repl.verify": [[]],
  "repl.checkpoint": [[]],
  save: [[]],
  bgsave: [[], ["SCHEDULE"]],
  lastsave: [[]],
  "repl.bucket": [[SEED, "512", "5"]],
};
/** They end the connection or the process without a reply. */
const SILENT = new Set(["post", "host:", "shutdown"]);

/** What goes wrong when a command takes effect. */
const TROUBLES: Readonly<Record<string, (port: FakePort) => void>> = {
  none: () => undefined,
  "a record too large": (port) => {
    port.node.log.reserve = () => {
      throw new LogError("ERR_LOG_RECORD_SIZE", "planted");
    };
  },
  "no memory for the log": (port) => {
    port.node.log.reserve = () => {
      throw new LogError("ERR_LOG_FULL", "planted");
    };
  },
  "no memory for the state": (port) => {
    port.node.store.apply = () => {
      throw new StoreError("ERR_STORE_FULL", "planted");
    };
  },
  "a fault of ours before the effect": (port) => {
    port.node.log.reserve = () => {
      throw new TypeError("planted");
    };
  },
  readonly: (port) => {
    port.node.refusal = "readonly";
  },
  "over --maxmemory": (port) => {
    port.node.settings.maxmemory = 1;
  },
};

/** Replies in `text`: how many top-level ones, and that nothing is left over. */
function countReplies(text: string): number {
  let at = 0;
  const line = (): string => {
    const end = text.indexOf("\r\n", at);
    expect(end, `a line at ${at} of ${JSON.stringify(text)}`).toBeGreaterThanOrEqual(0);
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  const skip = (): void => {
    const head = line();
    const count = Number(head.slice(1));
    if ("$=".includes(head[0]!) && count >= 0) {
      expect(text.slice(at + count, at + count + 2)).toBe("\r\n");
      at += count + 2;
    } else if ("*~".includes(head[0]!)) for (let i = 0; i < count; i++) skip();
    else if (head.startsWith("%")) for (let i = 0; i < 2 * count; i++) skip();
    else expect(head).toMatch(/^(?:[+\-:_]|\$-1$)/);
  };
  let count = 0;
  for (; at < text.length; count++) skip();
  return count;
}

function prepared(trouble: string, value = "v"): { port: FakePort; client: FakeClient } {
  const port = new FakePort();
  port.node.inspection.digest = () =>
    Promise.resolve({
      position: { history: "3".repeat(32), offset: 1, chain: 0 },
      records: 1,
      sum: "0",
    });
  const client = new FakeClient(port);
  client.call("MSET", "old", value, "number", "5");
  client.call("SET", "brief", value, "EX", "1000");
  TROUBLES[trouble]!(port);
  return { port, client };
}

async function answered(client: FakeClient): Promise<string> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return client.taken();
}

describe("one reply", () => {
  test("the calls here are of all commands", () => {
    const names = allCommands().map(({ name }) => name);
    expect([...Object.keys(CALLS), ...SILENT].sort()).toEqual([...names].sort());
  });

  const all = Object.entries(CALLS).flatMap(([name, calls]) =>
    calls.map((words) => [name, ...words]),
  );

  test.each(Object.keys(TROUBLES))("to every command; trouble: %s", async (trouble) => {
    for (const words of all) {
      const { client } = prepared(trouble);
      client.output = "";
      client.client.receive(Buffer.from(request(...words), "latin1"));
      const text = await answered(client);
      expect(countReplies(text), `${words.join(" ")} => ${JSON.stringify(text)}`).toBe(1);
    }
  });

  test.each(Object.keys(TROUBLES))("to every command in EXEC; trouble: %s", async (trouble) => {
    for (const words of all) {
      if (["multi", "exec", "discard", "watch", "quit", "reset"].includes(words[0]!)) continue;
      const { client } = prepared(trouble);
      client.output = "";
      const sent = request("MULTI") + request(...words) + request("PING") + request("EXEC");
      client.client.receive(Buffer.from(sent, "latin1"));
      const text = await answered(client);
      expect(countReplies(text), `${words.join(" ")} => ${JSON.stringify(text)}`).toBe(4);
    }
  });

  test.each([
    ["GETSET", "old", "new"],
    ["SET", "old", "new", "GET"],
    ["GETDEL", "old"],
    ["GETEX", "old", "EX", "10"],
  ])(
    "%s of a value of any size that fails => one error, in EXEC too; the value stays",
    (...words) => {
      for (const value of ["v", "v".repeat(300_000), "v".repeat(3_000_000)]) {
        const { client } = prepared("no memory for the state", value);
        const error = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        expect(client.send(request("PING") + request(...words) + request("PING"))).toBe(
          `+PONG\r\n${error}+PONG\r\n`,
        );
        const sent =
          request("MULTI") + request(...words) + request("STRLEN", "old") + request("EXEC");
        expect(client.send(sent)).toBe(
          `+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n${error}:${value.length}\r\n`,
        );
      }
    },
  );
});

describe("a fault of ours inside a command", () => {
  test("log and state untouched => an error, this connection closed, a log line with a stack; others go on", () => {
    const { port, client } = prepared("a fault of ours before the effect");
    const text = client.send(request("PING") + request("GETSET", "old", "new") + request("PING"));
    expect(text).toMatch(/^\+PONG\r\n-ERR internal error, the connection is closed[^\r]*\r\n$/);
    expect(client.ended).toBe(true);
    const failed = port.logged.filter((line) => line.includes('"command_failed"'));
    expect(failed).toHaveLength(1);
    expect(JSON.parse(failed[0]!)).toMatchObject({ command: "getset", message: "planted" });
    expect(failed[0]).toContain("one-reply.test.ts");
    const other = new FakeClient(port, 2);
    expect(other.call("GET", "old")).toBe("$1\r\nv\r\n");
  });

  test("half a reply is out already => the connection is dropped without another byte", () => {
    const port = new FakePort();
    const client = new FakeClient(port);
    client.call("SET", "large", "v".repeat(300_000));
    const { keys } = port.server.context;
    const read = keys.read.bind(keys);
    keys.read = (bytes, from, to) => {
      if (bytes.toString("latin1", from, to) === "bad") throw new Error("planted");
      return read(bytes, from, to);
    };
    const text = client.send(request("MGET", "large", "bad") + request("PING"));
    expect(text.startsWith("*2\r\n$300000\r\n")).toBe(true);
    expect(text).not.toContain("-ERR");
    expect(text).not.toContain("PONG");
    expect(client.destroyed).toBe(true);
  });

  test("the state was touched => not swallowed: the process must end", () => {
    const { port, client } = prepared("none");
    const { store } = port.node;
    const apply = store.apply.bind(store);
    store.apply = (bytes, from, to) => {
      apply(bytes, from, to);
      throw new TypeError("planted");
    };
    expect(() => client.call("SET", "old", "new")).toThrow("planted");
    expect(() => {
      const other = prepared("none");
      const inner = other.port.node.store;
      inner.apply = () => {
        throw new TypeError("planted");
      };
      other.client.send(request("MULTI") + request("SET", "old", "new") + request("EXEC"));
    }).toThrow("planted");
  });
});
