/** A port: who is let in, who is turned away, and its end. */
import type { Server } from "node:net";
import { describe, expect, test } from "vitest";
import { Listener } from "../../../src/net/listener.ts";
import { until } from "../../../tools/wait.ts";
import { dialled, Heard, HOST, Port } from "./tools.ts";

describe("a port", () => {
  test("is given both ends' addresses, and bytes that the hearer may keep", async () => {
    const port = await new Port().listen();
    const { socket } = dialled(port.port);
    const { socket: accepted, local, heard } = await port.next(0);
    expect(socket.remote).toBe(`${HOST}:${port.port}`);
    expect(local).toBe(`${HOST}:${port.port}`);
    expect(accepted.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(accepted.received).toBe(0);
    socket.write("hello");
    await until(() => heard.text === "hello", { what: "the bytes" });
    expect(accepted.received).toBe(5);
  });

  test("over IPv6 => addresses in brackets", async () => {
    const port = await new Port().listen("::1");
    dialled(port.port, {}, "::1");
    const { socket, local } = await port.next(0);
    expect(local).toBe(`[::1]:${port.port}`);
    expect(socket.remote).toMatch(/^\[::1\]:\d+$/);
  });

  test("its connections are without delay, and kept alive as it says", async () => {
    for (const keepAliveMs of [0, 300_000]) {
      const port = await new Port({ keepAliveMs }).listen();
      dialled(port.port);
      const { socket } = await port.next(0);
      const { socket: node } = socket as unknown as { readonly socket: object };
      const set = Object.getOwnPropertySymbols(node).flatMap((symbol) => {
        const name = String(symbol);
        const isOne = ["kSetNoDelay", "kSetKeepAlive", "kSetKeepAliveInitialDelay"];
        if (!isOne.some((one) => name === `Symbol(${one})`)) return [];
        return [[name.slice(7, -1), (node as Record<symbol, unknown>)[symbol]]];
      });
      const options: unknown = Object.fromEntries(set);
      expect(options).toMatchObject({ kSetNoDelay: true, kSetKeepAlive: keepAliveMs > 0 });
      if (keepAliveMs > 0) expect(options).toMatchObject({ kSetKeepAliveInitialDelay: 300 });
    }
  });

  test("a refusal => its text and the end; the others stay, and a place that is free is given", async () => {
    const seen: number[] = [];
    const port = await new Port({
      refusal: (open) => {
        seen.push(open);
        return open < 2 ? null : "no place\r\n";
      },
    }).listen();
    const first = dialled(port.port);
    const second = dialled(port.port);
    await until(() => port.accepted.length === 2, { what: "two connections" });
    const third = dialled(port.port);
    await third.heard.closed();
    expect(third.heard).toMatchObject({ text: "no place\r\n", failure: "" });
    expect(second.heard.failure).toBeNull();
    first.socket.destroy();
    await until(() => port.accepted.some(({ heard }) => heard.failure !== null), {
      what: "the first to be gone",
    });
    dialled(port.port);
    await until(() => port.accepted.length === 3, { what: "its place to be given" });
    expect(seen).toEqual([0, 1, 2, 1]);
  });

  test("taken by another => rejects with the system's error", async () => {
    const port = await new Port().listen();
    const listener = new Port().listener;
    await expect(listener.listen({ host: HOST, port: port.port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    await listener.stop();
  });

  test("an error while it listens => told, and the port goes on", async () => {
    const errors: string[] = [];
    const port = await new Port({ onError: (message) => errors.push(message) }).listen();
    const { server } = port.listener as unknown as { readonly server: Server };
    server.emit("error", new Error("accept EMFILE"));
    expect(errors).toEqual(["accept EMFILE"]);
    dialled(port.port);
    await port.next(0);
  });
});

describe("the end of a port", () => {
  test("stop => nobody comes in; it resolves when the last connection is closed", async () => {
    const port = new Port();
    port.port = await port.listener.listen({ host: HOST, port: 0 });
    const { heard } = dialled(port.port);
    await port.next(0);
    let stopped = false;
    const stop = port.listener.stop().then(() => (stopped = true));
    const late = dialled(port.port);
    await late.heard.closed();
    expect(late.heard.failure).toMatch(/ECONNREFUSED/);
    expect(stopped).toBe(false);
    port.listener.destroyAll();
    await stop;
    await heard.closed();
  });

  test("stop before listen => resolves", async () => {
    const heard = new Heard();
    const listener = new Listener({
      keepAliveMs: 0,
      refusal: () => null,
      accept: () => heard,
      onError: () => undefined,
    });
    await listener.stop();
    listener.destroyAll();
    expect(heard.events).toEqual([]);
  });
});
