/** Heads, each with one thing wrong; the decoder's tests have them inside a stream. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { encode } from "../../../src/wire/codec.ts";
import { crc32 } from "../../../src/wire/crc.ts";
import { headBytesOf, HeadChecks, NOWHERE } from "../../../src/wire/head-checks.ts";
import { FRAME } from "../../../src/wire/messages.ts";
import { EXAMPLES } from "./examples.ts";
import { ALL_TYPES, makeBatch, START } from "./tools.ts";

const PING = encode(EXAMPLES["ping"]!);
const { bytes: BATCH } = makeBatch([Buffer.alloc(4)], 1000, START);

/** The head of `frame` with a change, and its crc right again. */
function changed(frame: Buffer, change: (head: Buffer) => void): Buffer {
  const head = Buffer.from(frame.subarray(0, headBytesOf(frame[8]!)));
  change(head);
  head.writeUInt32LE(crc32(head, 4, frame[8] === FRAME.batch ? 36 : 16, 0), 0);
  return head;
}

function check(head: Buffer, expected = 1000, accepts = ALL_TYPES, frameAt = 7): string {
  try {
    // Not at 0: positions in the buffer count.
    const around = Buffer.concat([Buffer.from("##"), head]);
    new HeadChecks(accepts).check(around, 2, head[8]!, expected, frameAt);
    return "right";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("a head", () => {
  test("as it is made => right", () => {
    expect(check(PING)).toBe("right");
    expect(check(BATCH)).toBe("right");
  });

  test("with another crc => said, with a hint when it is the first that is heard", () => {
    const broken = Buffer.from(PING);
    broken[0]! ^= 1;
    expect(check(broken)).toMatch(/^ERR_WIRE_HEADER_CRC: .* \(frame at byte 7 of the stream\)$/);
    expect(check(broken)).not.toContain("may not be hawser");
    expect(check(broken, 0, ALL_TYPES, 0)).toContain("; the other end may not be hawser");
  });

  const wrong: readonly (readonly [string, Buffer, RegExp])[] = [
    ["of a type that does not exist", changed(PING, (head) => (head[8] = 99)), /TYPE: type 99/],
    ["with flags", changed(PING, (head) => (head[9] = 1)), /BODY: type 5 has flags 00000100/],
    ["shorter than a head", changed(PING, (head) => head.writeUInt32LE(15, 12)), /LENGTH: .* 15/],
    [
      "longer than its type can be",
      changed(PING, (head) => head.writeUInt32LE(LIMITS.controlBytesMax, 12)),
      /LENGTH: type 5 has 4096 bytes, expected 16 to/,
    ],
    ["of no records", changed(BATCH, (head) => head.writeUInt32LE(0, 16)), /BODY: .* 0 records/],
    [
      "of more records than fit",
      changed(BATCH, (head) => head.writeUInt32LE(3, 16)),
      /BODY: a batch of 44 bytes has 3 records/,
    ],
    [
      "of a time that no Date can name",
      changed(BATCH, (head) => head.writeUInt32LE(2 ** 31, 32)),
      /BODY: a batch's clock/,
    ],
    [
      "of another offset",
      changed(BATCH, (head) => head.writeUInt32LE(1001, 20)),
      /OFFSET: a batch at offset 1001, expected 1000/,
    ],
  ];

  test.each(wrong)("%s => the code, what was seen and what was expected", (_, head, text) => {
    expect(check(head)).toMatch(text);
  });

  test("of a batch that this end may not receive, or where none is expected", () => {
    expect(check(BATCH, 1000, new Set([FRAME.ping]))).toMatch(/TYPE: type 32 is not for this end/);
    expect(check(BATCH, NOWHERE)).toMatch(/STATE: a batch where none is expected/);
    expect(() => {
      new HeadChecks(ALL_TYPES).checkBatchAllowed(0, 0);
    }).not.toThrow();
  });
});
