/**
 * The same bytes to redis-server and to hawser: the same bytes back.
 *
 * A scenario is a list of command lines, split at blanks ("..." keeps them, \xHH as redis-cli), sent
 * as one pipeline on a fresh connection after FLUSHALL. Random sequences come from fast-check.
 */
import fc from "fast-check";
import { createServer, type AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Daemon, ManagedProcess } from "../../tools/processes.ts";
import { describeWithRedis } from "../tools/redis-tools.ts";
import { encodeRequest, RawResp, type Words } from "../tools/raw-resp.ts";
import { until } from "../../tools/wait.ts";

let redis: ManagedProcess;
let redisPort = 0;
let redisDir = "";
let hawser: Daemon;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** "set k \"a b\"" to its words. */
function words(line: string): Words {
  const found = line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  return found.map((word) => {
    if (!word.startsWith('"')) return word;
    const text = word
      .slice(1, -1)
      .replaceAll("\\r", "\r")
      .replaceAll("\\n", "\n")
      .replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
      .replaceAll('\\"', '"');
    return text;
  });
}

/** Replies of both servers to the same pipeline on a fresh connection. */
async function both(request: Buffer): Promise<{ redis: string; hawser: string }> {
  const flush = encodeRequest(["FLUSHALL"]);
  const [a, b] = await Promise.all([RawResp.connect(redisPort), RawResp.connect(hawser.port)]);
  try {
    const whole = Buffer.concat([flush, request]);
    const [fromRedis, fromHawser] = await Promise.all([a.replies(whole), b.replies(whole)]);
    return { redis: fromRedis, hawser: fromHawser };
  } finally {
    a.close();
    b.close();
  }
}

async function expectSame(lines: readonly string[]): Promise<void> {
  const replies = await both(Buffer.concat(lines.map((line) => encodeRequest(words(line)))));
  expect(replies.hawser).toBe(replies.redis);
}

