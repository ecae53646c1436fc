/**
 * The decoder under random and damaged streams. fast-check prints seed and path of a failure;
 * replay with fc.assert(..., { seed, path }).
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WireError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { decodeBody, encode } from "../../../src/wire/codec.ts";
import { Decoder } from "../../../src/wire/decoder.ts";
import { FRAME_HEAD_BYTES, sealControlHead } from "../../../src/wire/frame.ts";
import { FRAME } from "../../../src/wire/messages.ts";
import { corpus } from "../fuzz/corpus.ts";
import { anyMessage } from "./arbitraries.ts";
import { ALL_TYPES, cut, makeDecoder, makeStream, pushPieces, type Heard } from "./tools.ts";

const FRAMES = makeStream();
const STREAM = Buffer.concat(FRAMES);

const places = fc.array(fc.nat(), { maxLength: 8 });

function cutAt(bytes: Buffer, at: readonly number[]): Buffer[] {
  const sorted = at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return cut(bytes, ...sorted);
}

/** Pushes until the first error, which must be a WireError; returns what was heard until then. */
function hear(pieces: readonly Buffer[]): { heard: readonly Heard[]; error: WireError | null } {
  const { decoder, sink } = makeDecoder();
  let error: WireError | null = null;
  try {
    pushPieces(decoder, pieces);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    error = thrown;
  }
  expect(decoder.carryBytes).toBeLessThanOrEqual(LIMITS.controlBytesMax);
  return { heard: sink.heard, error };
}

describe("fuzz", () => {
  test.each(corpus("wire"))("corpus: %s, at every cut => nothing is heard", (name, bytes) => {
    const whole = hear([bytes]);
    // Bytes that may still become a frame are waited for, all others are refused.
    expect([name, whole.error === null]).toEqual([name, name === "batch-of-1-gib.hex"]);
    for (let place = 0; place <= bytes.length; place++) {
      const { heard, error } = hear(cut(bytes, place));
      expect(heard).toEqual([]);
      expect(error?.code).toBe(whole.error?.code);
    }
  });

  test("random bytes, any cuts => nothing is heard, only WireErrors", () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));
    fc.assert(
      fc.property(bytes, places, (value, at) => {
        expect(hear(cutAt(value, at)).heard).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test("random messages, any cuts => heard as they were sent", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 5 }), places, (messages, at) => {
        const bytes = Buffer.concat(messages.map((message) => encode(message)));
        expect(hear(cutAt(bytes, at))).toEqual({ heard: messages, error: null });
      }),
    );
  });

  test("a random body under right sums, of every type => a value or ERR_WIRE_BODY", () => {
    const controls = Object.values(FRAME).filter((type) => type !== FRAME.batch);
    const bodies = fc.uint8Array({ minLength: 5, maxLength: 300 });
    fc.assert(
      fc.property(fc.constantFrom(...controls), bodies, (type, body) => {
        const frame = Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), body]);
        sealControlHead(frame, 0, type, frame.length);
        const { heard, error } = hear([frame]);
        expect(heard).toHaveLength(error === null ? 1 : 0);
        if (error !== null) expect(error.code).toMatch(/^ERR_WIRE_(BODY|LENGTH)$/);
      }),
      { numRuns: 2000 },
    );
  });

  test("random bodies => decodeBody throws only WireErrors", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.uint8Array({ maxLength: 300 }), (type, body) => {
        try {
          decodeBody(type, 0, Buffer.from(body), 0, body.length);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const whole = hear([STREAM]).heard;

  /** Frames from the true stream only, and batches only in their order from the first. */
  function expectNothingFalse(heard: readonly Heard[]): void {
    for (const one of heard) expect(whole).toContainEqual(one);
    const batches = (of: readonly Heard[]): Heard[] => of.filter((one) => one.type === "batch");
    expect(batches(whole).slice(0, batches(heard).length)).toEqual(batches(heard));
  }

  test("damage: changed, lost, doubled and foreign bytes => never a false frame", () => {
    const damage = fc.record({
      kind: fc.constantFrom("change", "lose", "double", "insert"),
      at: fc.nat(STREAM.length - 1),
      length: fc.integer({ min: 1, max: 60 }),
      noise: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), places, (damages, at) => {
        let bytes: Buffer = STREAM;
        for (const { kind, at, length, noise } of damages) {
          const keep = kind === "change" || kind === "lose" ? at + length : at;
          const between = { change: noise, lose: [], insert: noise, double: [] }[kind];
          const again = kind === "double" ? bytes.subarray(Math.max(0, at - length), at) : [];
          const pieces = [bytes.subarray(0, at), between, again, bytes.subarray(keep)];
          bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
        }
        expectNothingFalse(hear(cutAt(bytes, at)).heard);
      }),
      { numRuns: 1000 },
    );
  });

  test("splices: the stream goes on at another place of itself => never a false frame", () => {
    const place = fc.nat(STREAM.length);
    fc.assert(
      fc.property(place, place, (from, to) => {
        const spliced = Buffer.concat([STREAM.subarray(0, from), STREAM.subarray(to)]);
        expectNothingFalse(hear([spliced]).heard);
      }),
      { numRuns: 1000 },
    );
  });

  test("frames in any order => batches only in theirs", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...FRAMES]), (frames) => {
        const { heard, error } = hear(frames);
        expectNothingFalse(heard);
        if (error !== null) expect(error.code).toBe("ERR_WIRE_OFFSET");
      }),
    );
  });

  test("a decoder that never expects => no batch at all", () => {
    const heard: string[] = [];
    const note = (name: string) => () => heard.push(name);
    const decoder = new Decoder(ALL_TYPES, {
      control: note("control"),
      batchHead: note("batch"),
      batchBytes: note("batch"),
      batchEnd: note("batch"),
      chunkHead: note("chunk"),
      chunkBytes: note("chunk"),
      chunkEnd: note("chunk"),
    });
    expect(() => decoder.push(STREAM, 0, STREAM.length)).toThrow(/ERR_WIRE_STATE/);
    expect(heard).toEqual(["control", "control", "control"]);
  });
});
