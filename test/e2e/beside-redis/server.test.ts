/** CONFIG, COMMAND, CLIENT, SHUTDOWN, SYNC, beside redis-server. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ManagedProcess } from "../../../tools/processes.ts";
import { encodeRequest, RawResp } from "../../tools/raw-resp.ts";
import { until } from "../../../tools/wait.ts";
import { besideRedis, freePort, listOf, type Scenarios } from "../../tools/beside-redis.ts";

const SCENARIOS: Scenarios = {
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
};

besideRedis((servers) => {
  servers.sameBytes(SCENARIOS);

  test("command: list, filters and info of what both have => the same names and categories", async () => {
    const all = new Set(await listOf(servers.hawser.port, "COMMAND", "LIST"));
    expect(all).toContain("client|list");
    const theirs = new Set(await listOf(servers.redisPort, "COMMAND", "LIST"));
    const shared = [...all].filter((name) => theirs.has(name));
    expect(shared.length).toBeGreaterThan(80);
    const categories = ["read", "write", "string", "keyspace", "connection", "transaction"];
    for (const category of [...categories, "admin", "dangerous", "fast", "slow"]) {
      const filter = ["COMMAND", "LIST", "FILTERBY", "ACLCAT", category];
      const [ours, redisHas] = await Promise.all([
        listOf(servers.hawser.port, ...filter),
        listOf(servers.redisPort, ...filter),
      ]);
      const expected = redisHas.filter((name) => all.has(name)).sort();
      expect({ category, names: ours.filter((name) => theirs.has(name)).sort() }).toEqual({
        category,
        names: expected,
      });
    }
    const filter = ["COMMAND", "LIST", "FILTERBY", "PATTERN", "C*"];
    const ours = (await listOf(servers.hawser.port, ...filter)).filter((name) => theirs.has(name));
    const redisHas = (await listOf(servers.redisPort, ...filter)).filter((name) => all.has(name));
    expect(ours.sort()).toEqual(redisHas.sort());
    const info = await listOf(servers.hawser.port, "COMMAND", "INFO", "config|get");
    expect(info).toEqual(await listOf(servers.redisPort, "COMMAND", "INFO", "config|get"));
  });

  test("command: arity and keys of what both have => the same, but where a word more is taken", async () => {
    const theirs = new Set(await listOf(servers.redisPort, "COMMAND", "LIST"));
    const ours = await listOf(servers.hawser.port, "COMMAND", "LIST");
    const shapeOf = async (port: number, name: string): Promise<string> => {
      const info = await listOf(port, "COMMAND", "INFO", name);
      return info
        .filter((part) => /^:-?\d+$/.test(part))
        .slice(0, 4)
        .join(" ");
    };
    const different: string[] = [];
    for (const name of ours.filter((each) => theirs.has(each))) {
      const [here, there] = [
        await shapeOf(servers.hawser.port, name),
        await shapeOf(servers.redisPort, name),
      ];
      if (here !== there) different.push(`${name} ${here}, redis ${there}`);
    }
    // NO ONE FORCE.
    expect(different.sort()).toEqual([
      "replicaof :-3 :0 :0 :0, redis :3 :0 :0 :0",
      "slaveof :-3 :0 :0 :0, redis :3 :0 :0 :0",
    ]);
  });

  test("client list: a subcommand is named as such while it runs", async () => {
    for (const port of [servers.redisPort, servers.hawser.port]) {
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
    const ours = await counts(servers.hawser.port);
    expect(ours).toEqual(await counts(servers.redisPort));
    expect(ours["total_error_replies"]).toBe("1");
  });

  test("sync and psync: a redis that wants to replicate => told what to do, once, and not again and again", async () => {
    const dir = await mkdtemp(join(tmpdir(), "redis-replica-"));
    const port = await freePort();
    const flags = ["--port", String(port), "--save", "", "--dir", dir, "--loglevel", "notice"];
    const upstream = ["--replicaof", "127.0.0.1", String(servers.hawser.port)];
    const before = (await servers.hawser.info()).number("total_connections_received");
    const replica = await ManagedProcess.spawn("redis-server", [...flags, ...upstream], {
      name: "a redis that follows hawser",
    });
    try {
      await until(() => (/unable to PSYNC|NOMASTERLINK/.test(replica.stdout) ? true : null), {
        what: "redis to hear NOMASTERLINK",
        timeoutMs: 20_000,
      });
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const connections =
        (await servers.hawser.info()).number("total_connections_received") - before;
      expect(connections).toBeLessThan(20);
      const logged = servers.hawser.log.filter((line) => line.event === "sync_refused");
      expect(logged).toHaveLength(1);
      expect(logged[0]!["hint"]).toContain("REPLICAOF NO ONE");
    } finally {
      await replica.kill();
      await rm(dir, { recursive: true, force: true });
    }
    const client = await RawResp.connect(servers.hawser.port);
    expect(await client.replies(encodeRequest(["SYNC"]))).toMatch(/^-NOMASTERLINK /);
    expect(await client.replies(encodeRequest(["PSYNC", "?", "-1"]))).toMatch(/^-NOMASTERLINK /);
    client.close();
  });
});
