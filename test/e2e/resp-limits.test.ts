/**
 * The client port under bad clients: each costs its own connection and one log line, and no more.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Fleet } from "../../tools/processes.ts";
import { encodeRequest, RawResp } from "../tools/raw-resp.ts";
import { until } from "../../tools/wait.ts";

const MIB = 1024 * 1024;
let fleet = new Fleet();

afterEach(async () => {
  await fleet.stopAll();
  fleet = new Fleet();
});

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  fleet.defer(() => socket.destroy());
  return socket;
}

describe("e2e: client port: a client", () => {
  test("that pipelines GETs of 1 MiB and never reads => not read any more, memory bounded, others served", async () => {
    const primary = await fleet.primary();
    await primary.call("SET", "big", Buffer.alloc(MIB, "v"));
    const before = await primary.residentBytes();
    const greedy = await open(primary.port);
    greedy.pause();
    const request = encodeRequest(["GET", "big"]);
    // 2 GiB of replies asked for; what the server does not read stays in the sockets and here.
    greedy.write(Buffer.concat(Array.from({ length: 2000 }, () => request)));
    await until(
      async () => {
        const waiting = (await primary.text("CLIENT", "LIST")).match(/omem=(\d+)/g) ?? [];
        return waiting.some((field) => Number(field.slice(5)) > 32 * MIB) ? true : null;
      },
      { what: "output to pile up" },
    );
    for (let i = 0; i < 50; i++) expect(await primary.call("PING")).toBe("PONG");
    const grown = (await primary.residentBytes()) - before;
    expect(grown).toBeLessThan(250 * MIB);
    expect(primary.find("client_dropped")).toBeUndefined();
  });

  test("that never said a password, pipelines PING and does not read, eight times => next to nothing is held", async () => {
    const primary = await fleet.primary("--requirepass", "secret", "--repl-open");
    const witness = await RawResp.connect(primary.port);
    const auth = encodeRequest(["AUTH", "secret"]);
    expect(await witness.replies(auth)).toBe("+OK\r\n");
    const before = await primary.residentBytes();
    const pings = Buffer.from("PING\r\n".repeat(200_000));
    for (let i = 0; i < 8; i++) {
      const socket = await open(primary.port);
      socket.pause();
      // 7 MB of errors for each MB; what the server does not read stays in the sockets and here.
      for (let j = 0; j < 10; j++) socket.write(pings);
    }
    const outputs = async (): Promise<number[]> =>
      [...(await witness.replies(encodeRequest(["CLIENT", "LIST"]))).matchAll(/omem=(\d+)/g)].map(
        (match) => Number(match[1]),
      );
    await until(
      async () => ((await outputs()).filter((bytes) => bytes > 0).length >= 8 ? true : null),
      {
        what: "all of them to be stopped",
      },
    );
    expect(Math.max(...(await outputs()))).toBeLessThan(256 * 1024);
    expect((await primary.residentBytes()) - before).toBeLessThan(60 * MIB);
    witness.close();
  });

  test("that asks 3000 times for 100 KiB and reads late => every reply, in order", async () => {
    const primary = await fleet.primary();
    await primary.call("SET", "k", Buffer.alloc(100 * 1024, "v"));
    const slow = await open(primary.port);
    slow.pause();
    const pipeline = [];
    for (let i = 0; i < 3000; i++) {
      pipeline.push(encodeRequest(["GET", "k"]), encodeRequest(["ECHO", String(i)]));
    }
    slow.write(Buffer.concat(pipeline));
    await new Promise((resolve) => setTimeout(resolve, 500));
    let bytes = 0;
    let tail = Buffer.alloc(0);
    slow.on("data", (chunk) => {
      bytes += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-64);
    });
    slow.resume();
    const last = "$4\r\n2999\r\n";
    await until(() => (tail.toString("latin1").endsWith(last) ? true : null), {
      what: "the last reply",
      timeoutMs: 60_000,
    });
    const digits = Array.from(
      { length: 3000 },
      (_, i) => String(i).length + String(String(i).length).length + 5,
    );
    const expected =
      3000 * (100 * 1024 + "$102400\r\n\r\n".length) + digits.reduce((a, b) => a + b);
    expect(bytes).toBe(expected);
  });

  test("that announces 512 MiB, two hundred times, and sends nothing => nothing is allocated", async () => {
    const primary = await fleet.primary();
    const before = await primary.residentBytes();
    for (let i = 0; i < 200; i++) {
      const socket = await open(primary.port);
      socket.write("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nxyz");
    }
    expect(await primary.call("PING")).toBe("PONG");
    expect((await primary.residentBytes()) - before).toBeLessThan(100 * MIB);
  });

  test("that sends rubbish => one log line with the reason, closed; others go on", async () => {
    const primary = await fleet.primary();
    const witness = await RawResp.connect(primary.port);
    for (const rubbish of ["*x\r\n", "POST / HTTP/1.1\r\n\r\n", "x".repeat(70_000)]) {
      const bad = await RawResp.connect(primary.port);
      await bad.untilClosed(Buffer.from(rubbish));
    }
    expect(await witness.replies(encodeRequest(["PING"]))).toBe("+PONG\r\n");
    expect(primary.findAll("client_dropped")).toHaveLength(3);
    witness.close();
  });

  test("beyond --maxclients => refused with redis's words", async () => {
    const primary = await fleet.primary("--maxclients", "3");
    for (let i = 0; i < 3; i++) await open(primary.port);
    await until(
      async () => {
        const refused = await RawResp.connect(primary.port);
        const answer = await refused.untilClosed().catch(() => "");
        return answer === "-ERR max number of clients reached\r\n" ? true : null;
      },
      { what: "a refusal" },
    );
  });

  test("with a value of 100 MiB in small pieces => stored and read back whole", async () => {
    const primary = await fleet.primary();
    const value = Buffer.alloc(100 * MIB);
    for (let i = 0; i < value.length; i += 4096) value.writeUInt32LE(i, i);
    const client = await primary.client();
    expect(await client.call("SET", "k", value)).toBe("OK");
    const back = await client.call("GET", "k");
    expect(Buffer.isBuffer(back) && back.equals(value)).toBe(true);
  });
});

describe("e2e: process", () => {
  test("SIGTERM with clients connected => exit 0; SHUTDOWN => exit 0", async () => {
    for (const end of ["SIGTERM", "SHUTDOWN"] as const) {
      const primary = await fleet.primary();
      const socket = await open(primary.port);
      if (end === "SIGTERM") primary.signal("SIGTERM");
      else socket.write("SHUTDOWN\r\n");
      expect(await primary.ended(15_000)).toEqual({ code: 0, signal: null });
    }
  });

  test("a port that is taken => exit 1 and a reason", async () => {
    const primary = await fleet.primary();
    const { runHawser } = await import("../../tools/processes.ts");
    const second = await runHawser(["primary", "--port", String(primary.port), "--repl-port", "0"]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain("EADDRINUSE");
  });
});
