/** Control frames: round trips, limits, and bodies that no honest peer sends. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WireError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bodyBytesMax, decodeBody, encode } from "../../../src/wire/codec.ts";
import { FRAME_HEAD_BYTES } from "../../../src/wire/frame.ts";
import {
  FRAME,
  type Bye,
  type Control,
  type DigestAnswer,
  type Greeting,
  type Hello,
  type Ping,
  type Verify,
  type Welcome,
} from "../../../src/wire/messages.ts";
import { MESSAGES, anyMessage } from "./arbitraries.ts";
import { EXAMPLES, HISTORY } from "./examples.ts";
import { decodeFrame } from "./tools.ts";

const greeting = EXAMPLES["greeting"] as Greeting;
const hello = EXAMPLES["hello"] as Hello;
const welcome = EXAMPLES["welcome"] as Welcome;
const ping = EXAMPLES["ping"] as Ping;
const bye = EXAMPLES["bye"] as Bye;
const verify = EXAMPLES["verify"] as Verify;
const digest = EXAMPLES["digest"] as DigestAnswer;

/** The body of this message with some bytes replaced. */
function patched(message: Control, at: number, ...bytes: readonly number[]): Buffer {
  const frame = encode(message);
  frame.set(bytes, FRAME_HEAD_BYTES + at);
  return frame;
}

function expectRefused(frame: Buffer, detail: string): void {
  expect(() => decodeFrame(frame)).toThrow(
    expect.objectContaining({
      code: "ERR_WIRE_BODY",
      message: expect.stringContaining(detail) as string,
    }) as Error,
  );
}

describe("round trip", () => {
  test.each(Object.entries(MESSAGES))("%s: decode(encode(m)) = m", (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<Control>, (message) => {
        const frame = encode(message);
        expect(frame.readUInt32LE(12)).toBe(frame.length);
        expect(decodeFrame(frame)).toEqual(message);
      }),
    );
  });

  test("every value has one encoding: a body that decodes encodes to itself", () => {
    const types = fc.constantFrom(...Object.values(MESSAGES));
    const body = types.chain((arbitrary) => arbitrary as fc.Arbitrary<Control>);
    const noise = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(body, noise, (message, changes) => {
        const frame = encode(message);
        for (const [at, value] of changes) {
          frame[FRAME_HEAD_BYTES + (at % (frame.length - FRAME_HEAD_BYTES))] = value;
        }
        let decoded: Control;
        try {
          decoded = decodeFrame(frame);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
          return;
        }
        expect(encode(decoded).subarray(FRAME_HEAD_BYTES)).toEqual(
          frame.subarray(FRAME_HEAD_BYTES),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("frames do not share memory", () => {
    const first = encode(ping);
    const copy = Buffer.from(first);
    encode(hello);
    expect(first).toEqual(copy);
  });
});

describe("bodies that are cut or too long", () => {
  test.each(Object.entries(EXAMPLES))("%s: every prefix => ERR_WIRE_BODY", (_name, message) => {
    const frame = encode(message);
    const type = FRAME[message.type];
    for (let to = FRAME_HEAD_BYTES; to < frame.length; to++) {
      expect(() => decodeBody(type, 0, frame, FRAME_HEAD_BYTES, to)).toThrow(
        expect.objectContaining({ code: "ERR_WIRE_BODY" }) as Error,
      );
    }
  });

  test.each(Object.entries(EXAMPLES))("%s: one byte more => ERR_WIRE_BODY", (_name, message) => {
    expectRefused(Buffer.concat([encode(message), Buffer.alloc(1)]), "1 bytes after the last");
  });

  test("no encoding of a message is longer than its limit", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const bodyBytes = encode(message).length - FRAME_HEAD_BYTES;
        expect(bodyBytes).toBeLessThanOrEqual(bodyBytesMax(FRAME[message.type]));
      }),
    );
  });

  test.each<[Control]>([
    [
      {
        ...hello,
        format: { name: "n".repeat(255), version: 1 },
        address: { host: "h".repeat(255), clientPort: 1, replPort: 2 },
        lineage: Array.from({ length: 64 }, () => ({ history: HISTORY, left: 1, term: 1, run: 0 })),
      },
    ],
    [{ ...bye, message: "m".repeat(1024) }],
    [{ ...digest, buckets: Array.from({ length: 512 }, () => 1) }],
    [greeting],
    [ping],
  ])("the longest is exactly as long as the limit of its type (%#)", (message) => {
    expect(encode(message).length - FRAME_HEAD_BYTES).toBe(bodyBytesMax(FRAME[message.type]));
    expect(decodeFrame(encode(message))).toEqual(message);
  });
});

