/** Outgoing connections: ready, too late, refused; one buffer for all reads. */
import { describe, expect, onTestFinished, test } from "vitest";
import { dial } from "../../../src/net/dial.ts";
import { until } from "../../../tools/wait.ts";
import { dialled, Heard, HOST, peer, Port } from "./tools.ts";

describe("dial", () => {
  test("what is written before it is ready is sent then", async () => {
    const port = await new Port().listen();
    const { socket, heard } = dialled(port.port);
    socket.write("early");
    const { heard: other } = await port.next(0);
    await until(() => other.text === "early", { what: "the bytes" });
    expect(heard.events).toEqual(["ready"]);
  });

  test("the other end speaks first => ready before its bytes", async () => {
    const at = await peer((socket) => socket.end("welcome"));
    const { heard } = dialled(at);
    await heard.closed();
    expect(heard.events).toEqual(["ready", "bytes", "closed"]);
    expect(heard).toMatchObject({ text: "welcome", failure: "" });
  });

  test("every read is put into the one buffer", async () => {
    const port = await new Port().listen();
    const readBuffer = Buffer.alloc(4096);
    const seen: [Buffer, number][] = [];
    const heard = new (class extends Heard {
      override onBytes(bytes: Buffer, length: number): void {
        super.onBytes(bytes, length);
        seen.push([bytes, length]);
      }
    })();
    const socket = dial({ host: HOST, port: port.port }, { readyMs: 5_000, readBuffer }, heard);
    onTestFinished(() => socket.destroy());
    const { socket: other } = await port.next(0);
    other.write(Buffer.alloc(10_000, "x"));
    await until(() => heard.bytes === 10_000, { what: "all bytes" });
    expect(seen.every(([bytes]) => bytes === readBuffer)).toBe(true);
    expect(Math.max(...seen.map(([, length]) => length))).toBe(4096);
  });

  test("nobody listens => closed with the system's words, never ready", async () => {
    const port = new Port();
    const at = await port.listener.listen({ host: HOST, port: 0 });
    await port.listener.stop();
    const { heard } = dialled(at);
    await heard.closed();
    expect(heard.events).toEqual(["closed"]);
    expect(heard.failure).toMatch(new RegExp(`ECONNREFUSED 127\\.0\\.0\\.1:${at}`));
  });

  test("not ready in time => closed, and the failure says so", async () => {
    // Why a host that has to be looked up: that takes a turn at least.
    const port = await new Port().listen();
    const { heard } = dialled(port.port, { readyMs: 0 }, "localhost");
    const began = performance.now();
    while (performance.now() - began < 5);
    await heard.closed();
    expect(heard.failure).toBe("connecting took too long");
    expect(heard.events).toEqual(["closed"]);
  });

  test("ready in time => the clock is stopped", async () => {
    const port = await new Port().listen();
    const { heard } = dialled(port.port, { readyMs: 200 });
    await until(() => heard.events.includes("ready"), { what: "ready" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard.failure).toBeNull();
  });
});
