/** MULTI, EXEC and WATCH, beside redis-server. */
import { expect, test } from "vitest";
import { RawResp } from "../../tools/raw-resp.ts";
import { besideRedis, pipeline, type Scenarios } from "../../tools/beside-redis.ts";

const SCENARIOS: Scenarios = {
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
};

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

besideRedis((servers) => {
  servers.sameBytes(SCENARIOS);

  test.each(Object.keys(BEFORE))(
    "resp: WATCH of a key that is %s => the same verdicts",
    async (state) => {
      const verdictsOf = async (port: number): Promise<string[]> => {
        const client = await RawResp.connect(port);
        const verdicts: string[] = [];
        for (const lines of WATCHED) {
          await client.replies(pipeline(["flushall", ...BEFORE[state]!]));
          await new Promise((resolve) => setTimeout(resolve, 4));
          const replies = await client.replies(
            pipeline(["watch x", ...lines, "multi", "ping", "exec"]),
          );
          verdicts.push(`${lines.join("; ")} => ${replies.slice(replies.lastIndexOf("*"))}`);
        }
        client.close();
        return verdicts;
      };
      const [fromRedis, fromHawser] = await Promise.all([
        verdictsOf(servers.redisPort),
        verdictsOf(servers.hawser.port),
      ]);
      expect(fromHawser).toEqual(fromRedis);
      expect(new Set(fromRedis.map((verdict) => verdict.split(" => ")[1])).size).toBe(2);
    },
  );
});