const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "ping and echo": ["ping", "PING x", "ping a b", "echo", "echo hi", "echo a b", 'echo "\\r\\n"'],
  "unknown commands": [
    "nosuch",
    "nosuch a b c",
    `nosuch ${"x".repeat(200)} y z`,
    `${"n".repeat(200)} a`,
    'nosuch "a\\r\\nb"',
    'nosuch "a\\x00b" c',
    '""',
    "get",
    "GET a b",
    "set k",
    "config",
    "config nosuch",
    "config get",
    "client",
    "client nosuch x",
    "command nosuch",
    "CONFIG\x00 get",
  ],
  "set and get": [
    "set k v",
    "get k",
    "get missing",
    'set "" ""',
    'get ""',
    'set bin "\\x00\\xff\\r\\n"',
    "get bin",
    "strlen bin",
    "exists k k missing",
    "del k k missing",
    "get k",
    "SeT K V",
    "GeT K",
  ],
  "set options": [
    "set k v nx",
    "set k w NX",
    "set k w xx",
    "set missing w xx",
    "get k",
    "set k x get",
    "set missing2 y get",
    "get missing2",
    "set k z nx get",
    "set k2 z nx get",
    "get k2",
    "set k3 z xx get",
    "set k v nx xx",
    "set k v xx nx",
    "set k v ex 100",
    "ttl k",
    "set k v px 100000",
    "ttl k",
    "set k w keepttl",
    "ttl k",
    "set k v",
    "ttl k",
    "set k v ex 0",
    "set k v ex -1",
    "set k v ex abc",
    "set k v ex",
    "set k v ex 10 px 10",
    "set k v ex 10 ex 20",
    "ttl k",
    "set k v ex 10 keepttl",
    "set k v keepttl ex 10",
    "set k v exat 99999999999",
    "expiretime k",
    "set k v pxat 99999999999123",
    "pexpiretime k",
    "set k v exat 1",
    "get k",
    "set k v pxat 0",
    "set k v exat 9223372036854775807",
    "set k v ex 9223372036854775807",
    "set k v px 9223372036854775807",
    "set k v persist",
    "set k v nosuch",
    "set k v get get",
    "set k v nx nx",
  ],
  "setnx, setex, psetex, getset, getdel": [
    "setnx k v",
    "setnx k w",
    "setex k 100 v",
    "ttl k",
    "setex k 0 v",
    "setex k x v",
    "psetex k 100000 v",
    "ttl k",
    "psetex k -5 v",
    "psetex k 9999999999999999999 v",
    "getset k n",
    "ttl k",
    "getset missing n",
    "getdel k",
    "getdel k",
    "get k",
  ],
  getex: [
    "getex missing",
    "set k v",
    "getex k",
    "getex k ex 100",
    "ttl k",
    "getex k persist",
    "ttl k",
    "getex k px 100000",
    "getex k exat 99999999999",
    "expiretime k",
    "getex k pxat 99999999999000",
    "getex k ex 0",
    "getex k ex abc",
    "getex k ex",
    "getex k persist ex 10",
    "getex k ex 10 persist",
    "getex k nosuch",
    "getex k keepttl",
    "getex k ex 10 ex 20",
    "ttl k",
    "getex k pxat 5",
    "exists k",
    "getex missing ex abc",
    "set k v",
    "getex k persist persist",
    "getex k ex 10 px 10",
    "getex k ex",
  ],
  "many keys": [
    "mset a 1 b 2 c 3",
    "mget a b c d a",
    "mset a",
    "mset a 1 b",
    "mset a x a y",
    "get a",
    "msetnx a 1 n 2",
    "exists n",
    "msetnx m 1 n 2",
    "msetnx m",
    "msetnx p 1 p 2",
    "get p",
    "mget m n",
    "del a b c a",
    "unlink m n nosuch",
    "touch a m p",
    "dbsize",
  ],
  counters: [
    "incr n",
    "incr n",
    "decr n",
    "incrby n 10",
    "decrby n 3",
    "get n",
    "incrby n abc",
    "incrby n 1.5",
    "incrby n 9223372036854775808",
    "set n 9223372036854775807",
    "incr n",
    "decr n",
    "get n",
    "set n -9223372036854775808",
    "decr n",
    "incrby n -1",
    "decrby n 1",
    "decrby n -9223372036854775808",
    "incrby n 9223372036854775807",
    "get n",
    "set n abc",
    "incr n",
    "set n 012",
    "incr n",
    'set n " 12"',
    "incr n",
    'set n ""',
    "incr n",
    "set n -0",
    "incr n",
    "set n 99999999999999999999",
    "incr n",
    "set n 9007199254740993",
    "incrby n 9007199254740993",
    "set n 999999999999999",
    "incr n",
    "set n 9999999999999999",
    "incr n",
    "set n 5 ex 100",
    "incr n",
    "ttl n",
    "decrby m 5",
    "incrby z -0",
    "incrby z +5",
  ],
  incrbyfloat: [
    "incrbyfloat f 10.50",
    "incrbyfloat f 0.1",
    "incrbyfloat f -5",
    "set f 5.0e3",
    "incrbyfloat f 2.0e2",
    "incrbyfloat f abc",
    "incrbyfloat f 1e",
    'incrbyfloat f " 1"',
    'incrbyfloat f "1 "',
    "set f 3",
    "incrbyfloat f 1.1",
    "incrbyfloat f 1e-20",
    "incrbyfloat f 123456789.123456789",
    "incrbyfloat f 1e17",
    "incrbyfloat f 0.3",
    "set f abc",
    "incrbyfloat f 1",
    "set f 0",
    "incrbyfloat f -0",
    "incrbyfloat f 0.1",
    "incrbyfloat f 0.2",
    "incrbyfloat f inf",
    "incrbyfloat f nan",
    "incrbyfloat f -inf",
    "incrbyfloat f 1e400",
    "set g 1",
    "incrbyfloat g 1e4931",
    "set g 1",
    "incrbyfloat g 1e5000",
    "incrbyfloat g 0x10",
    "incrbyfloat g 0x1.8p1",
    "incrbyfloat g -0XaP-3",
    "incrbyfloat g 0x",
    "incrbyfloat g 0xg",
    "incrbyfloat g .5",
    "incrbyfloat g 5.",
    "incrbyfloat g +1",
    "incrbyfloat g 1e-4940",
    "incrbyfloat g -0.00000000000000001",
    'set g ""',
    "incrbyfloat g 1",
    'incrbyfloat h ""',
  ],
  ranges: [
    "append k abc",
    "append k def",
    "get k",
    'append k ""',
    'append e ""',
    "exists e",
    "strlen k",
    "strlen missing",
    "getrange k 0 2",
    "getrange k -3 -1",
    "getrange k 0 -1",
    "getrange k 5 100",
    "getrange k 100 200",
    "getrange k 3 1",
    "getrange k -1 -3",
    "getrange k -100 2",
    "getrange k -100 -50",
    "getrange k 0 -100",
    "getrange k a 1",
    "getrange k 0 9223372036854775807",
    "getrange k -9223372036854775808 9223372036854775807",
    "getrange missing 0 1",
    "substr k 1 2",
    "setrange k 2 XY",
    "get k",
    "setrange k 10 Z",
    "get k",
    "setrange n 3 q",
    "get n",
    'setrange n 0 ""',
    'setrange missing 5 ""',
    "exists missing",
    "setrange k -1 x",
    "setrange k a x",
    "setrange k 536870912 x",
    "setrange k 9223372036854775807 x",
    "setrange missing -1 x",
  ],
  "expire family": [
    "expire k 100",
    "set k v",
    "ttl k",
    "pttl k",
    "expiretime k",
    "pexpiretime k",
    "ttl missing",
    "pttl missing",
    "expiretime missing",
    "pexpiretime missing",
    "expire k 100",
    "ttl k",
    "persist k",
    "persist k",
    "persist missing",
    "pexpire k 100000",
    "ttl k",
    "expireat k 99999999999",
    "expiretime k",
    "pexpiretime k",
    "pexpireat k 99999999999499",
    "expiretime k",
    "pexpireat k 99999999999500",
    "expiretime k",
    "expire k abc",
    "expire k 9223372036854775807",
    "expire k -9223372036854775808",
    "pexpire k 9223372036854775807",
    "pexpire k 9223372036854775808",
    "expire k 100 nx",
    "persist k",
    "expire k 100 nx",
    "expire k 200 nx",
    "expire k 200 xx",
    "ttl k",
    "expire k 100 gt",
    "expire k 300 gt",
    "expire k 400 lt",
    "expire k 50 lt",
    "ttl k",
    "expire k 10 nx xx",
    "expire k 10 nx gt",
    "expire k 10 gt lt",
    "expire k 10 xx gt",
    "expire k 1000 xx gt",
    "expire k 10 nosuch",
    "expire k abc nosuch",
    "expire missing 10 nosuch",
    "persist k",
    "expire k 10 gt",
    "expire k 10 lt",
    "expire k 0",
    "exists k",
    "set k v",
    "expire k -1",
    "exists k",
    "set k v",
    "expireat k 1",
    "exists k",
    "set k v",
    "pexpireat k -1",
    "dbsize",
  ],
  "expiry beyond 2^53 ms": [
    "set k v",
    "pexpireat k 9223372036854770000",
    "get k",
    "pexpireat k 9223372036854769664",
    "pexpiretime k",
    "expiretime k",
    "pexpireat k 9223372036854769664 gt",
    "pexpireat k 9223372036854768640 gt",
    "pexpireat k 9223372036854768640 lt",
    "pexpiretime k",
    "pexpireat k 9223372036854775807",
    "pexpireat k 9223372036854775808",
    "expireat k 9223372036854775",
    "expiretime k",
    "expireat k 9223372036854776",
    "expire k 9223370000000000",
    "expire k 9223372036854775",
    "pexpire k 9223372036854775807",
    "set k w pxat 9007199254740992",
    "pexpiretime k",
    "set k w pxat 9007199254741024",
    "pexpiretime k",
    "rename k l",
    "copy l k",
    "pexpiretime k",
    "expiretime l",
    "getex k exat 9223372036854775",
    "expiretime k",
    "persist k",
    "ttl k",
    "set k v px 9223372036854775807",
    "set k v ex 9223372036854775",
    "setex k 9223370000000000 v",
    "psetex k 9223372036854775807 v",
    "expire k -9223372036854775808",
    "exists k",
    "expire k -9223372036854775",
    "exists k",
  ],
  "config set: all or nothing": [
    "config set maxmemory 500mb databases 1",
    "config get maxmemory",
    "config set databases 1 maxmemory 500mb",
    "config set maxmemory 500mb maxmemory 600mb",
    "config set maxmemory 500mb MAXMEMORY 600mb",
    "config get maxmemory",
    "config set maxmemory 500mb nosuch 1",
    "config set nosuch 1 maxmemory 500mb databases 1",
    "config set databases 1 nosuch 1",
    "config set maxmemory abc databases 1",
    "config set maxclients 500 repl-backlog-size abc",
    "config set maxmemory 500mb repl-backlog-size abc",
    "ping",
    "config get maxmemory",
    "config set maxmemory 500mb databases",
    "config set maxmemory 501mb repl-backlog-size 2mb",
    "config get maxmemory",
    "config get repl-backlog-size",
    "config set maxmemory 0",
  ],
  "errors repeat bytes as they came": [
    'nosuch "\xff\x80\xc3\xa9" "\xe2\x82"',
    '"\xff\xfe" "\xfd"',
    `"${"\xff".repeat(200)}" a`,
    `nosuch "${"\xff".repeat(100)}" "${"\xc3".repeat(100)}" z`,
    'client "\xff"',
    'config set "\xff\xc3" 1',
    'config set "\xff" 1 "\xfe" 2',
    'client list type "\xff"',
    "set k v",
    'expire k 10 "\xff"',
    'hello 2 "\xff"',
  ],
  "command list and info": [
    "command list x",
    "command list filterby",
    "command list filterby pattern",
    "command list filterby pattern a b",
    "command list filterby nosuch x",
    "command list nosuch pattern x",
    "command list filterby module x",
    "command list filterby aclcat nosuch",
    'command list filterby aclcat ""',
    "command list filterby pattern GET",
    "COMMAND LIST FILTERBY PATTERN Config|Get",
    "command list filterby pattern nosuch*",
    "command info nosuch config|nosuch get|x",
    "command count x",
  ],
  "shutdown abort": [
    "shutdown abort",
    "SHUTDOWN ABORT",
    "shutdown abort nosave",
    "shutdown nosave abort",
    "shutdown abort now",
    "shutdown save nosave",
    "shutdown nosave now save",
  ],
  "rename, copy, type": [
    "rename a b",
    "set a 1",
    "rename a b",
    "get b",
    "exists a",
    "rename b b",
    "rename missing missing",
    "set a 2",
    "renamenx a b",
    "renamenx a c",
    "renamenx c c",
    "renamenx missing c",
    "set c 3 ex 100",
    "rename c d",
    "ttl d",
    "copy d e",
    "ttl e",
    "copy d e",
    "copy d e replace",
    "copy d d",
    "copy missing e",
    "copy d f db 0",
    "copy d f db 1",
    "copy d f db x",
    "copy d f db",
    "copy d f nosuch",
    "copy missing missing",
    "type d",
    "type missing",
    "get e",
  ],
  "select, dbsize, flush": [
    "select 0",
    "select 1",
    "select abc",
    "select -1",
    "select 99999999999",
    "set a 1",
    "dbsize",
    "flushdb nosuch",
    "flushdb async",
    "set a 1",
    "flushall sync x",
    "flushall SYNC",
    "dbsize",
    "dbsize x",
  ],
  "scan and keys": [
    "scan 0",
    "keys *",
    "randomkey",
    "set key:1 v",
    "scan 0",
    "scan 0 match key:*",
    "scan 0 match nosuch*",
    "scan 0 count 100",
    "scan 0 count 0",
    "scan 0 count -1",
    "scan 0 count abc",
    "scan 0 count",
    "scan 0 nosuch 1",
    "scan 0 type string",
    "scan 0 type STRING match *1",
    "scan 0 type hash",
    "scan abc",
    "scan 18446744073709551616",
    'scan ""',
    'scan " 0"',
    'scan "0 "',
    "scan",
    "keys key:[0-9]",
    "keys key:[^0-9]",
    "keys key:?",
    "keys k*y:*1",
    "keys nosuch",
    "keys a b",
    "randomkey",
    "keys \\k*",
    'keys "key:["',
    'keys "key:[1"',
    'keys "key:[a\\x5d1]"',
  ],
  transactions: [
    "exec",
    "discard",
    "multi",
    "multi",
    "set a 1",
    "incr a",
    "get a",
    "watch a",
    "exec",
    "multi",
    "nosuch",
    "set a 5",
    "exec",
    "get a",
    "multi",
    "get",
    "exec",
    "multi",
    "set a x",
    "incr a",
    "get a",
    "exec",
    "multi",
    "set a y",
    "discard",
    "get a",
    "multi",
    "exec",
    "watch a",
    "set a z",
    "multi",
    "get a",
    "exec",
    "watch a",
    "unwatch",
    "set a zz",
    "multi",
    "get a",
    "exec",
    "watch a b",
    "set c 1",
    "multi",
    "mset a 1 b 2",
    "del a b",
    "flushall",
    "mget a b c",
    "exec",
    "watch missing",
    "flushall",
    "multi",
    "ping",
    "exec",
    "set a 1",
    "watch a",
    "flushall",
    "multi",
    "ping",
    "exec",
    "watch a",
    "set a 1",
    "discard",
    "multi",
    "select 0",
    "echo x",
    "type a",
    "expire a 100",
    "ttl a",
    "shutdown",
    "exec",
    "set a 1",
    "watch a",
    "set a 1",
    "multi",
    "exec",
    "watch a",
    "del missing",
    "multi",
    "exec",
    "watch a",
    "expire a 100",
    "multi",
    "exec",
    "watch",
    "multi",
    "wait 0 0",
    "wait 5 0",
    "exec",
  ],
  "auth, hello and names": [
    "auth x",
    "auth default x",
    "auth nosuch x",
    "auth a b c",
    "auth",
    "hello 1",
    "hello 4",
    "hello x",
    "hello 2 nosuch",
    "hello 2 auth x",
    "hello 2 setname",
    'hello 2 setname "a b"',
    "client getname",
    "client setname foo",
    "client getname",
    'client setname "a b"',
    'client setname ""',
    "client getname",
    "client no-evict on",
    "client no-evict x",
    "client id x",
    "client list type nosuch",
    "client list id 0",
    "client list id abc",
    "client list nosuch",
    "reset",
    "reset x",
    "replicaof no",
    "replicaof 127.0.0.1 6379 more",
    "slaveof 127.0.0.1 6379 more and more",
    "replicaof 127.0.0.1 abc",
    "replicaof 127.0.0.1 99999",
    "replicaof no one",
    "slaveof NO ONE",
    "wait abc 0",
    "wait 0 abc",
    "wait 0 -1",
    "wait 0 0",
    "wait 1 10",
    "shutdown nosuch",
    "config set nosuch 1",
    "config set maxmemory",
    "config set maxmemory abc",
    "config set port 1 maxmemory",
    "config set maxmemory 0",
    "config get maxmemory",
    "config get save",
    "config get nosuch",
    "config resetstat",
    "time x",
    "command count x",
    "role x",
    "client list id 99999",
    "scan -",
    "scan +0",
  ],
};

