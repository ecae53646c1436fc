import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { LateReplies, type LateSink } from "../../../src/resp/late-replies.ts";
import { until } from "../../tools/wait.ts";
import { FakePort, request } from "./fake-node.ts";

class Sink implements LateSink {
  late = false;
  written: Buffer[] = [];
  keeps = false;
  writeNow(bytes: Buffer): boolean {
    this.written.push(bytes);
    return !this.keeps;
  }
}

describe("LateReplies", () => {
  it("writes what waits in order, each to its own sink, once", () => {
    const [late, a, b] = [new LateReplies(), new Sink(), new Sink()];
    late.hold(a, Buffer.from("1"));
    late.hold(b, Buffer.from("2"));
    late.hold(a, Buffer.from("3"));
    expect([a.late, b.late, a.written, b.written]).toEqual([true, true, [], []]);
    late.release();
    late.release();
    expect(a.written.map(String)).toEqual(["1", "3"]);
    expect(b.written.map(String)).toEqual(["2"]);
    expect([a.late, b.late]).toEqual([false, false]);
  });

  it("keeps a copy: the writer's buffer is used again before the release", () => {
    const [late, sink, bytes] = [new LateReplies(), new Sink(), Buffer.from("one")];
    late.hold(sink, bytes);
    bytes.write("two");
    late.release();
    expect(String(sink.written[0])).toBe("one");
  });

  it("does not write over bytes that a sink kept", () => {
    const [late, sink] = [new LateReplies(), new Sink()];
    sink.keeps = true;
    late.hold(sink, Buffer.from("kept"));
    late.release();
    late.hold(sink, Buffer.from("next"));
    expect(String(sink.written[0])).toBe("kept");
  });

  it("refuses more than a page, and takes none of it", () => {
    const [late, sink] = [new LateReplies(), new Sink()];
    expect(late.hold(sink, Buffer.alloc(64 * 1024))).toBe(true);
    expect(late.hold(sink, Buffer.alloc(1))).toBe(false);
    late.release();
    expect(sink.written.map((bytes) => bytes.length)).toEqual([64 * 1024]);
  });
});

describe("the client port", () => {
  let port: FakePort;
  let socket: Socket;
  let answer = "";

  async function open(): Promise<void> {
    answer = "";
    port = new FakePort();
    const at = await port.server.listen(0, "127.0.0.1");
    socket = connect(at, "127.0.0.1");
    socket.on("data", (bytes) => (answer += String(bytes)));
    await once(socket, "connect");
  }

  afterEach(async () => {
    socket.destroy();
    await port.server.close();
  });

  it("answers a write after the pump's turn, and a read at once when none is due", async () => {
    await open();
    socket.write(request("GET", "a"));
    await until(() => answer !== "", { what: "an answer" });
    port.node.turnDue = true;
    answer = "";
    socket.write(request("SET", "a", "1"));
    await until(() => port.node.afterwards !== null, { what: "the command ran" });
    port.node.turnDue = false;
    // What comes later on the same connection waits behind it.
    socket.write(request("GET", "a"));
    await until(() => port.server.context.counters.commands === 3, { what: "both ran" });
    expect(answer).toBe("");
    port.node.afterwards!();
    await until(() => answer === "+OK\r\n$1\r\n1\r\n", { what: "both answers" });
  });

  it("keeps the bytes of queued replies and not the buffers they were made in", async () => {
    await open();
    socket.pause();
    const { counters, clients } = port.server.context;
    const put = request("SET", "a", "v".repeat(1024 * 1024));
    socket.write(put + request("GET", "a").repeat(32));
    await until(() => counters.commands === 33, { what: "32 MiB of replies" });
    const [client] = clients.values();
    expect(client!.outputBytes).toBeGreaterThan(8 * 1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 1; n <= 1000; n++) {
      port.node.turnDue = n % 2 === 0;
      socket.write(request("PING"));
      await until(() => counters.commands === 33 + n, { what: "a PING", everyMs: 0 });
      port.node.afterwards?.();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    socket.resume();
    await until(() => answer.endsWith("+PONG\r\n".repeat(1000)), { what: "all answers" });
  });

  it("writes what waits before it ends a connection", async () => {
    await open();
    port.node.turnDue = true;
    socket.write(request("SET", "a", "1") + request("QUIT"));
    await once(socket, "close");
    expect(answer).toBe("+OK\r\n+OK\r\n");
  });
});
