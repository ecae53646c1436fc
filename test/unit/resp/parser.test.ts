import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RespParser } from "../../../src/resp/parser.ts";
import { LIMITS } from "../../../src/limits.ts";

/** Feeds reads one after the other; all commands as latin-1 words, and the error that ended it. */
function parseAll(reads: readonly Buffer[], parser = new RespParser()) {
  const commands: string[][] = [];
  for (const read of reads) {
    // A socket's read is its own memory.
    parser.feed(Buffer.from(read));
    while (parser.parse()) {
      for (let i = 0; i < parser.count; i++) {
        const command: string[] = [];
        for (let slot = parser.first[i]!; slot < parser.first[i + 1]!; slot++) {
          command.push(parser.bytes.toString("latin1", parser.from[slot], parser.to[slot]));
        }
        commands.push(command);
      }
    }
    if (parser.error !== "") break;
  }
  return { commands, error: parser.error };
}

const encode = (command: readonly string[]) =>
  `*${command.length}\r\n${command.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

const PIPELINE: readonly (readonly string[])[] = [
  ["PING"],
  ["SET", "key", "value"],
  ["SET", "", ""],
  ["ECHO", "\r\n*1\r\n$4\r\n"],
  ["SET", "k".repeat(9), "v".repeat(10)],
  ["SET", "k".repeat(99), "v".repeat(100)],
  ["MSET", ...Array.from({ length: 40 }, (_, i) => `word${i}`)],
];
const TEXT = `${PIPELINE.map(encode).join("")}\r\nPING\r\nset  "a b"  'c'\n*0\r\n*-1\r\n${encode(["LAST"])}`;
const EXPECTED = [...PIPELINE, ["PING"], ["set", "a b", "c"], ["LAST"]];

describe("resp parser", () => {
  test("one read with a pipeline => all commands", () => {
    expect(parseAll([Buffer.from(TEXT)])).toEqual({ commands: EXPECTED, error: "" });
  });

  test("a pipeline split in two at every byte => the same commands", () => {
    const bytes = Buffer.from(TEXT);
    for (let at = 0; at <= bytes.length; at++) {
      const reads = [bytes.subarray(0, at), bytes.subarray(at)].filter((read) => read.length > 0);
      expect(parseAll(reads).commands, `split at ${at}`).toEqual(EXPECTED);
    }
  });

  test("a pipeline byte by byte => the same commands", () => {
    const reads = [...Buffer.from(TEXT)].map((byte) => Buffer.from([byte]));
    expect(parseAll(reads).commands).toEqual(EXPECTED);
  });

  test.each([99, 100, 101, 999, 1000, 1001, 9999, 10_000, 10_001])(
    "a bulk of %i bytes, split at every byte of its head => whole",
    (length) => {
      const command = ["SET", "k", "v".repeat(length)];
      const bytes = Buffer.from(encode(command) + encode(["PING"]));
      const valueAt = bytes.indexOf(`$${length}`);
      for (let at = valueAt; at < valueAt + 10; at++) {
        const reads = [bytes.subarray(0, at), bytes.subarray(at)];
        expect(parseAll(reads)).toEqual({ commands: [command, ["PING"]], error: "" });
      }
    },
  );

  test("random pipelines in random pieces => the same commands", () => {
    const word = fc
      .string({ unit: "binary", maxLength: 120 })
      .map((s) => Buffer.from(s).toString("latin1"));
    const command = fc.array(word, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 150 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 900 })),
        (commands, sizes) => {
          const bytes = Buffer.from(commands.map(encode).join(""), "latin1");
          const reads: Buffer[] = [];
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value as number;
            reads.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(parseAll(reads)).toEqual({ commands, error: "" });
        },
      ),
      { numRuns: 200 },
    );
  });

  test("any bytes in any pieces => commands or an error, never a throw or a hang", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "*3\r\n",
          "$3\r\n",
          "$-1\r\n",
          "*1\r\n$4\r\nPING\r\n",
          "\r\n",
          '"',
          "'\\x",
          "*99999999\r\n",
          "$536870912\r\n",
          "*1048577\r\n",
          "\0",
        )
        .map((s) => Buffer.from(s)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const parser = new RespParser();
        parseAll(pieces, parser);
        // Nothing is reserved for what was only announced.
        expect(parser.bytes.length).toBeLessThan(8192);
        expect(parser.from.length).toBeLessThan(8192);
      }),
      { numRuns: 2000 },
    );
  });

  test("flipped bytes of a valid pipeline => never a throw", () => {
    const valid = Buffer.from(TEXT);
    fc.assert(
      fc.property(
        fc.nat(valid.length - 1),
        fc.nat(255),
        fc.nat(valid.length),
        (at, byte, split) => {
          const bytes = Buffer.from(valid);
          bytes[at] = byte;
          parseAll([bytes.subarray(0, split), bytes.subarray(split)]);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("the same bytes split anywhere => the same commands and the same error", () => {
    const valid = Buffer.from(TEXT);
    fc.assert(
      fc.property(
        fc.nat(valid.length - 1),
        fc.nat(255),
        fc.nat(valid.length),
        (at, byte, split) => {
          const bytes = Buffer.from(valid);
          bytes[at] = byte;
          expect(parseAll([bytes.subarray(0, split), bytes.subarray(split)])).toEqual(
            parseAll([bytes]),
          );
        },
      ),
      { numRuns: 3000 },
    );
  });
});

const ERRORS: readonly (readonly [string, string])[] = [
  ["*abc\r\n", "Protocol error: invalid multibulk length"],
  ["*01\r\n", "Protocol error: invalid multibulk length"],
  ["*+1\r\n", "Protocol error: invalid multibulk length"],
  ["*\r\n", "Protocol error: invalid multibulk length"],
  [`*${LIMITS.commandArgumentsMax + 1}\r\n`, "Protocol error: invalid multibulk length"],
  ["*1\r\n+PING\r\n", "Protocol error: expected '$', got '+'"],
  ["*1\r\n$-1\r\n", "Protocol error: invalid bulk length"],
  ["*1\r\n$\r\n", "Protocol error: invalid bulk length"],
  ["*1\r\n$1x\r\n", "Protocol error: invalid bulk length"],
  ["*1\r\n$10x\r\nmore", "Protocol error: invalid bulk length"],
  ["*1\r\n$0100\r\nmore", "Protocol error: invalid bulk length"],
  ["*1\r\n$1 00\r\nmore", "Protocol error: invalid bulk length"],
  [`*1\r\n$${LIMITS.bulkBytesMax + 1}\r\n`, "Protocol error: invalid bulk length"],
  ['PING "x\r\n', "Protocol error: unbalanced quotes in request"],
  ["x".repeat(LIMITS.inlineBytesMax + 1), "Protocol error: too big inline request"],
  [`*${"1".repeat(LIMITS.inlineBytesMax + 1)}`, "Protocol error: too big mbulk count string"],
  [`*1\r\n$${"1".repeat(LIMITS.inlineBytesMax + 1)}`, "Protocol error: too big bulk count string"],
];

describe("resp parser: what ends a connection", () => {
  test.each(ERRORS)("%j => %s", (text, error) => {
    expect(parseAll([Buffer.from(text)])).toEqual({ commands: [], error });
  });

  test("the largest legal lengths => no error, and nothing reserved for them", () => {
    const parser = new RespParser();
    parseAll(
      [Buffer.from(`*${LIMITS.commandArgumentsMax}\r\n$${LIMITS.bulkBytesMax}\r\nx`)],
      parser,
    );
    expect(parser.error).toBe("");
    expect(parser.bytes.length).toBeLessThan(100);
  });

  test("before authentication => redis's smaller limits", () => {
    for (const [text, error] of [
      ["*11\r\n", "Protocol error: unauthenticated multibulk length"],
      ["*10\r\n", ""],
      ["*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"],
      ["*1\r\n$16384\r\n", ""],
    ] as const) {
      const parser = new RespParser();
      parser.authenticated = false;
      expect(parseAll([Buffer.from(text)], parser).error, text).toBe(error);
    }
  });
});

describe("resp parser: large arguments", () => {
  test("a bulk of 8 MiB in reads of 64 KiB => whole, memory at most twice what arrived", () => {
    const value = Buffer.alloc(8 * 1024 * 1024, "v");
    const bytes = Buffer.concat([
      Buffer.from(`*2\r\n$3\r\nSET\r\n$${value.length}\r\n`),
      value,
      Buffer.from("\r\n"),
    ]);
    const parser = new RespParser();
    let fed = 0;
    for (let at = 0; at < bytes.length; at += 65_536) {
      parser.feed(Buffer.from(bytes.subarray(at, at + 65_536)));
      fed = Math.min(at + 65_536, bytes.length);
      const found = parser.parse();
      expect(parser.bytes.length).toBeLessThanOrEqual(2 * fed + 65_536);
      expect(found).toBe(fed === bytes.length);
    }
    expect(parser.bytes.subarray(parser.from[1], parser.to[1]).equals(value)).toBe(true);
    expect(parser.bytes.length).toBeLessThan(value.length + 131_072);
  });

  test("a hundred thousand arguments byte by byte in time linear in their number", () => {
    const words = Array.from({ length: 100_000 }, (_, i) => String(i % 10));
    const bytes = Buffer.from(encode(words));
    const parser = new RespParser();
    for (let at = 0; at < bytes.length; at += 7) {
      parser.feed(Buffer.from(bytes.subarray(at, at + 7)));
      parser.parse();
    }
    expect(parser.count).toBe(1);
    expect(parser.first[1]).toBe(100_000);
    parser.parse();
    expect(parser.from.length).toBeLessThan(8192);
  });
});
