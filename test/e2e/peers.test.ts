/**
 * Peers that are none: each costs one connection and one log line with a reason, next to no memory,
 * and the other links do not notice.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { KeptEvent } from "../../src/node/event-log.ts";
import { AT, FRAME_HEAD_BYTES, headSum } from "../../src/wire/frame.ts";
import { encode, GREETING_MAGIC } from "../../src/wire/codec.ts";
import { hmacProof } from "../../src/wire/proof.ts";
import { converge, count } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { helloWith } from "../../tools/hello.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { until } from "../../tools/wait.ts";
import { WirePeer } from "../tools/wire-peer.ts";

const MIB = 1024 * 1024;
const HTTP = "GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n";

/** A control head that is right in itself and announces a frame of `length` bytes. */
function headOf(type: number, length: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head[AT.type] = type;
  head.writeUInt32LE(length, AT.length);
  head.writeUInt32LE(headSum(head, 0, FRAME_HEAD_BYTES), AT.headCrc);
  return head;
}

interface Scene {
  readonly fleet: Fleet;
  readonly primary: Daemon;
  readonly replica: Daemon;
}

async function scene(...flags: string[]): Promise<Scene> {
  const fleet = useFleet();
  const primary = await fleet.primary(...flags);
  const replica = await fleet.replica(primary, ...flags);
  await fill(primary, { keys: 100 });
  await converge([primary, replica]);
  return { fleet, primary, replica };
}

/** Somebody who does not open a connection as a replica does. */
async function knockAt({ fleet, primary }: Scene, bytes: Buffer | string) {
  const socket = connect(primary.replPort, "127.0.0.1");
  const heard: Buffer[] = [];
  const stranger = {
    socket,
    isClosed: false,
    remote: "",
    text: () => Buffer.concat(heard).toString("latin1"),
  };
  socket.on("data", (piece: Buffer) => heard.push(piece));
  socket.on("error", () => undefined);
  socket.on("close", () => (stranger.isClosed = true));
  fleet.defer(() => socket.destroy());
  await once(socket, "connect");
  stranger.remote = `127.0.0.1:${socket.localPort}`;
  if (bytes !== "") socket.write(bytes);
  return stranger;
}

async function strangerAt({ fleet, primary }: Scene): Promise<WirePeer> {
  const peer = await WirePeer.connect(primary.replPort);
  fleet.defer(() => peer.socket.destroy());
  return peer;
}

/** The stranger's connection has ended with this reason, in one line, and the replica did not notice. */
async function costOneLine(
  { primary, replica }: Scene,
  stranger: WirePeer,
  remote: string,
  reason: string,
  detail: RegExp,
): Promise<void> {
  await stranger.closes();
  const line = await until(() => primary.find("link_closed", { remote }), { what: "the log line" });
  expect(line["reason"]).toBe(reason);
  expect(String(line["detail"])).toMatch(detail);
  await primary.call("SET", "after", remote);
  const { counters } = await converge([primary, replica]);
  expect(primary.log.filter((one) => one["remote"] === remote)).toHaveLength(1);
  expect(count(counters[0]!, "links_accepted")).toBe(2);
  expect(count(counters[0]!, `link_drops_${reason}`)).toBe(1);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(replica.findAll("welcomed")).toHaveLength(1);
}

