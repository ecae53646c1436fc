/**
 * Peers that are none: each costs one connection and one log line with a reason, next to no memory,
 * and the other links do not notice.
 */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { AT, FRAME_HEAD_BYTES, headSum } from "../../src/wire/frame.ts";
import { encode } from "../../src/wire/codec.ts";
import { hmacProof } from "../../src/wire/proof.ts";
import { converge, count } from "../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../tools/processes.ts";
import { Random } from "../tools/random.ts";
import { until } from "../tools/wait.ts";
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
  const NOISE: readonly (readonly [string, Buffer | string, RegExp])[] = [
    ["64 KiB of random bytes", random.bytes(65_536), /malformed/],
    ["an HTTP request", HTTP, /malformed/],
    ["a RESP command", "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", /malformed/],
    ["zeros", Buffer.alloc(1024), /malformed/],
    [
      "a TLS ClientHello",
      Buffer.from(`16030100a5010000a103${"5a".repeat(160)}`, "hex"),
      /malformed/,
    ],
    ["a frame announcing 4 GiB", HEAD_4_GIB, /malformed/],
    ["a HELLO announcing one byte too many", headOf(2, 4 * 1024 + 17), /malformed/],
    ["a frame type that does not exist", headOf(99, 16), /malformed/],
    ["a frame that only feeders send", headOf(3, 16), /malformed/],
  ];
  test.each(NOISE)("%s => REJECT, closed, one line", async (_name, bytes, detail) => {
    const at = await scene();
    const stranger = await strangerAt(at);
    const { remote } = stranger;
    const before = await at.primary.residentBytes();
    stranger.socket.write(bytes);
    const { code } = await stranger.hears("reject");
    expect(code).toBe("malformed");
    await costOneLine(at, stranger, remote, "rejected", detail);
    expect((await at.primary.residentBytes()) - before).toBeLessThan(32 * MIB);
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
    const at = await scene();
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

  test("150 connections that say nothing => those over the limit are turned away", async () => {
    const at = await scene();
    const silent = await Promise.all(Array.from({ length: 150 }, () => strangerAt(at)));
    await until(
      () => silent.filter((peer) => peer.heard.some((one) => one.type === "reject")).length === 50,
      { what: "50 refusals", describe: () => silent.map((peer) => peer.heard.length).join(",") },
    );
    await at.primary.call("SET", "still", "writing");
    await converge([at.primary, at.replica]);
    for (const peer of silent) peer.socket.destroy();
    const late = await at.fleet.replica(at.primary);
    await converge([at.primary, at.replica, late]);
  });
});

describe("e2e: peers: what a replica is told by an upstream that is none", () => {
  const NOISE: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["random bytes", (socket) => void socket.write(new Random(9).bytes(100_000))],
    [
      "HTTP",
      (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    ],
    ["a frame announcing 4 GiB", (socket) => void socket.write(headOf(1, 0xffff_ffff))],
    ["a closed door", (socket) => void socket.destroy()],
    ["a reset", (socket) => void socket.resetAndDestroy()],
  ];
  test.each(NOISE)(
    "%s => an error in status, data kept, back by partial resync",
    async (_name, act) => {
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
      expect(upstream?.lastError).not.toBe("");
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
