/** Random sequences of commands, beside redis-server. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeRequest } from "../../tools/raw-resp.ts";
import { besideRedis } from "../../tools/beside-redis.ts";

const key = fc.constantFrom("a", "b", "c", "");

const integer = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("9223372036854775807", "-9223372036854775808", "1e3", "abc", "", "007"),
);

const value = fc.oneof(
  integer,
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => Buffer.from(text).toString("latin1")),
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

besideRedis((servers) => {
  test("resp: random sequences of commands => the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 60 }), async (commands) => {
        const all = commands.map((command) => encodeRequest(command));
        // EXEC twice: the marker must not be queued.
        const replies = await servers.both(Buffer.concat([...all, encodeRequest(["EXEC"])]));
        expect(replies.hawser).toBe(replies.redis);
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});
