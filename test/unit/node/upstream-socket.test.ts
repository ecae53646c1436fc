/** The session's connections over real sockets: whom they reach, and what is told of them. */
import type { Socket as NodeSocket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { CLIENT_PORT_PROBE } from "../../../src/node/target-probe.ts";
import { SessionSocket } from "../../../src/node/upstream-socket.ts";
import type { SocketUser } from "../../../src/replica/deps.ts";
import { encode } from "../../../src/wire/codec.ts";
import { OPENING } from "../../../src/wire/opening.ts";
import { until } from "../../../tools/wait.ts";
import { HOST, peer } from "../net/tools.ts";
import { EXAMPLES } from "../wire/examples.ts";

const GREETING = encode(EXAMPLES["greeting"]!);

class Session implements SocketUser {
  readonly heard: string[] = [];
  text = "";

  onConnected(): void {
    this.heard.push("connected");
  }
  onBytes(bytes: Buffer, from: number, to: number): void {
    this.text += bytes.toString("latin1", from, to);
  }
  onClosed(detail: string): void {
    this.heard.push(`closed ${detail}`);
  }
  step(): boolean {
    return false;
  }
  tick(): void {
    // No clocks here.
  }
  closed(): Promise<unknown> {
    return until(() => this.heard.some((one) => one.startsWith("closed")), { what: "the end" });
  }
}

/** A shell that dials `port()`, and who uses it. */
function shell(port: () => number): { readonly socket: SessionSocket; readonly session: Session } {
  const socket = new SessionSocket(() => ({ host: HOST, port: port() }), CLIENT_PORT_PROBE);
  const session = new Session();
  socket.attach(session);
  onTestFinished(() => {
    socket.destroy();
    socket.close();
  });
  return { socket, session };
}

/** A peer that answers the opening, when all of it is there, as `answer` says. */
function answering(answer: (socket: NodeSocket) => void): Promise<number> {
  return peer((socket) => {
    let heard = "";
    socket.on("data", (bytes) => {
      const before = heard;
      heard += bytes.toString("latin1");
      const opening = OPENING.toString("latin1");
      if (!before.startsWith(opening) && heard.startsWith(opening)) answer(socket);
    });
  });
}

const names = (port: number): string => `*2\r\n$9\r\nrepl_port\r\n:${port}\r\n`;

describe("the session's socket", () => {
  test("a feeder, its greeting cut => connected once, and every byte of it", async () => {
    const port = await answering((socket) => {
      socket.write(GREETING.subarray(0, 10));
      setTimeout(() => socket.end(GREETING.subarray(10)), 20);
    });
    const { socket, session } = shell(() => port);
    socket.dial();
    await session.closed();
    const end = `closed ${HOST}:${port}: the connection ended`;
    expect(session.heard).toEqual(["connected", end]);
    expect(session.text).toBe(GREETING.toString("latin1"));
  });

  test("a client port => the port that it names; asked again once that one fails", async () => {
    let greets = true;
    let asked = 0;
    const feeder = await answering((socket) => socket.end(greets ? GREETING : ""));
    const client = await answering((socket) => {
      asked += 1;
      socket.write(names(feeder));
    });
    const { socket, session } = shell(() => client);
    const dialled = async (): Promise<string[]> => {
      session.heard.length = 0;
      socket.dial();
      await session.closed();
      return session.heard;
    };
    const end = `closed ${HOST}:${feeder}: the connection ended`;
    expect([await dialled(), asked]).toEqual([["connected", end], 1]);
    greets = false;
    expect([await dialled(), asked]).toEqual([[end], 2]);
    expect([await dialled(), asked]).toEqual([[end], 3]);
  });

  test("a port that names another that is no feeder either => an error that names both", async () => {
    const second = await answering((socket) => socket.write(names(1)));
    const first = await answering((socket) => socket.write(names(second)));
    const { socket, session } = shell(() => first);
    socket.dial();
    await session.closed();
    expect(session.heard).toEqual([
      `closed ${HOST}:${second}: ${HOST}:${first} names it as its replication port, and it is none`,
    ]);
  });

  test("an answer without end => an error, and not all of it is kept", async () => {
    const port = await answering((socket) => socket.write(`*9999\r\n${"+x\r\n".repeat(2000)}`));
    const { socket, session } = shell(() => port);
    socket.dial();
    await session.closed();
    expect(session.heard).toEqual([`closed ${HOST}:${port}: it answers without end`]);
  });

  test("nobody listens => the address and the system's words", async () => {
    const { socket, session } = shell(() => 1);
    socket.dial();
    await session.closed();
    expect(session.heard).toEqual([`closed ${HOST}:1: connect ECONNREFUSED ${HOST}:1`]);
  });

  test.each(["end", "destroy"] as const)(
    "%s => nothing more is told of that connection",
    async (way) => {
      let other: NodeSocket | null = null;
      const port = await answering((socket) => {
        other ??= socket;
        socket.write(GREETING);
      });
      const { socket, session } = shell(() => port);
      socket.dial();
      await until(() => session.text.length === GREETING.length, { what: "the greeting" });
      socket[way]();
      other!.write("late");
      // The next one is told, from its beginning.
      socket.dial();
      await until(() => session.heard.length === 2, { what: "the second connection" });
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(session.heard).toEqual(["connected", "connected"]);
      expect(session.text).toBe(GREETING.toString("latin1").repeat(2));
      expect(socket.pendingBytes).toBe(0);
    },
  );
});