describe("e2e: peers: strangers on the replication port", () => {
  const random = new Random(4);
  const HEAD_4_GIB = Buffer.concat([headOf(2, 0xffff_ffff), random.bytes(4096)]);
  const FRAMES: readonly (readonly [string, Buffer])[] = [
    ["a frame announcing 4 GiB", HEAD_4_GIB],
    ["a HELLO announcing one byte too many", headOf(2, 4 * 1024 + 17)],
    ["a frame type that does not exist", headOf(99, 16)],
    ["a frame that only feeders send", headOf(3, 16)],
  ];
  test.each(FRAMES)("%s => REJECT, closed, one line", async (_name, bytes) => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    const before = await at.primary.residentBytes();
    stranger.socket.write(bytes);
    const { code } = await stranger.hears("reject");
    expect(code).toBe("malformed");
    await costOneLine(at, stranger, remote, "rejected", /malformed/);
    expect((await at.primary.residentBytes()) - before).toBeLessThan(32 * MIB);
  });

  const NOISE: readonly (readonly [string, Buffer | string, string, RegExp])[] = [
    ["64 KiB of random bytes", random.bytes(65_536), "noise", /^-ERR /],
    ["zeros", Buffer.alloc(1024), "noise", /^-ERR /],
    ["a HELLO and no opening", encode(helloWith()), "noise", /^-ERR /],
    ["TLS", Buffer.from(`16030100a5010000a103${"5a".repeat(160)}`, "hex"), "noise", /^-ERR /],
    ["an HTTP request", HTTP, "http", /^HTTP\/1.1 400 Bad Request\r\n.*\r\n\r\nthis is hawser's/s],
    ["a RESP command", "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", "resp", /^-ERR /],
    ["an inline command", "PING\r\n", "resp", /^-ERR /],
  ];
  test.each(NOISE)("%s => one readable line, closed, no link", async (_n, bytes, kind, answer) => {
    const at = await scene();
    const stranger = await knockAt(at, bytes);
    await until(() => stranger.isClosed, { what: "the end of the connection" });
    expect(stranger.text()).toMatch(answer);
    expect(stranger.text()).toContain(
      `this is hawser's replication port; clients connect to port ${at.primary.port}`,
    );
    const { remote } = stranger;
    const line = await until(() => at.primary.find("stranger", { remote }), { what: "its line" });
    expect(line).toMatchObject({ level: "warn", kind });
    await at.primary.call("SET", "after", remote);
    const { counters } = await converge([at.primary, at.replica]);
    expect(at.primary.log.filter((one) => one["remote"] === remote)).toHaveLength(1);
    expect(count(counters[0]!, `strangers_${kind}`)).toBe(1);
    expect(count(counters[0]!, "links_accepted")).toBe(1);
    expect(at.replica.findAll("welcomed")).toHaveLength(1);
  });

  test("a HELLO of a version nobody speaks => REJECT version, with both versions", async () => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    await stranger.hears("greeting");
    stranger.say(stranger.hello({ version: 999 }));
    const { code, message } = await stranger.hears("reject");
    expect(code).toBe("version");
    expect(message).toMatch(/999.*1/);
    await costOneLine(at, stranger, remote, "rejected", /version.*999/);
  });

  test("a record format it cannot read => REJECT format, before any data", async () => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    await stranger.hears("greeting");
    stranger.say(stranger.hello({ format: { name: "other-kv", version: 7 } }));
    expect((await stranger.hears("reject")).code).toBe("format");
    await costOneLine(at, stranger, remote, "rejected", /format.*other-kv\/7/);
  });

  test.each(["", "wrong"])("the password %j where one is set => REJECT auth", async (password) => {
    const at = await scene("--repl-password", "right", "--clients-open");
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    const { nonce, authRequired } = await stranger.hears("greeting");
    expect(authRequired).toBe(true);
    const hello = stranger.hello();
    const proof = password === "" ? "" : hmacProof(password, "replica", nonce, hello.nonce);
    stranger.say({ ...hello, proof });
    expect((await stranger.hears("reject")).code).toBe("auth");
    await costOneLine(at, stranger, remote, "rejected", /auth/);
  });

  test("half a HELLO and then nothing => closed by the handshake clock", async () => {
    const at = await scene("--handshake-timeout", "3s");
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    stranger.socket.write(encode(stranger.hello()).subarray(0, 40));
    await costOneLine(at, stranger, remote, "handshake_timeout", /HELLO/);
  });

  test("half a HELLO and then FIN => closed, one line", async () => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    stranger.socket.end(encode(stranger.hello()).subarray(0, 40));
    await costOneLine(at, stranger, remote, "peer_closed", /./);
  });

  test("a HELLO byte by byte => welcomed as any other", async () => {
    const at = await scene();
    const stranger = await strangerAt(at);
    await stranger.hears("greeting");
    stranger.socket.setNoDelay(true);
    for (const byte of encode(stranger.hello())) {
      stranger.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await stranger.hears("welcome")).decision).toBe("ship_new");
  });

  test("an ACK of bytes that were never sent => protocol error, closed", async () => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    await stranger.hears("greeting");
    const { position } = await at.primary.status();
    stranger.say(stranger.hello({ position, hasData: true }));
    expect((await stranger.hears("welcome")).decision).toBe("continue");
    const ahead = position.offset + 1_000_000;
    stranger.say({
      type: "ack",
      mode: "streaming",
      received: ahead,
      applied: ahead,
      durable: 0,
      room: 1,
      echo: 0,
    });
    await stranger.closes();
    const line = await until(() => at.primary.find("link_closed", { remote }), {
      what: "the line",
    });
    expect(line["reason"]).toBe("protocol");
    await converge([at.primary, at.replica]);
  });

  test("150 connections that say nothing and stay => 50 make room, a new replica comes in at once", async () => {
    const at = await scene();
    const silent = await Promise.all(Array.from({ length: 150 }, () => knockAt(at, "")));
    await until(() => silent.filter((one) => one.isClosed).length === 50, {
      what: "50 to be closed",
      describe: () => silent.filter((one) => one.isClosed).length,
    });
    const late = await at.fleet.replica(at.primary);
    await at.primary.call("SET", "still", "writing");
    const { counters } = await converge([at.primary, at.replica, late]);
    expect(late.findAll("upstream_lost")).toEqual([]);
    expect(count(counters[0]!, "strangers_crowded_out")).toBeGreaterThanOrEqual(50);
    expect(silent.filter((one) => !one.isClosed).length).toBeGreaterThan(90);
  });

  test("110 connections that open like a replica and say no more => a new replica comes in at once", async () => {
    const at = await scene();
    const idle = await Promise.all(Array.from({ length: 110 }, () => strangerAt(at)));
    await until(() => idle.filter((peer) => peer.isClosed).length === 10, { what: "10 refusals" });
    const late = await at.fleet.replica(at.primary);
    await converge([at.primary, at.replica, late]);
    expect(late.findAll("upstream_lost")).toEqual([]);
  });

  test("130 plain TCP checks => what happened before is still among the events, and they are one", async () => {
    const at = await scene();
    for (let n = 0; n < 130; n++) {
      const check = await knockAt(at, "");
      check.socket.destroy();
    }
    const events = await until(
      async () => {
        const told = JSON.parse(String(await at.primary.call("REPL.EVENTS"))) as KeptEvent[];
        return told.some(({ event, times }) => event === "stranger" && times === 130) && told;
      },
      { what: "130 checks as one event" },
    );
    const names = events.map(({ event }) => event);
    expect(names).toEqual(expect.arrayContaining(["resume", "ship_begins", "ship_done"]));
    expect(names.filter((name) => name === "stranger")).toHaveLength(1);
    expect(at.primary.findAll("stranger")).toEqual([]); // Quiet: below the level of info.
  });
});

