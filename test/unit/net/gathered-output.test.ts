/** Pieces of one turn in one call, and what is told of each. */
import { Socket as NodeSocket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { GatheredOutput } from "../../../src/net/gathered-output.ts";
import { Lingering } from "../../../src/net/lingering.ts";
import { Socket } from "../../../src/net/socket.ts";
import { until } from "../../../tools/wait.ts";
import { dialled, Port } from "./tools.ts";

describe("gathered output", () => {
  test("nothing is handed over before flush; then all of it in order, each piece told once", async () => {
    const port = await new Port().listen();
    const { socket } = dialled(port.port);
    const { heard } = await port.next(0);
    const written = vi.spyOn(socket, "writeAll");
    let taken = 0;
    const out = new GatheredOutput(socket, () => taken++);
    const bytes = Buffer.from("abcdef");
    out.write(bytes, 0, 6);
    out.write(bytes, 2, 4);
    out.write(bytes, 0, 1);
    expect(written).not.toHaveBeenCalled();
    out.flush();
    out.flush();
    expect(written).toHaveBeenCalledTimes(1);
    const [pieces] = written.mock.calls[0]!;
    // A whole piece is handed over as it is.
    expect(pieces[0]).toBe(bytes);
    await until(() => taken === 3, { what: "all pieces to be taken" });
    await until(() => heard.text === "abcdefcda", { what: "the pieces in order" });
  });

  test("a broken connection => pieces that it left are not told", async () => {
    const port = await new Port().listen();
    const { socket, heard } = dialled(port.port);
    const { socket: other } = await port.next(0);
    other.pause();
    let taken = 0;
    const out = new GatheredOutput(socket, () => taken++);
    const large = Buffer.alloc(64 * 1024 * 1024);
    for (let n = 0; n < 3; n++) out.write(large, 0, large.length);
    out.flush();
    await until(() => out.beingTaken > 0, { what: "the kernel to take a part" });
    other.destroy();
    await heard.closed();
    expect(taken).toBe(0);
    out.write(large, 0, 1);
    out.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(taken).toBe(0);
  });

  test("end => what was gathered is sent; destroy => it is dropped", async () => {
    const port = await new Port().listen();
    const ending = dialled(port.port);
    const { heard: first } = await port.next(0);
    const out = new GatheredOutput(ending.socket, () => undefined);
    out.write(Buffer.from("bye"), 0, 3);
    out.end();
    await first.closed();
    expect(first).toMatchObject({ text: "bye", failure: "" });

    const node = new NodeSocket();
    const write = vi.spyOn(node, "write");
    const dropped = new GatheredOutput(new Socket(node, "", new Lingering()), () => undefined);
    dropped.write(Buffer.from("bye"), 0, 3);
    dropped.destroy();
    dropped.flush();
    expect(write).not.toHaveBeenCalled();
  });
});
