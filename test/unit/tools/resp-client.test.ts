import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReplyError, RespClient, encode, parseInfo } from "../../../tools/resp-client.ts";
import { until, within } from "../../../tools/wait.ts";

let server: Server;
let peer: Promise<Socket>;
let client: RespClient;

beforeEach(async () => {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  peer = once(server, "connection").then(([socket]) => socket as Socket);
  client = await RespClient.connect((server.address() as AddressInfo).port);
});
afterEach(async () => {
  client.close();
  (await peer).destroy();
  server.close();
});

const WIRE =
  "+OK\r\n-ERR no\r\n:-7\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*3\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n*-1\r\n";
const REPLIES = [
  "OK",
  new ReplyError("ERR no"),
  -7,
  null,
  Buffer.alloc(0),
  Buffer.from("a\r\nb"),
  [1, [Buffer.from("x")], []],
  null,
];

test("resp client: every reply type, split at every byte", async () => {
  const socket = await peer;
  socket.setNoDelay(true);
  for (let at = 1; at < WIRE.length; at++) {
    const replies = client.raw("PING\r\n", REPLIES.length);
    socket.write(WIRE.slice(0, at));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(WIRE.slice(at));
    expect(await within(replies, "the replies", 5000)).toEqual(REPLIES);
  }
});

test("resp client: commands are binary-safe", () => {
  const bytes = encode([
    ["SET", Buffer.from([0, 13, 10, 255]), "ü"],
    ["INCRBY", "n", 12],
  ]);
  expect(bytes.toString("latin1")).toBe(
    "*3\r\n$3\r\nSET\r\n$4\r\n\0\r\n\xff\r\n$2\r\n\xc3\xbc\r\n*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$2\r\n12\r\n",
  );
});

test("resp client: an error reply rejects call() and is a value of ask()", async () => {
  const called = client.call("X");
  const asked = client.ask("X");
  (await peer).write("-ERR a\r\n-ERR b\r\n");
  await expect(called).rejects.toThrow("ERR a");
  expect(await asked).toEqual(new ReplyError("ERR b"));
});

test("resp client: a cut rejects what is waiting and what comes later", async () => {
  const waiting = client.call("PING");
  (await peer).destroy();
  await expect(waiting).rejects.toThrow("closed");
  await expect(client.call("PING")).rejects.toThrow("closed");
  expect(client.isOpen).toBe(false);
});

test("parseInfo: fields, counters and the list of replicas", () => {
  const info = parseInfo(
    "# Replication\r\nrole:master\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=14,lag=0\r\nsync_full:2\r\n",
  );
  expect(info.text("role")).toBe("master");
  expect(info.number("sync_full")).toBe(2);
  expect(info.counter("sync_partial_ok")).toBe(0);
  expect(info.replicas.map((replica) => replica.get("offset"))).toEqual(["14"]);
  expect(() => info.text("nothing")).toThrow("INFO has no field nothing");
});

test("until: says what was waited for, the last value and the state seen", async () => {
  const waiting = until(() => 0, {
    what: "a miracle",
    timeoutMs: 30,
    everyMs: 5,
    describe: () => ({ seen: "none" }),
  });
  await expect(waiting).rejects.toThrow(
    /waiting for: a miracle\s+last value: 0\s+seen: {"seen":"none"}/,
  );
});

test("until: throws count as not yet, and the last one is told", async () => {
  let calls = 0;
  const value = await until(
    () => {
      calls++;
      if (calls < 3) throw new Error("not yet");
      return "there";
    },
    { what: "the third call", everyMs: 1 },
  );
  expect(value).toBe("there");
  const never = until(() => Promise.reject(new Error("still down")), {
    what: "a server",
    timeoutMs: 20,
  });
  await expect(never).rejects.toThrow("last error: still down");
});