describe("fields: what a peer must not send", () => {
  test("greeting of something else", () => {
    expectRefused(patched(greeting, 0, 0x48), 'does not begin with "hawser"');
  });

  test("flags", () => {
    const frame = encode(ping);
    frame[9] = 1;
    expectRefused(frame, "flags 1");
  });

  test("a flag that is neither 0 nor 1", () => {
    expectRefused(patched(ping, 40, 2), "2, neither 0 nor 1");
  });

  test("a u64 of 2^53 or more", () => {
    expect(decodeFrame(patched(ping, 0, 255, 255, 255, 255, 255, 255, 31, 0))).toMatchObject({
      sentUs: Number.MAX_SAFE_INTEGER,
    });
    expectRefused(patched(ping, 0, 0, 0, 0, 0, 0, 0, 32, 0), "2^53");
    expectRefused(patched(ping, 0, 255, 255, 255, 255, 255, 255, 255, 255), "2^53");
  });

  test("a number that is no choice", () => {
    expectRefused(patched(bye, 0, 0), "0, not one of 1 2 4 6 7 8");
    expectRefused(patched(bye, 0, 5), "5, not one of"); // Reserved.
    expectRefused(patched(bye, 0, 9), "9, not one of");
    expectRefused(patched(welcome, 0, 10), "10, not one of");
  });

  test("a proof that is neither 0 nor 32 bytes", () => {
    expectRefused(patched(welcome, 1, 31), "31 bytes, neither 0 nor 32");
  });

  test("lists beyond their limits", () => {
    const pathAt = 50 + 17;
    expectRefused(patched(welcome, pathAt, LIMITS.pathNodesMax + 1), "17 items, at most 16");
    const lineageAt = pathAt + 1 + 16 + 17 + 28 + 12;
    expectRefused(patched(welcome, lineageAt, 65), "65 items, at most 64");
    expectRefused(patched(digest, 32, 1, 2), "513 items, at most 512");
  });

  test("a term beyond its limit", () => {
    const termAt = 50 + 17 + 1 + 16 + 17 + 28;
    expectRefused(
      patched(welcome, termAt, 1, 0, 0, 0, 0, 0, 0x10, 0),
      "more than 4503599627370496",
    );
  });

  test("a message beyond its limit", () => {
    expectRefused(patched(bye, 1, 0x01, 0x04), "1025 bytes of text");
  });

  test("a text that is not utf-8", () => {
    expectRefused(patched(bye, 3, 0xff), "not utf-8");
    expectRefused(patched(bye, 3, 0xed, 0xa0, 0x80), "not utf-8"); // A half of a surrogate pair.
    expectRefused(patched(bye, 3, 0xc0, 0x80), "not utf-8"); // An overlong NUL.
  });

  test("buckets that are no power of two up to 512", () => {
    for (const bytes of [
      [0, 0, 0, 0],
      [3, 0, 0, 0],
      [0, 4, 0, 0],
      [0, 0, 0, 0x80],
    ]) {
      expectRefused(patched(verify, 44, ...bytes), "power of two");
    }
  });

  test("a type that is no control frame => ERR_WIRE_TYPE", () => {
    for (const type of [0, FRAME.chunk, FRAME.batch, 255]) {
      expect(bodyBytesMax(type)).toBe(type === FRAME.chunk ? LIMITS.chunkBytesMax : 0);
      expect(() => decodeBody(type, 0, Buffer.alloc(0), 0, 0)).toThrow(
        expect.objectContaining({ code: "ERR_WIRE_TYPE" }) as Error,
      );
    }
  });
});

describe("values: what we must not send", () => {
  test.each<[string, Control]>([
    ["u16", { ...greeting, versionMax: 65_536 }],
    ["u32", { ...hello, partialBytes: 2 ** 32 }],
    ["u32 fraction", { ...hello, partialCrc: 1.5 }],
    ["u53", { ...ping, next: 2 ** 53 }],
    ["u53 negative", { ...ping, next: -1 }],
    ["id too short", { ...greeting, nonce: "00" }],
    ["id with no hex", { ...greeting, nonce: `${HISTORY.slice(2)}zz` }],
    ["proof", { ...welcome, proof: "00" }],
    ["text", { ...hello, format: { name: "n".repeat(256), version: 1 } }],
    ["path", { ...welcome, path: Array.from({ length: 17 }, () => HISTORY) }],
    ["buckets", { ...verify, buckets: 131_072 }],
    ["sums", { ...digest, buckets: Array.from({ length: 513 }, () => 0) }],
  ])("%s => AssertionError", (_what, message) => {
    expect(() => encode(message)).toThrow(expect.objectContaining({ name: "AssertionError" }));
  });

  test("a message that is too long is cut between characters", () => {
    const sent = encode({ ...bye, message: `x${"\u00e9".repeat(600)}` });
    expect(decodeFrame(sent)).toEqual({ ...bye, message: `x${"\u00e9".repeat(511)}` });
  });
});
