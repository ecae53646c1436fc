/** Greetings, names, unknown commands, inline commands, bytes that end a connection, beside redis-server. */
import { describe, expect, test } from "vitest";
import { RawResp } from "../../tools/raw-resp.ts";
import { besideRedis, type Scenarios } from "../../tools/beside-redis.ts";

const SCENARIOS: Scenarios = {
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

besideRedis((servers) => {
  servers.sameBytes(SCENARIOS);

  describe("resp: bytes that end a connection => the same bytes, then closed", () => {
    for (const [name, pieces] of Object.entries(FATAL)) {
      test(name, async () => {
        const answers = await Promise.all(
          [servers.redisPort, servers.hawser.port].map(async (port) => {
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
    const replies = await servers.both(Buffer.from(`${lines.join("\r\n")}\nPING\n`, "latin1"));
    expect(replies.hawser).toBe(replies.redis);
  });
});
