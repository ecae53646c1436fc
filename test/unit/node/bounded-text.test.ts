/**
 * No bytes of a client become a string or a buffer without a bound: the helper, every place of the
 * source where bytes become one, and every command with a large argument at every place.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { latin1Within, shownText, utf8Within } from "../../../src/node/bounded-text.ts";
import type { Command } from "../../../src/resp/commands/command.ts";
import { allCommands } from "../../../src/resp/commands/table.ts";
import { FakeClient, FakePort, request } from "../resp/fake-node.ts";

type TextMethod = (this: Buffer, ...of: readonly unknown[]) => string;

const SOURCE = new URL("../../../src/", import.meta.url);
const FOLDERS = ["net", "node", "resp", "daemon"];

/** Where bytes become strings or are joined, beside bounded-text.ts, and what bounds them. */
const KNOWN: readonly (readonly [file: string, code: string, bound: string])[] = [
  ["daemon/ask.ts", "Buffer.concat(this.chunks)", "ANSWER_BYTES_MAX"],
  [
    "daemon/ask.ts",
    'this.joined().toString("utf8", this.textAt, this.whole - 2)',
    "ANSWER_BYTES_MAX",
  ],
  ["daemon/ask.ts", 'bytes.toString("utf8", 1, end)', "LINE_BYTES_MAX"],
  ["daemon/ask.ts", 'bytes.toString("utf8", 0, end)', "LINE_BYTES_MAX"],
  ["node/bucket.ts", 'key.toString("base64", 0, SHOWN_BYTES)', "SHOWN_BYTES"],
  ["daemon/stdout-folder.ts", "Buffer.concat(parts)", "a MiB, or one frame (frameBytesMax)"],
  [
    "resp/client-server.ts",
    "Buffer.concat([joined, bytes])",
    "JOINED_BYTES_MAX and one page of replies",
  ],
  ["resp/held-writes.ts", "Buffer.concat(parts)", "OUTPUT_PAUSE_BYTES and what one read asks for"],
  ["daemon/verify-keys.ts", 'key.toString("utf8")', "ANSWER_BYTES_MAX"],
  ["daemon/verify-keys.ts", '.toString("latin1")', "ANSWER_BYTES_MAX"],
  ["node/upstream-socket.ts", "Buffer.concat([attempt.answer,", "ANSWER_BYTES_MAX and one read"],
  ["node/target-probe.ts", 'answer.toString("latin1")', "the probe gives its first bytes only"],
];