describeWithRedis("beside redis-server", () => {
  beforeAll(async () => {
    redisPort = await freePort();
    redisDir = await mkdtemp(join(tmpdir(), "differential-"));
    const flags = [
      "--port",
      String(redisPort),
      "--save",
      "",
      "--dir",
      redisDir,
      "--databases",
      "1",
    ];
    redis = await ManagedProcess.spawn("redis-server", flags, { name: "redis-server" });
    hawser = await Daemon.start("hawser", ["primary"]);
    await until(
      async () => {
        try {
          const client = await RawResp.connect(redisPort);
          client.close();
          return true;
        } catch {
          return null;
        }
      },
      { what: "redis-server to listen", timeoutMs: 10_000 },
    );
  });

  afterAll(async () => {
    await hawser.kill();
    await redis.kill();
    await rm(redisDir, { recursive: true, force: true });
  });

  describe("resp: the same pipeline to redis 7.0 and hawser => the same bytes", () => {
    for (const [name, lines] of Object.entries(SCENARIOS)) {
      test(name, () => expectSame(lines));
    }
  });

  /** Elements of the reply to one command. */
  async function listOf(port: number, ...line: string[]): Promise<string[]> {
    const client = await RawResp.connect(port);
    try {
      const text = await client.replies(encodeRequest(line));
      return text.split("\r\n").filter((part) => part !== "" && !/^[*$]/.test(part));
    } finally {
      client.close();
    }
  }

  test("command: list, filters and info of what both have => the same names and categories", async () => {
    const all = new Set(await listOf(hawser.port, "COMMAND", "LIST"));
    expect(all).toContain("client|list");
    const theirs = new Set(await listOf(redisPort, "COMMAND", "LIST"));
    const shared = [...all].filter((name) => theirs.has(name));
    expect(shared.length).toBeGreaterThan(80);
    const categories = ["read", "write", "string", "keyspace", "connection", "transaction"];
    for (const category of [...categories, "admin", "dangerous", "fast", "slow"]) {
      const filter = ["COMMAND", "LIST", "FILTERBY", "ACLCAT", category];
      const [ours, redisHas] = await Promise.all([
        listOf(hawser.port, ...filter),
        listOf(redisPort, ...filter),
      ]);
      const expected = redisHas.filter((name) => all.has(name)).sort();
      expect({ category, names: ours.filter((name) => theirs.has(name)).sort() }).toEqual({
        category,
        names: expected,
      });
    }
    const filter = ["COMMAND", "LIST", "FILTERBY", "PATTERN", "C*"];
    const ours = (await listOf(hawser.port, ...filter)).filter((name) => theirs.has(name));
    const redisHas = (await listOf(redisPort, ...filter)).filter((name) => all.has(name));
    expect(ours.sort()).toEqual(redisHas.sort());
    const info = await listOf(hawser.port, "COMMAND", "INFO", "config|get");
    expect(info).toEqual(await listOf(redisPort, "COMMAND", "INFO", "config|get"));
  });

  test("command: arity and keys of what both have => the same, but where a word more is taken", async () => {
    const theirs = new Set(await listOf(redisPort, "COMMAND", "LIST"));
    const ours = await listOf(hawser.port, "COMMAND", "LIST");
    const shapeOf = async (port: number, name: string): Promise<string> => {
      const info = await listOf(port, "COMMAND", "INFO", name);
      return info
        .filter((part) => /^:-?\d+$/.test(part))
        .slice(0, 4)
        .join(" ");
    };
    const different: string[] = [];
    for (const name of ours.filter((each) => theirs.has(each))) {
      const [here, there] = [await shapeOf(hawser.port, name), await shapeOf(redisPort, name)];
      if (here !== there) different.push(`${name} ${here}, redis ${there}`);
    }
    // NO ONE FORCE.
    expect(different.sort()).toEqual([
      "replicaof :-3 :0 :0 :0, redis :3 :0 :0 :0",
      "slaveof :-3 :0 :0 :0, redis :3 :0 :0 :0",
    ]);
  });

  test("client list: a subcommand is named as such while it runs", async () => {
    for (const port of [redisPort, hawser.port]) {
      for (const [line, shown] of [
        ["CLIENT LIST", "client|list"],
        ["CLIENT INFO", "client|info"],
      ] as const) {
        const client = await RawResp.connect(port);
        const text = await client.replies(encodeRequest(line.split(" ")));
        expect(text).toContain(` cmd=${shown} `);
        client.close();
      }
    }
  });

  test("config resetstat => the same counts from there", async () => {
    const names = [
      "total_connections_received",
      "total_net_input_bytes",
      "total_net_output_bytes",
      "rejected_connections",
      "sync_full",
      "sync_partial_ok",
      "sync_partial_err",
      "expired_keys",
      "keyspace_hits",
      "keyspace_misses",
      "total_error_replies",
    ];
    const counts = async (port: number): Promise<Record<string, string>> => {
      const client = await RawResp.connect(port);
      try {
        await client.replies(encodeRequest(["NOSUCH"]));
        await client.replies(encodeRequest(["GET", "missing"]));
        await client.replies(encodeRequest(["CONFIG", "RESETSTAT"]));
        await client.replies(encodeRequest(["NOSUCH"]));
        const info = await client.replies(encodeRequest(["INFO", "stats"]));
        const fields = new Map(
          info.split("\r\n").map((line) => line.split(":") as [string, string]),
        );
        return Object.fromEntries(names.map((name) => [name, fields.get(name) ?? "absent"]));
      } finally {
        client.close();
      }
    };
    const ours = await counts(hawser.port);
    expect(ours).toEqual(await counts(redisPort));
    expect(ours["total_error_replies"]).toBe("1");
  });

  test("sync and psync: a redis that wants to replicate => told what to do, once, and not again and again", async () => {
    const dir = await mkdtemp(join(tmpdir(), "redis-replica-"));
    const port = await freePort();
    const flags = ["--port", String(port), "--save", "", "--dir", dir, "--loglevel", "notice"];
    const upstream = ["--replicaof", "127.0.0.1", String(hawser.port)];
    const before = (await hawser.info()).number("total_connections_received");
    const replica = await ManagedProcess.spawn("redis-server", [...flags, ...upstream], {
      name: "a redis that follows hawser",
    });
    try {
      await until(() => (/unable to PSYNC|NOMASTERLINK/.test(replica.stdout) ? true : null), {
        what: "redis to hear NOMASTERLINK",
        timeoutMs: 20_000,
      });
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const connections = (await hawser.info()).number("total_connections_received") - before;
      expect(connections).toBeLessThan(20);
      const logged = hawser.log.filter((line) => line.event === "sync_refused");
      expect(logged).toHaveLength(1);
      expect(logged[0]!["hint"]).toContain("REPLICAOF NO ONE");
    } finally {
      await replica.kill();
      await rm(dir, { recursive: true, force: true });
    }
    const client = await RawResp.connect(hawser.port);
    expect(await client.replies(encodeRequest(["SYNC"]))).toMatch(/^-NOMASTERLINK /);
    expect(await client.replies(encodeRequest(["PSYNC", "?", "-1"]))).toMatch(/^-NOMASTERLINK /);
    client.close();
  });

  const FATAL: Readonly<Record<string, readonly string[]>> = {
    "a negative and an empty array, then a bad length": ["*-1\r\n*0\r\n\r\n*abc\r\n"],
    "too many arguments": ["*2147483648\r\n"],
    "leading zero": ["*01\r\n"],
    "bulk without $": ["*1\r\n+PING\r\n"],
    "negative bulk": ["*1\r\n$-1\r\n"],
    "bulk length is no number": ["*1\r\n$a\r\n"],
    "bulk above proto-max-bulk-len": ["*1\r\n$536870913\r\n"],
    "unbalanced quotes": ['PING "abc\r\n'],
    "quote followed by a letter": ['PING "abc"d\r\n'],
    "an inline line that never ends": ["x".repeat(70_000)],
    "an array line that never ends": [`*${"1".repeat(70_000)}`],
    "a bulk line that never ends": [`*1\r\n$${"1".repeat(70_000)}`],
    "commands before the error are answered": ["*1\r\n$4\r\nPING\r\nPING\r\n*x\r\nPING\r\n"],
    quit: ["QUIT\r\nPING\r\n"],
    "an HTTP request": ["POST / HTTP/1.1\r\nHost: x\r\n\r\n"],
    "an HTTP header": ["Host: x\r\n\r\n"],
  };

  describe("resp: bytes that end a connection => the same bytes, then closed", () => {
    for (const [name, pieces] of Object.entries(FATAL)) {
      test(name, async () => {
        const answers = await Promise.all(
          [redisPort, hawser.port].map(async (port) => {
            const client = await RawResp.connect(port);
            return client.untilClosed(...pieces.map((piece) => Buffer.from(piece, "latin1")));
          }),
        );
        expect(answers[1]).toBe(answers[0]);
      });
    }
  });

  test("resp: inline commands with every kind of quote => the same bytes", async () => {
    const lines = [
      "PING",
      "ping\t x ",
      "  set   a   b  ",
      "get a",
      'set q "a b\\n\\r\\t\\b\\a\\x41\\\\\\"\\q"',
      "get q",
      "set s 'it\\'s \\n'",
      "get s",
      'echo ""',
      "echo ''",
      "",
      "   ",
      'echo ab"cd"',
      "echo \xff\xfe",
      "mset a 1 b 2",
    ];
    const replies = await both(Buffer.from(`${lines.join("\r\n")}\nPING\n`, "latin1"));
    expect(replies.hawser).toBe(replies.redis);
  });

  const key = fc.constantFrom("a", "b", "c", "");
  const integer = fc.oneof(
    fc.integer({ min: -20, max: 20 }).map(String),
    fc.constantFrom("9223372036854775807", "-9223372036854775808", "1e3", "abc", "", "007"),
  );
  const value = fc.oneof(
    integer,
    fc
      .string({ unit: "binary", maxLength: 20 })
      .map((text) => Buffer.from(text).toString("latin1")),
    fc.constantFrom("x".repeat(100), "\r\n", "3.25", "-1.5e2"),
  );
  /** Far enough away that a second more or less between the servers is not seen. */
  const farTtl = fc.constantFrom("100", "200", "300");
  const setOption = fc.constantFrom<readonly string[]>(
    [],
    ["NX"],
    ["XX"],
    ["GET"],
    ["KEEPTTL"],
    ["EX", "100"],
    ["PX", "200000"],
    ["EXAT", "99999999999"],
    ["NX", "GET"],
    ["EX", "100", "XX"],
  );
  const expireOption = fc.constantFrom<readonly string[]>([], ["NX"], ["XX"], ["GT"], ["LT"]);
  const anyCommand: fc.Arbitrary<readonly string[]> = fc.oneof(
    fc.tuple(key, value, setOption).map(([k, v, o]) => ["SET", k, v, ...o]),
    fc
      .tuple(
        fc.constantFrom(
          "GET",
          "STRLEN",
          "TYPE",
          "TTL",
          "EXPIRETIME",
          "PERSIST",
          "GETDEL",
          "INCR",
          "DECR",
          "GETEX",
        ),
        key,
      )
      .map(([c, k]) => [c, k]),
    fc
      .tuple(fc.constantFrom("SETNX", "GETSET", "APPEND", "INCRBY", "DECRBY"), key, value)
      .map(([c, k, v]) => [c, k, v]),
    fc
      .tuple(
        fc.constantFrom("DEL", "EXISTS", "MGET", "UNLINK", "TOUCH"),
        fc.array(key, { minLength: 1, maxLength: 4 }),
      )
      .map(([c, ks]) => [c, ...ks]),
    fc
      .tuple(
        fc.constantFrom("MSET", "MSETNX"),
        fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }),
      )
      .map(([c, pairs]) => [c, ...pairs.flat()]),
    fc.tuple(fc.constantFrom("RENAME", "RENAMENX", "COPY"), key, key).map(([c, a, b]) => [c, a, b]),
    fc.tuple(key, integer, integer).map(([k, a, b]) => ["GETRANGE", k, a, b]),
    fc
      .tuple(key, fc.integer({ min: -2, max: 60 }).map(String), value)
      .map(([k, a, v]) => ["SETRANGE", k, a, v]),
    fc.tuple(key, farTtl, expireOption).map(([k, t, o]) => ["EXPIRE", k, t, ...o]),
    fc
      .tuple(key, fc.constantFrom("1.5", "-0.1", "3", "1e2", "0.0001"))
      .map(([k, v]) => ["INCRBYFLOAT", k, v]),
    fc.constantFrom<readonly string[]>(
      ["DBSIZE"],
      ["MULTI"],
      ["EXEC"],
      ["DISCARD"],
      ["WATCH", "a"],
      ["UNWATCH"],
      ["PING"],
      ["NOSUCH", "x"],
    ),
  );

  test("resp: random sequences of commands => the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 60 }), async (commands) => {
        const all = commands.map((command) => encodeRequest(command));
        // EXEC twice: the marker must not be queued.
        const replies = await both(Buffer.concat([...all, encodeRequest(["EXEC"])]));
        expect(replies.hawser).toBe(replies.redis);
      }),
      { numRuns: 300 },
    );
  }, 120_000);

  /** What is done to the watched key x (and y, which is not there) between WATCH and EXEC. */
  const WATCHED: readonly (readonly string[])[] = [
    [],
    ["get x"],
    ["set x v"],
    ['append x ""'],
    ['setrange x 0 ""'],
    ["setrange x 5 a"],
    ["persist x"],
    ["expire x 100 nx"],
    ["expire x 100 xx"],
    ["expire x -1"],
    ["getex x"],
    ["getex x persist"],
    ["getex x ex 100"],
    ["getdel x"],
    ["getset x v"],
    ["setnx x w"],
    ["msetnx x 1 y 2"],
    ["mset x 1 y 2"],
    ["incr x"],
    ["incrby x 0"],
    ["rename x y"],
    ["set y 1", "rename y x"],
    ["set y 1", "copy y x"],
    ["set y 1", "copy y x replace"],
    ["renamenx x y"],
    ["del x"],
    ["unlink x"],
    ["del x", "set x v"],
    ["set x w", "del x"],
    ["flushall"],
    ["flushdb"],
    ["touch x"],
    ["scan 0"],
    ["keys *"],
    ["exists x"],
    ["type x"],
    ["ttl x"],
    ["randomkey"],
    ["dbsize"],
  ];
  const BEFORE: Readonly<Record<string, readonly string[]>> = {
    missing: ["del x"],
    there: ["set x v"],
    "with a time to live": ["set x v ex 1000"],
    "expired already": ["set x v px 1"],
  };
  test.each(Object.keys(BEFORE))(
    "resp: WATCH of a key that is %s => the same verdicts",
    async (state) => {
      const request = (lines: readonly string[]) =>
        Buffer.concat(lines.map((line) => encodeRequest(words(line))));
      const verdictsOf = async (port: number): Promise<string[]> => {
        const client = await RawResp.connect(port);
        const verdicts: string[] = [];
        for (const lines of WATCHED) {
          await client.replies(request(["flushall", ...BEFORE[state]!]));
          await new Promise((resolve) => setTimeout(resolve, 4));
          const replies = await client.replies(
            request(["watch x", ...lines, "multi", "ping", "exec"]),
          );
          verdicts.push(`${lines.join("; ")} => ${replies.slice(replies.lastIndexOf("*"))}`);
        }
        client.close();
        return verdicts;
      };
      const [fromRedis, fromHawser] = await Promise.all([
        verdictsOf(redisPort),
        verdictsOf(hawser.port),
      ]);
      expect(fromHawser).toEqual(fromRedis);
      expect(new Set(fromRedis.map((verdict) => verdict.split(" => ")[1])).size).toBe(2);
    },
  );

  test("resp: INCRBYFLOAT of random decimals => the same digits", async () => {
    const decimal = fc
      .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: -22, max: 22 }))
      .map(([digits, exponent]) => `${digits}e${exponent}`);
    await fc.assert(
      fc.asyncProperty(fc.array(decimal, { minLength: 2, maxLength: 40 }), async (values) => {
        const requests = values.map((v) => encodeRequest(["INCRBYFLOAT", "f", v]));
        const replies = await both(Buffer.concat(requests));
        expect(replies.hawser).toBe(replies.redis);
      }),
      { numRuns: 50 },
    );
  }, 120_000);
});
