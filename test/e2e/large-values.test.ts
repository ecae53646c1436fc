/** The largest values and words that the protocol allows: 512 MB. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { useFleet } from "../tools/fleet.ts";
import { encodeRequest } from "../tools/raw-resp.ts";
import { until } from "../../tools/wait.ts";

const MIB = 1024 * 1024;
const LARGEST = 512 * MIB;

interface Answer {
  readonly head: string;
  readonly bytes: number;
  readonly tail: string;
}

/** Sends `pieces`, reads until `bytes` have come or the server closes, keeps only both ends. */
async function answerOf(port: number, pieces: readonly Buffer[], bytes: number): Promise<Answer> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const answer = { head: "", bytes: 0, tail: "" };
  let closed = false;
  socket.on("error", () => undefined);
  socket.on("close", () => (closed = true));
  socket.on("data", (chunk) => {
    if (answer.head.length < 64) answer.head += chunk.toString("latin1", 0, 64);
    answer.bytes += chunk.length;
    answer.tail = (answer.tail + chunk.subarray(-16).toString("latin1")).slice(-16);
  });
  for (const piece of pieces) if (!socket.write(piece)) await once(socket, "drain");
  await until(() => (closed || answer.bytes >= bytes ? true : null), {
    what: `${bytes} bytes`,
    describe: () => Promise.resolve(answer),
    timeoutMs: 90_000,
  });
  socket.destroy();
  return answer;
}

test(
  "e2e: large values: what can be set can be read, with every command that reads a value",
  { timeout: 300_000 },
  async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    expect(await primary.call("SETRANGE", "k", String(LARGEST - 1), "x")).toBe(LARGEST);
    const head = `$${LARGEST}\r\n`;
    const bulk = head.length + LARGEST + 2;
    const read = [
      ["", [["GET", "k"]]],
      ["", [["GETRANGE", "k", "0", "-1"]]],
      ["*2\r\n$-1\r\n", [["MGET", "none", "k"]]],
      ["+OK\r\n+QUEUED\r\n*1\r\n", [["MULTI"], ["GET", "k"], ["EXEC"]]],
      ["", [["GETSET", "k", "small"]]],
    ] as const;
    for (const [before, commands] of read) {
      const request = commands.map((words) => encodeRequest([...words]));
      const answer = await answerOf(primary.port, request, before.length + bulk);
      expect(answer.head.slice(0, before.length + head.length)).toBe(before + head);
      expect(answer.bytes).toBe(before.length + bulk);
      expect(answer.tail.endsWith("\0x\r\n")).toBe(true);
    }
    expect(await primary.call("GET", "k")).toEqual(Buffer.from("small"));
    expect(await primary.text("INFO", "stats")).toContain(
      "client_output_buffer_limit_disconnections:0",
    );
    expect(primary.find("client_dropped")).toBeUndefined();
  },
);

test(
  "e2e: large values: as numbers, words and names => an error, and the node lives",
  { timeout: 300_000 },
  async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    await primary.call("SETRANGE", "k", String(LARGEST - 1), "x");
    for (const [words, error] of [
      [["INCRBYFLOAT", "k", "1"], /not a valid float/],
      [["INCRBY", "k", "1"], /not an integer/],
    ] as const)
      await expect(primary.call(...words), words.join(" ")).rejects.toThrow(error);
    const chunk = Buffer.alloc(16 * MIB, "x");
    const large = Array.from({ length: LARGEST / chunk.length }, () => chunk);
    const start = (count: number, ...words: string[]) =>
      Buffer.from(
        `*${count}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}$${LARGEST}\r\n`,
      );
    const end = Buffer.from("\r\n");
    for (const [first, reply] of [
      [start(1), /^-ERR unknown command 'x{30}/],
      [start(2, "CLIENT"), /^-ERR unknown subcommand 'x{30}/],
      [start(4, "EXPIRE", "k", "10"), /^-ERR Unsupported option x{32}/],
    ] as const) {
      const { head } = await answerOf(primary.port, [first, ...large, end], 64);
      expect(head).toMatch(reply);
    }
    expect(await primary.call("PING")).toBe("PONG");
    expect(primary.exit).toBeNull();
  },
);
