import { describe, expect, test } from "vitest";
import { ReplyWriter } from "../../../src/resp/reply-writer.ts";

function written(protocol: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter();
  let out = "";
  reply.begin((bytes) => {
    out += bytes.toString("latin1");
    return true;
  }, protocol);
  write(reply);
  reply.flush();
  return out;
}

describe("reply writer", () => {
  test.each([
    [2, (r: ReplyWriter) => r.ok(), "+OK\r\n"],
    [2, (r: ReplyWriter) => r.simple("PONG"), "+PONG\r\n"],
    [2, (r: ReplyWriter) => r.error("ERR a\r\nb"), "-ERR a  b\r\n"],
    [2, (r: ReplyWriter) => r.nil(), "$-1\r\n"],
    [3, (r: ReplyWriter) => r.nil(), "_\r\n"],
    [2, (r: ReplyWriter) => r.nilArray(), "*-1\r\n"],
    [3, (r: ReplyWriter) => r.nilArray(), "_\r\n"],
    [2, (r: ReplyWriter) => r.map(2), "*4\r\n"],
    [3, (r: ReplyWriter) => r.map(2), "%2\r\n"],
    [2, (r: ReplyWriter) => r.set(2), "*2\r\n"],
    [3, (r: ReplyWriter) => r.set(2), "~2\r\n"],
    [2, (r: ReplyWriter) => r.verbatim("é"), "$2\r\n\xc3\xa9\r\n"],
    [3, (r: ReplyWriter) => r.verbatim("é"), "=6\r\ntxt:\xc3\xa9\r\n"],
    [2, (r: ReplyWriter) => r.bulkText(""), "$0\r\n\r\n"],
    [2, (r: ReplyWriter) => r.integerText("9223372036854775807"), ":9223372036854775807\r\n"],
  ] as const)("RESP%i %s => %j", (protocol, write, expected) => {
    expect(written(protocol, write)).toBe(expected);
  });

  test("integers of every length and sign => their decimal", () => {
    for (let power = 0; power <= 15; power++) {
      for (const value of [10 ** power, 10 ** power - 1, -(10 ** power), 5 * 10 ** power + 7]) {
        expect(written(2, (r) => r.integer(value))).toBe(`:${value}\r\n`);
      }
    }
  });

  test("bulk strings of every size around the limits => copied whole", () => {
    for (const size of [0, 1, 47, 48, 49, 1000, 65_535, 65_536, 262_143, 262_144, 3_000_000]) {
      const value = Buffer.alloc(size + 2, "v");
      const out = written(2, (r) => r.bulk(value, 1, size + 1));
      expect(out.length).toBe(`$${size}\r\n`.length + size + 2);
      expect(out.startsWith(`$${size}\r\n`) && out.endsWith("\r\n")).toBe(true);
    }
  });

  test("a sink that keeps the bytes => they never change afterwards", () => {
    const reply = new ReplyWriter();
    const kept: Buffer[] = [];
    const expected: string[] = [];
    for (let run = 0; run < 50; run++) {
      reply.begin((bytes) => {
        kept.push(bytes);
        return run % 3 === 0;
      }, 2);
      const before = kept.length;
      for (let i = 0; i < run * 30; i++) reply.bulkText(`run ${run} reply ${i}`);
      reply.flush();
      // What a sink gave back may be overwritten: forget it.
      if (run % 3 === 0) kept.splice(before);
      else expected.push(...kept.slice(before).map((bytes) => bytes.toString()));
    }
    expect(kept.map((bytes) => bytes.toString())).toEqual(expected);
  });

  test("ten MiB of small replies => handed over in pieces of about a MiB", () => {
    const reply = new ReplyWriter();
    const sizes: number[] = [];
    reply.begin((bytes) => {
      sizes.push(bytes.length);
      return true;
    }, 2);
    const value = Buffer.alloc(1000);
    for (let i = 0; i < 10_000; i++) reply.bulk(value, 0, value.length);
    reply.flush();
    expect(Math.max(...sizes)).toBeLessThan(2 * 1024 * 1024);
    expect(sizes.length).toBeGreaterThan(4);
  });
});
