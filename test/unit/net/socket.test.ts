/** What node's sockets do, and what is told of it, over real ones. */
import { connect, Socket as NodeSocket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Lingering } from "../../../src/net/lingering.ts";
import { Socket } from "../../../src/net/socket.ts";
import { until } from "../../../tools/wait.ts";
import { dialled, Heard, HOST, Port } from "./tools.ts";

const PIECE_BYTES = 64 * 1024 * 1024;

/** A connection to `port` by plain node. */
function plain(port: number, allowHalfOpen = false): NodeSocket {
  const socket = connect({ port, host: HOST, allowHalfOpen });
  socket.on("error", () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

describe("the end of a connection is told once, last, with its reason", () => {
  test("the other end ends => ours is sent too, and no failure", async () => {
    const port = await new Port().listen();
    const other = plain(port.port);
    other.end("last words");
    const { heard } = await port.next(0);
    await heard.closed();
    expect(heard.events).toEqual(["bytes", "closed"]);
    expect(heard).toMatchObject({ text: "last words", failure: "" });
  });

  test("the other end resets => the system's words", async () => {
    const port = await new Port().listen();
    const other = plain(port.port);
    const { socket, heard } = await port.next(0);
    other.resetAndDestroy();
    await heard.closed();
    expect(heard.failure).toMatch(/ECONNRESET/);
    expect(heard.events).toEqual(["closed"]);
    expect(socket.isGone).toBe(true);
  });

  test("a write after the other end is gone => EPIPE or the reset that was not read, told once", async () => {
    const port = await new Port().listen();
    const other = plain(port.port);
    const { socket, heard } = await port.next(0);
    // Paused it does not hear of the reset by reading.
    socket.pause();
    other.resetAndDestroy();
    const writing = setInterval(() => socket.write("x"), 1);
    onTestFinished(() => clearInterval(writing));
    await heard.closed();
    expect(heard.failure).toMatch(/EPIPE|ECONNRESET/);
    expect(heard.events).toEqual(["closed"]);
  });

  test("we destroy it => no failure", async () => {
    const port = await new Port().listen();
    plain(port.port);
    const { socket, heard } = await port.next(0);
    socket.destroy();
    expect(socket.isGone).toBe(true);
    await heard.closed();
    expect(heard.failure).toBe("");
  });

  test("a host of which each number failed => the words of each", () => {
    const node = new NodeSocket();
    const heard = new Heard();
    new Socket(node, "", new Lingering()).tell(heard);
    node.emit("error", new AggregateError([new Error("first"), new Error("second")]));
    node.emit("close");
    expect(heard.failure).toBe("first; second");
  });

  test("paused => neither bytes nor the end are told until it is resumed", async () => {
    const port = await new Port().listen();
    const other = plain(port.port);
    const { socket, heard } = await port.next(0);
    socket.pause();
    other.end("said meanwhile");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard.events).toEqual([]);
    socket.resume();
    await heard.closed();
    expect(heard).toMatchObject({ text: "said meanwhile", failure: "" });
  });
});

describe("what was written", () => {
  test("shows how much of one large piece the kernel has taken, before all is", async () => {
    const port = await new Port().listen();
    const { socket: sender } = dialled(port.port);
    const { socket: reader, heard } = await port.next(0);
    expect(sender.beingTaken).toBe(0);
    reader.pause();
    let taken = false;
    sender.writeAll([Buffer.alloc(PIECE_BYTES)], () => (taken = true));
    await until(() => sender.beingTaken < PIECE_BYTES && sender.beingTaken > 0, {
      what: "the kernel to take a part",
    });
    expect(sender.queued).toBe(PIECE_BYTES);
    const before = sender.beingTaken;
    // A part of it is read: the kernel takes more.
    reader.resume();
    await until(() => heard.bytes > PIECE_BYTES / 4, { what: "a part to be read", everyMs: 0 });
    reader.pause();
    await until(() => sender.beingTaken < before, { what: "more of it to be taken" });
    reader.resume();
    await until(() => taken, { what: "all of it to be taken" });
    expect(sender.queued).toBe(0);
    sender.destroy();
    expect(sender.beingTaken).toBe(0);
  });

  test("had to wait => onDrained once it is with the kernel", async () => {
    const port = await new Port().listen();
    const { socket: sender, heard } = dialled(port.port);
    const { socket: reader } = await port.next(0);
    await until(() => heard.events.includes("ready"), { what: "the connection" });
    sender.write("short");
    expect(sender.queued).toBe(0);
    reader.pause();
    sender.write(Buffer.alloc(PIECE_BYTES));
    expect(sender.queued).toBe(PIECE_BYTES);
    expect(heard.events).toEqual(["ready"]);
    reader.resume();
    await until(() => heard.events.includes("drained"), { what: "drained" });
    expect(sender.queued).toBe(0);
  });

  test("several pieces are one call of the kernel", async () => {
    const port = await new Port().listen();
    const { socket, heard } = dialled(port.port);
    const { heard: other } = await port.next(0);
    await until(() => heard.events.includes("ready"), { what: "the connection" });
    const { _handle: handle } = (socket as unknown as { socket: NodeSocket }).socket as unknown as {
      readonly _handle: { readonly writev: () => void; readonly writeBuffer: () => void };
    };
    const many = vi.spyOn(handle, "writev");
    const one = vi.spyOn(handle, "writeBuffer");
    let taken = 0;
    const pieces = ["a", "b", "c"].map((text) => Buffer.from(text));
    socket.writeAll(pieces, () => taken++);
    await until(() => taken === 3, { what: "all pieces to be taken" });
    expect([many.mock.calls.length, one.mock.calls.length]).toEqual([1, 0]);
    await until(() => other.text === "abc", { what: "the pieces in order" });
  });
});

describe("the ways to close", () => {
  test("finish => what was written arrives, then the end", async () => {
    const port = await new Port().listen();
    const { socket, heard } = dialled(port.port);
    const { heard: other } = await port.next(0);
    socket.write(Buffer.alloc(4 * 1024 * 1024));
    socket.finish();
    await Promise.all([heard.closed(), other.closed()]);
    expect(other).toMatchObject({ bytes: 4 * 1024 * 1024, failure: "" });
  });

  test("linger => the other end reads the last words though it goes on talking", async () => {
    const port = await new Port().listen();
    const other = plain(port.port, true);
    let read = "";
    let reset = false;
    other.on("data", (bytes) => (read += String(bytes)));
    other.on("error", () => (reset = true));
    const { socket, heard } = await port.next(0);
    socket.write("last words");
    socket.linger();
    const talking = setInterval(() => other.write("and another thing"), 1);
    onTestFinished(() => clearInterval(talking));
    await until(() => read === "last words", { what: "the last words" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect({ reset, heard: heard.events }).toEqual({ reset: false, heard: [] });
    clearInterval(talking);
    other.end();
    await heard.closed();
    expect(heard).toMatchObject({ failure: "", bytes: 0 });
  });

  test("linger => a socket that was paused reads and drops too", async () => {
    const port = await new Port().listen();
    const other = plain(port.port);
    const { socket, heard } = await port.next(0);
    socket.pause();
    other.write("unheard");
    socket.linger();
    await heard.closed();
    expect(heard.events).toEqual(["closed"]);
  });
});
