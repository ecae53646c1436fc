/** How a connection opens: who is told from whom by the first bytes, cut anywhere. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encode } from "../../../src/wire/codec.ts";
import { answererOf, openerOf, OPENING } from "../../../src/wire/opening.ts";
import { MESSAGES } from "./arbitraries.ts";

const TLS = Buffer.from(`16030100a5010000a103${"5a".repeat(160)}`, "hex");

describe("who opens a connection to the replication port", () => {
  test("the opening, cut anywhere => wait, then a replica; whatever follows", () => {
    for (let end = 0; end < OPENING.length; end++)
      expect([end, openerOf(OPENING.subarray(0, end))]).toEqual([end, "wait"]);
    for (const rest of ["", "x", "*1\r\n"])
      expect(openerOf(Buffer.concat([OPENING, Buffer.from(rest)]))).toBe("replica");
  });

  test.each([
    ["PING\r\n", "resp"],
    ["GET k\r\n", "resp"],
    ["*1\r\n$4\r\nPING\r\n", "resp"],
    ["*1\r\n$9\r\nREPL.INFO\r\n", "resp"],
    ["*2\r\n$9\r\nREPL.INFO\r\n$5\r\nOTHER\r\n", "resp"],
    ["*3\r\n$8\r\nREPLCONF\r\n", "resp"],
    ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"],
    ["POST /metrics HTTP/1.0\r\n", "http"],
    ["PI", "wait"],
    ["*", "wait"],
    ["SSH-2.0-OpenSSH_9.6\r\n", "noise"],
    ["\0\0\0\0", "noise"],
    ["!".repeat(512), "noise"],
  ] as const)("%j => %s", (bytes, opener) => {
    expect(openerOf(Buffer.from(bytes))).toBe(opener);
  });

  test("TLS, a frame, any bytes => noise at the latest at 512 bytes", () => {
    expect(openerOf(TLS)).toBe("noise");
    const bytes = fc.uint8Array({ minLength: 512, maxLength: 600 });
    fc.assert(fc.property(bytes, (value) => openerOf(Buffer.from(value)) !== "wait"));
  });
});

describe("who answers the opening", () => {
  test("any GREETING, cut anywhere => wait, then a feeder", () => {
    fc.assert(
      fc.property(MESSAGES.greeting, fc.nat(21), (greeting, cut) => {
        const frame = encode(greeting);
        expect(answererOf(frame)).toBe("feeder");
        const part = frame.subarray(0, cut);
        // A sum that looks like a whole line of RESP in its first bytes is one in 200,000.
        if (!part.includes("\r\n")) expect(answererOf(part)).toBe("wait");
      }),
    );
  });

  test.each([
    ["-ERR max number of clients reached\r\n", "resp"],
    ["-ERR", "wait"],
    ["%7\r\n$8\r\nprotocol\r\n", "resp"],
    ["HTTP/1.1 400 Bad Request\r\n", "noise"],
    ["220 hel", "wait"],
    ["220 hello", "noise"],
  ] as const)("%j => %s", (bytes, answerer) => {
    expect(answererOf(Buffer.from(bytes))).toBe(answerer);
  });
});
