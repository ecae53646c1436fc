/** Replies of the client port that wait for the end of the turn, over real sockets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../../../tools/wait.ts";
import { FakePort, request } from "./fake-node.ts";

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
    port.node.turn.isDue = true;
    answer = "";
    socket.write(request("SET", "a", "1"));
    await until(() => port.server.context.counters.commands === 2, { what: "the command ran" });
    port.node.turn.isDue = false;
    // What comes later on the same connection waits behind it.
    socket.write(request("GET", "a"));
    await until(() => port.server.context.counters.commands === 3, { what: "both ran" });
    expect(answer).toBe("");
    port.node.turn.releaseReplies();
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
      port.node.turn.isDue = n % 2 === 0;
      socket.write(request("PING"));
      await until(() => counters.commands === 33 + n, { what: "a PING", everyMs: 0 });
      port.node.turn.releaseReplies();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    socket.resume();
    await until(() => answer.endsWith("+PONG\r\n".repeat(1000)), { what: "all answers" });
  });

  it("has UNCONFIRMED for each write that was executed, and the other answers as they are", async () => {
    await open();
    port.node.turn.isDue = true;
    port.node.turn.confirmsDurable = true;
    const big = "v".repeat(300_000);
    const commands = [
      ["SET", "a", "1"],
      ["GET", "a"],
      ["DEL", "none"],
      ["INCR", "s"],
      ["SET", "s", "x"],
      ["INCR", "s"],
      ["MULTI"],
      ["INCR", "n"],
      ["GET", "n"],
      ["EXEC"],
      ["SET", "big", big],
      ["GETDEL", "big"],
      ["PING"],
    ];
    socket.write(commands.map((words) => request(...words)).join(""));
    const { counters } = port.server.context;
    await until(() => counters.commands === commands.length, { what: "all ran" });
    // What is refused by then stands behind them.
    port.node.refusal = "disk";
    socket.write(request("SET", "a", "2"));
    await until(() => counters.commands === commands.length + 1, { what: "one more" });
    expect(answer).toBe("");
    port.node.turn.giveUpReplies();
    await until(() => answer.includes("MISCONF"), { what: "answers" });
    const no = "-UNCONFIRMED";
    expect(answer.split("\r\n").map((line) => line.split(" ")[0])).toEqual(
      [
        no,
        "$1",
        "1",
        ":0",
        no,
        no,
        "-ERR",
        "+OK",
        "+QUEUED",
        "+QUEUED",
        no,
        no,
        no,
        "+PONG",
      ].concat(["-MISCONF", ""]),
    );
    expect(counters.unconfirmedWrites).toBe(6);
    // All is well again, and the places in the stream are right.
    port.node.refusal = null;
    answer = "";
    socket.write(request("INCR", "n") + request("GET", "n"));
    await until(() => counters.commands === commands.length + 3, { what: "both ran" });
    port.node.turn.giveUpReplies();
    await until(() => answer.endsWith("$1\r\n2\r\n"), { what: "answers" });
    expect(answer).toMatch(/^-UNCONFIRMED [^\r]*\r\n\$1\r\n2\r\n$/);
  });

  it("hands over no part of an answer to EXEC before its writes are in the log", async () => {
    await open();
    port.node.turn.confirmsDurable = true;
    const held: number[] = [];
    const { turn } = port.node;
    turn.holdReply = (out, bytes) => {
      held.push(out.wroteTo);
      return turn.replies.hold(out, bytes, 0, true);
    };
    const big = "v".repeat(300_000);
    socket.write(request("SET", "big", big) + request("SET", "big", big, "GET"));
    socket.write(
      request("MULTI") + request("SET", "a", "1") + request("GET", "big") + request("EXEC"),
    );
    await until(() => port.server.context.counters.commands === 6, { what: "all ran" });
    const { tail } = port.node.log;
    expect(held.slice(-3)).toEqual([tail, tail, tail]);
    expect(Math.min(...held)).toBeGreaterThan(300_000);
    turn.replies.releaseTo(0);
    await until(() => answer.endsWith(`${big}\r\n`), { what: "all answers" });
  });

  it("writes what waits before it ends a connection", async () => {
    await open();
    port.node.turn.isDue = true;
    socket.write(request("SET", "a", "1") + request("QUIT"));
    await until(() => port.server.context.counters.commands === 2, { what: "both ran" });
    const closed = once(socket, "close");
    port.node.turn.releaseReplies();
    await closed;
    expect(answer).toBe("+OK\r\n+OK\r\n");
  });
});