const MAKES_TEXT =
  /\.toString\(\s*"|\.(?:latin1|utf8|ascii|ucs2|hex|base64|base64url)Slice\(|Buffer\.concat\(|TextDecoder|StringDecoder|String\(args|fromCharCode\(\.\.\./;

function sourceFiles(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(new URL(folder, SOURCE), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`),
  );
}

describe("bounded text", () => {
  const bytes = Buffer.from("ab\0cd\xff", "latin1");

  test("within its bound => the text; one byte more => null", () => {
    expect(latin1Within(bytes, 0, 6, 6)).toBe("ab\0cd\xff");
    expect(latin1Within(bytes, 0, 6, 5)).toBeNull();
    expect(utf8Within(Buffer.from("é"), 0, 2, 2)).toBe("é");
    expect(utf8Within(Buffer.from("é"), 0, 2, 1)).toBeNull();
  });

  test("shown by an error => cut at its bound and at the first NUL", () => {
    expect(shownText(bytes, 0, 6)).toBe("ab");
    expect(shownText(bytes, 3, 6, 2)).toBe("cd");
    const long = Buffer.alloc(1000, "x");
    expect(shownText(long, 0, 1000)).toBe("x".repeat(128));
  });

  test("every place of the sources where bytes become a string => bounded-text.ts, or listed with its bound", () => {
    const unknown: string[] = [];
    const found = new Set<string>();
    for (const file of sourceFiles()) {
      if (file === "node/bounded-text.ts") continue;
      for (const line of readFileSync(new URL(file, SOURCE), "utf8").split("\n")) {
        if (!MAKES_TEXT.test(line)) continue;
        // Numbers, digests and our own characters are short whatever comes in.
        if (/toString\(16\)|digest\("hex"\)/.test(line)) continue;
        const known = KNOWN.find(([name, code]) => name === file && line.includes(code));
        if (known === undefined) unknown.push(`${file}: ${line.trim()}`);
        else found.add(known.join());
      }
    }
    expect(unknown).toEqual([]);
    expect(KNOWN.filter((known) => !found.has(known.join()))).toEqual([]);
  });
});

describe("every command with a large argument", () => {
  /** More than any word, name, number, host or pattern may have. */
  const LARGE = 64 * 1024;
  const STRING_BYTES_MAX = 20 * 1024;

  beforeEach(() => {
    // Why not 512 MB: what throws there is the engine, and only at lengths that a test cannot afford.
    for (const name of ["toString", "latin1Slice", "utf8Slice"] as const) {
      const prototype = Buffer.prototype as unknown as Record<string, TextMethod>;
      const original: TextMethod = Reflect.get(prototype, name);
      vi.spyOn(prototype, name).mockImplementation(function (this: Buffer, ...of) {
        const text = original.apply(this, of);
        if (text.length > STRING_BYTES_MAX) throw new Error(`a string of ${text.length}`);
        return text;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const leaves: Command[] = allCommands().flatMap((command) =>
    command.subcommands === null ? [command] : [command, ...command.subcommands.values()],
  );

  test.each(leaves.map((command) => [command.name, command] as const))(
    "%s => at no place of its arguments a string without a bound",
    (name, command) => {
      const parts = name.split("|");
      const least = Math.abs(command.arity);
      for (const count of new Set([least, least + 1, least + 2, least + 3])) {
        for (let large = 0; large < count; large++) {
          const port = new FakePort();
          const client = new LengthClient(port);
          port.node.log.keep = false;
          const words = Array.from({ length: count }, (_, i) => parts[i] ?? "1");
          words[large] = "7".repeat(LARGE);
          client.client.receive(Buffer.from(request("SET", "1", "x".repeat(LARGE)), "latin1"));
          const before = client.bytes;
          client.client.receive(Buffer.from(request(...words), "latin1"));
          const head = client.text.slice(before, before + 5);
          // What repeats a value is as long as it; an error is short.
          if (head.startsWith("-")) expect(client.bytes - before, name).toBeLessThan(1024);
          client.client.close();
        }
      }
    },
  );

  test("options and echoes by their words => short errors", () => {
    const client = new FakeClient(new FakePort());
    const large = "x".repeat(LARGE);
    for (const words of [
      [large],
      ["nothing", large, large],
      ["CLIENT", large],
      ["CLIENT", "SETNAME", large],
      ["CLIENT", "SETINFO", large, "1"],
      ["CLIENT", "SETINFO", "LIB-NAME", large],
      ["CLIENT", "LIST", "TYPE", large],
      ["CONFIG", "SET", large, "1"],
      ["CONFIG", "SET", "requirepass", large],
      ["EXPIRE", "k", "10", large],
      ["HELLO", "3", large],
      ["HELLO", "3", "SETNAME", large],
      ["HELLO", "3", "AUTH", large, "x"],
      ["HELLO", "3", "AUTH", "x", large],
      ["AUTH", large, large],
      ["SCAN", large],
      ["SCAN", "0", "MATCH", large],
      ["KEYS", large],
      ["INCRBYFLOAT", "k", large],
      ["REPLICAOF", large, "1"],
      ["REPL.BUCKET", large, "1", "1"],
      ["REPL.BUCKET", "0".repeat(32), "1", large],
      ["COMMAND", "INFO", ...Array.from({ length: 1025 }, () => "get")],
    ]) {
      const reply = client.send(request(...words));
      const shown = words.map((word) => word.slice(0, 12)).join(" ");
      expect(reply, shown).toMatch(/^-/);
      expect(reply.length, shown).toBeLessThan(512);
    }
  });

  test("names that mean nothing => empty answers", () => {
    const client = new FakeClient(new FakePort());
    const large = "x".repeat(LARGE);
    expect(client.call("CONFIG", "GET", large)).toBe("*0\r\n");
    expect(client.call("COMMAND", "INFO", large)).toBe("*1\r\n$-1\r\n");
    expect(client.call("COMMAND", "DOCS", large)).toBe("*0\r\n");
    expect(client.call("INFO", large)).toBe("$0\r\n\r\n");
  });

  test("WATCH of long keys => told apart, seen when written, flushed or expired; its memory is bounded", () => {
    const port = new FakePort();
    const [client, other] = [new FakeClient(port, 1), new FakeClient(port, 2)];
    const key = "k".repeat(LARGE);
    const sibling = `${"k".repeat(LARGE - 1)}l`;
    const watched = (change: string[]): string => {
      client.call("WATCH", key);
      if (change.length > 0) other.call(...change);
      client.call("MULTI");
      client.call("PING");
      return client.call("EXEC");
    };
    expect(watched(["SET", sibling, "1"])).toBe("*1\r\n+PONG\r\n");
    expect(watched(["SET", key, "1"])).toBe("*-1\r\n");
    expect(watched(["FLUSHALL"])).toBe("*-1\r\n");
    expect(watched([])).toBe("*1\r\n+PONG\r\n");
    expect(port.server.context.keys.watches.size).toBe(0);
  });
});

/** Counts replies; keeps the first bytes of each write. */
class LengthClient extends FakeClient {
  bytes = 0;
  text = "";

  override write(bytes: Buffer): boolean {
    this.text = this.text.padEnd(this.bytes) + bytes.toString("latin1", 0, 64);
    this.bytes += bytes.length;
    return true;
  }
}
