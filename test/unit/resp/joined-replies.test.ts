/** Replies that wait for the answer their client waits for: whose, how long, and in one write with it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../tools/wait.ts";
import { JoinedReplies, type JoinedOut } from "../../../src/resp/joined-replies.ts";
import { FakePort, request } from "./fake-node.ts";

class Kept implements JoinedOut {
  released = 0;

  releaseJoined(): void {
    this.released += 1;
  }
}

describe("who keeps replies", () => {
  const steps: (() => void)[] = [];
  let joined: JoinedReplies;

  beforeEach(() => {
    steps.length = 0;
    joined = new JoinedReplies((step) => steps.push(step));
  });

  function step(): void {
    expect(steps).toHaveLength(1);
    steps.pop()!();
  }

  it("is released in the second step after it began, once; nothing steps when nobody does", () => {
    const [early, late] = [new Kept(), new Kept()];
    joined.add(early);
    step();
    joined.add(late);
    expect([early.released, late.released, joined.size]).toEqual([0, 0, 2]);
    step();
    expect([early.released, late.released, joined.size]).toEqual([1, 0, 1]);
    step();
    expect([early.released, late.released, joined.size]).toEqual([1, 1, 0]);
    expect(steps).toHaveLength(0);
    joined.add(early);
    step();
    step();
    expect([early.released, steps.length]).toEqual([2, 0]);
  });

  it("is not released when it was answered, in whichever step; one that keeps again has its whole time", () => {
    const [first, second, again] = [new Kept(), new Kept(), new Kept()];
    joined.add(first);
    joined.add(second);
    joined.add(again);
    joined.delete(first);
    step();
    joined.delete(second);
    joined.delete(again);
    joined.add(again);
    step();
    expect([first.released, second.released, again.released]).toEqual([0, 0, 0]);
    step();
    expect([first.released, second.released, again.released]).toEqual([0, 0, 1]);
  });
});

describe("SET and WAIT in one read", () => {
  const SET_WAIT = request("SET", "a", "1") + request("WAIT", "1", "0");
  let port: FakePort;
  let socket: Socket;
  let answer = "";

  beforeEach(async () => {
    answer = "";
    port = new FakePort();
    socket = connect(await port.server.listen(0, "127.0.0.1"), "127.0.0.1");
    socket.on("data", (bytes) => (answer += String(bytes)));
    await once(socket, "connect");
  });

  afterEach(async () => {
    socket.destroy();
    await port.server.close();
  });

  async function waiting(count: number): Promise<void> {
    await until(() => port.node.waits.length === count, { what: "somebody waits", everyMs: 0 });
  }

  it("are answered by one write when the count comes soon, each time", async () => {
    for (let n = 1; n <= 3; n++) {
      answer = "";
      const { writes } = port.server.context.counters;
      // What comes in the same turn is soon, whatever the machine does.
      const { feeder } = port.node;
      port.node.feeder = {
        ...feeder,
        wait: (wanted, untilMs, done) => {
          setImmediate(() => done(n));
          return feeder.wait(wanted, untilMs, done);
        },
      };
      socket.write(SET_WAIT);
      await until(() => answer.endsWith(`:${n}\r\n`), { what: "the count" });
      expect(answer).toBe(`+OK\r\n:${n}\r\n`);
      expect(port.server.context.counters.writes).toBe(writes + 1);
      port.node.feeder = feeder;
    }
  });

  it("OK comes without the count when that does not come", async () => {
    socket.write(SET_WAIT);
    await until(() => answer !== "", { what: "OK" });
    expect(answer).toBe("+OK\r\n");
    port.node.waits[0]!.done(1);
    await until(() => answer === "+OK\r\n:1\r\n", { what: "the count" });
    expect(port.server.context.counters.writes).toBe(2);
  });

  it("OK waits for the turn all the same, before its time is over and after", async () => {
    port.node.turn.isDue = true;
    socket.write(SET_WAIT);
    await until(() => port.node.turn.replies.length === 1, { what: "OK waits for the turn" });
    port.node.waits[0]!.done(1);
    expect(port.node.turn.replies.length).toBe(2);
    expect(answer).toBe("");
    port.node.turn.releaseReplies();
    await until(() => answer === "+OK\r\n:1\r\n", { what: "both" });
  });

  it("what waits for a disk is not kept for an answer, nor what is large", async () => {
    port.node.turn.isDue = true;
    port.node.turn.confirmsDurable = true;
    socket.write(SET_WAIT);
    await waiting(1);
    expect(port.node.turn.replies.length).toBe(1);
    port.node.turn.isDue = false;
    port.node.turn.confirmsDurable = false;
    port.node.turn.releaseReplies();
    port.node.waits[0]!.done(1);
    socket.write(request("SET", "a", "v".repeat(2000)));
    await until(() => answer.endsWith("+OK\r\n:1\r\n+OK\r\n"), { what: "all" });
    const { writes } = port.server.context.counters;
    socket.write(request("GET", "a") + request("WAIT", "1", "0"));
    await waiting(2);
    expect(port.server.context.counters.writes).toBe(writes + 1);
  });

  it("a client that is sent away, or goes, while it waits", async () => {
    socket.write(SET_WAIT);
    await waiting(1);
    const [client] = port.server.context.clients.values();
    client!.end();
    port.node.waits[0]!.done(null);
    await once(socket, "close");
    expect(answer).toMatch(/^\+OK\r\n-UNBLOCKED /);
    socket = connect(port.server.context.port, "127.0.0.1");
    socket.write(SET_WAIT);
    await waiting(2);
    socket.destroy();
    await until(() => port.node.waits[1]!.cancelled, { what: "the wait is cancelled" });
    expect(port.server.context.clients.size).toBe(0);
  });
});