describe("e2e: peers: what a replica is told by an upstream that is none", () => {
  // Why with the magic: before it nobody is taken for a feeder, and waited for.
  const GREETING_OF_4_GIB = Buffer.concat([headOf(1, 0xffff_ffff), Buffer.from(GREETING_MAGIC)]);
  const NOISE: readonly (readonly [string, (socket: Socket) => void, RegExp])[] = [
    ["random bytes", (socket) => void socket.write(new Random(9).bytes(100_000)), /./],
    [
      "HTTP",
      (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
      /./,
    ],
    [
      "a frame announcing 4 GiB",
      (socket) => void socket.write(GREETING_OF_4_GIB),
      /4294967295 bytes, expected/,
    ],
    ["a closed door", (socket) => void socket.destroy(), /./],
    ["a reset", (socket) => void socket.resetAndDestroy(), /./],
  ];
  test.each(NOISE)(
    "%s => an error in status, data kept, back by partial resync",
    async (_name, act, why) => {
      const at = await scene();
      const proxy = await at.fleet.proxy(at.primary);
      const follower = await at.fleet.replica(proxy);
      await converge([at.primary, follower]);
      let visits = 0;
      const impostor = createServer((socket) => {
        visits++;
        socket.on("error", () => undefined);
        act(socket);
      });
      impostor.listen(0, "127.0.0.1");
      await once(impostor, "listening");
      at.fleet.defer(() => impostor.close());
      proxy.retarget((impostor.address() as AddressInfo).port);
      proxy.cutAll("reset");
      await until(() => visits >= 3, { what: "three attempts" });
      const { upstream } = await follower.status();
      expect(upstream?.lastError).toMatch(why);
      expect(await follower.call("DBSIZE")).toBe(100);
      expect(await follower.residentBytes()).toBeLessThan(256 * MIB);
      proxy.retarget(at.primary.replPort);
      await at.primary.call("SET", "meanwhile", "x");
      const { counters } = await converge([at.primary, follower, at.replica]);
      expect(count(counters[0]!, "sync_full")).toBe(2);
      expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
    },
  );
});

describe("e2e: peers: a client port as --of", () => {
  /** A server that answers every connection's first bytes with these. */
  async function answering(fleet: Fleet, answer: Buffer | string): Promise<[number, () => number]> {
    let visits = 0;
    const server = createServer((socket) => {
      visits += 1;
      socket.on("error", () => undefined);
      socket.once("data", () => socket.write(answer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    fleet.defer(() => server.close());
    return [(server.address() as AddressInfo).port, () => visits];
  }

  async function lastError(replica: Daemon, words: string | RegExp): Promise<void> {
    await until(
      async () => new RegExp(words).test((await replica.status()).upstream?.lastError ?? ""),
      { what: `the error "${words}"`, describe: () => replica.status() },
    );
  }

  test("the replication port 99999999 => an error that names it, the replica goes on", async () => {
    const fleet = useFleet();
    const [port] = await answering(fleet, "*2\r\n$9\r\nrepl_port\r\n:99999999\r\n");
    const replica = await fleet.replica(port, "--repl-password", "harbour", "--clients-open");
    await lastError(replica, "it names the replication port 99999999, expected 1 to 65535");
    expect(replica.exit).toBeNull();
    await expect(replica.call("DBSIZE")).rejects.toThrow("LOADING");
  });

  test("a port that names itself => an error, not a loop of connections", async () => {
    const fleet = useFleet();
    const address = { port: 0 };
    let visits = 0;
    const server = createServer((socket) => {
      visits += 1;
      socket.on("error", () => undefined);
      socket.once("data", () => socket.write(`*2\r\n$9\r\nrepl_port\r\n:${address.port}\r\n`));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    fleet.defer(() => server.close());
    address.port = (server.address() as AddressInfo).port;
    const replica = await fleet.replica(address.port);
    await lastError(replica, "as its replication port, and it is none");
    const { upstream } = await replica.status();
    expect(visits).toBeLessThan(4 + 2 * replica.findAll("upstream_lost").length);
    expect(upstream?.state).not.toBe("streaming");
  });

  test("the upstream is at --maxclients => the error says so; back when there is a place", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary("--maxclients", "2");
    await primary.call("SET", "k", "v"); // The test's own client has one place.
    const other = connect(primary.port, "127.0.0.1");
    await once(other, "connect");
    await primary.call("PING");
    const replica = await fleet.replica(primary.port);
    await lastError(replica, /no place left \(max number of clients reached\)/);
    other.destroy();
    await converge([primary, replica]);
  });

  test("an upstream that greets without end and reads nothing => one HELLO, little memory", async () => {
    const fleet = useFleet();
    const greeting = encode({
      type: "greeting",
      versionMin: 1,
      versionMax: 1,
      nonce: "0".repeat(32),
      authRequired: false,
    });
    const [port, visits] = await answering(
      fleet,
      Buffer.concat(Array<Buffer>(100_000).fill(greeting)),
    );
    const replica = await fleet.replica(port, "--backoff-max", "100ms");
    const before = await replica.residentBytes();
    await lastError(replica, "a second GREETING");
    await until(() => visits() >= 5, { what: "five attempts" });
    expect((await replica.residentBytes()) - before).toBeLessThan(64 * MIB);
  });
});

describe("e2e: peers: far away", () => {
  test.each([400, 2_000])("%d ms one way => a link, without one failure", async (delayMs) => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    await fill(primary, { keys: 10 });
    const proxy = await fleet.proxy(primary);
    for (const way of [proxy.up, proxy.down]) way.set({ delayMs });
    const replica = await fleet.replica(proxy);
    await until(() => replica.find("restored", {}), { what: "the first sync", timeoutMs: 40_000 });
    await converge([primary, replica]);
    expect(replica.findAll("upstream_lost")).toEqual([]);
    const { counters } = await primary.status();
    expect(count(counters, "links_rejected")).toBe(0);
    expect(count(counters, "strangers_resp")).toBe(0);
  });
});
