/** The decoder: every cut, every flipped bit, limits, batches that are resumed, bad sinks. */
import { describe, expect, test } from "vitest";
import { WireError, type WireErrorCode } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bodyBytesMax, encode } from "../../../src/wire/codec.ts";
import { Decoder } from "../../../src/wire/decoder.ts";
import {
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  headSum,
} from "../../../src/wire/frame.ts";
import { FRAME, type Control } from "../../../src/wire/messages.ts";
import { NODE_BATCH_BYTES_MAX } from "../../../src/wire/node-record.ts";
import { EXAMPLES, HISTORY } from "./examples.ts";
import {
  ALL_TYPES,
  Recorder,
  START,
  cut,
  makeBatch,
  makeChunk,
  makeDecoder,
  makeStream,
  pushPieces,
  type Heard,
} from "./tools.ts";

const PING = encode(EXAMPLES["ping"]!);
const FRAMES = makeStream();
const STREAM = Buffer.concat(FRAMES);

/** The error that pushing these pieces ends in. */
function errorOf(decoder: Decoder, pieces: readonly Buffer[]): WireError {
  try {
    pushPieces(decoder, pieces);
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error("no error");
}

function codeOf(decoder: Decoder, ...pieces: readonly Buffer[]): WireErrorCode {
  return errorOf(decoder, pieces).code;
}

/** The frame with its first `headBytes` changed and the head's crc made right again. */
function resealed(frame: Buffer, headBytes: number, change: (head: Buffer) => void): Buffer {
  const changed = Buffer.from(frame);
  change(changed);
  changed.writeUInt32LE(headSum(changed, 0, headBytes), 0);
  return changed;
}

describe("cuts", () => {
  const whole = makeDecoder();
  pushPieces(whole.decoder, [STREAM]);

  test("one push of everything => every frame, in order", () => {
    const types = whole.sink.heard.map((heard) => heard.type);
    expect(types.filter((type) => type === "batch")).toHaveLength(2);
    expect(types.filter((type) => type === "chunk")).toHaveLength(3);
    const controls = whole.sink.heard.filter(
      (heard) => heard.type !== "batch" && heard.type !== "chunk",
    );
    expect(controls).toEqual(Object.values(EXAMPLES));
    expect(whole.decoder.consumed).toBe(STREAM.length);
  });

  test("frames that arrive whole => nothing is carried, so no buffer", () => {
    const { decoder } = makeDecoder();
    pushPieces(decoder, FRAMES);
    expect([decoder.consumed, decoder.carryBytes]).toEqual([STREAM.length, 0]);
  });

  function expectSame(pieces: readonly Buffer[]): void {
    const { decoder, sink } = makeDecoder();
    pushPieces(decoder, pieces);
    expect(sink.heard).toEqual(whole.sink.heard);
    expect(decoder.offset).toBe(whole.decoder.offset);
    expect(decoder.chain).toBe(whole.decoder.chain);
    expect(decoder.consumed).toBe(STREAM.length);
    // Between frames: elsewhere it is an AssertionError.
    decoder.expect(decoder.offset, decoder.chain);
  }

  test("cut in two at every byte", () => {
    for (let place = 1; place < STREAM.length; place++) expectSame(cut(STREAM, place));
  });

  test("cut in three at every byte and a few bytes later", () => {
    for (let place = 1; place < STREAM.length - 21; place++) {
      expectSame(cut(STREAM, place, place + (place % 20) + 1));
    }
  });

  test.each([1, 2, 3, 5, 7, 15, 16, 17, 19, 20, 35, 36, 37, 64, 100, 1000])(
    "pieces of %d bytes",
    (size) => {
      const places = [];
      for (let place = size; place < STREAM.length; place += size) places.push(place);
      expectSame(cut(STREAM, ...places));
    },
  );

  test("frame by frame, empty pushes between", () => {
    expectSame(FRAMES.flatMap((frame) => [Buffer.alloc(0), frame]));
  });

  test("each frame alone, one byte at a time => heard at its last byte, not before", () => {
    const start = { offset: 0, chain: START };
    for (const frame of FRAMES) {
      const { decoder, sink } = makeDecoder();
      decoder.expect(start.offset, start.chain);
      for (let at = 0; at < frame.length; at++) {
        expect(sink.heard).toEqual([]);
        pushPieces(decoder, [frame.subarray(at, at + 1)]);
      }
      expect(sink.heard).toHaveLength(1);
      if (sink.heard[0]!.type === "batch") Object.assign(start, endOf(decoder));
    }
  });

  test("the sink hears of a batch from the moment the head is complete, byte by byte", () => {
    const { decoder, sink } = makeDecoder();
    const { bytes } = makeBatch([Buffer.alloc(100)], 0, START);
    for (let at = 0; at < bytes.length; at++) {
      expect([sink.heads, sink.payloadBytes, sink.heard.length]).toEqual(
        at < BATCH_HEAD_BYTES ? [0, 0, 0] : [1, at - BATCH_HEAD_BYTES, 0],
      );
      expect([decoder.offset, decoder.chain]).toEqual([0, START]);
      decoder.push(bytes, at, at + 1);
    }
    expect([sink.heads, sink.payloadBytes, sink.heard.length]).toEqual([1, 104, 1]);
    expect(decoder.offset).toBe(bytes.length);
  });
});

function endOf(decoder: Decoder): { offset: number; chain: number } {
  return { offset: decoder.offset, chain: decoder.chain };
}

describe("flipped bits", () => {
  const batch = makeBatch([Buffer.from("first"), Buffer.from("second")], 0, START).bytes;
  const chunk = makeChunk(5, Buffer.from("payload")).bytes;
  const frames: readonly (readonly [string, Buffer, number])[] = [
    ...Object.entries(EXAMPLES).map(([name, message]) => [name, encode(message), 16] as const),
    ["chunk", chunk, 16],
    ["batch", batch, 36],
  ];
  /** A flipped type may make the receiver wait for a longer head: more comes on a live link. */
  const after = Buffer.concat([PING, PING]);

  /** How the frame with this bit flipped ends, pushed whole and byte by byte. */
  function flip(frame: Buffer, bit: number): WireErrorCode {
    const flipped = Buffer.concat([frame, after]);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const codes = [[flipped], cut(flipped, ...flipped.keys()).slice(1)].map((pieces) => {
      const { decoder, sink } = makeDecoder();
      const { code } = errorOf(decoder, pieces);
      expect(sink.heard).toEqual([]);
      return code;
    });
    expect(codes[0]).toBe(codes[1]);
    return codes[0]!;
  }

  test.each(frames)("%s: every bit of the head => caught", (_name, frame, headBytes) => {
    const codes = new Set<WireErrorCode>();
    for (let bit = 0; bit < 8 * headBytes; bit++) codes.add(flip(frame, bit));
    expect([...codes]).toEqual(["ERR_WIRE_HEADER_CRC"]);
  });

  test.each(frames)("%s: every bit behind the head => caught", (name, frame, headBytes) => {
    const codes = new Set<WireErrorCode>();
    for (let bit = 8 * headBytes; bit < 8 * frame.length; bit++) codes.add(flip(frame, bit));
    expect([...codes]).toEqual([name === "batch" ? "ERR_WIRE_CHAIN" : "ERR_WIRE_BODY_CRC"]);
  });

  test("a whole batch with a wrong chain => the sink never hears of it", () => {
    const { decoder, sink } = makeDecoder();
    const flipped = Buffer.from(batch);
    flipped[40]! ^= 1;
    expect(codeOf(decoder, flipped)).toBe("ERR_WIRE_CHAIN");
    expect([sink.heads, sink.payloadBytes]).toEqual([0, 0]);
    expect([decoder.offset, decoder.chain]).toEqual([0, START]);
  });
});

describe("lengths: checked before anything is kept for them", () => {
  const reject = encode({ ...(EXAMPLES["reject"] as Extract<Control, { type: "reject" }>) });

  test("control: length = max is accepted, max + 1 => ERR_WIRE_LENGTH before the body arrives", () => {
    const longest = encode({ type: "bye", code: "ship", message: "m".repeat(1024) });
    expect(longest.length).toBe(16 + bodyBytesMax(FRAME.bye));
    const accepted = makeDecoder();
    pushPieces(accepted.decoder, cut(longest, 16));
    expect(accepted.sink.heard).toHaveLength(1);

    const head = resealed(longest, 16, (bytes) => bytes.writeUInt32LE(longest.length + 1, 12));
    const refused = makeDecoder();
    expect(codeOf(refused.decoder, head.subarray(0, 16))).toBe("ERR_WIRE_LENGTH");
    expect(refused.decoder.carryBytes).toBe(0);
  });

  test("chunk: length = max is accepted, max + 1 => ERR_WIRE_LENGTH before the payload", () => {
    const longest = makeChunk(0, Buffer.alloc(LIMITS.chunkBytesMax - 4, 1)).bytes;
    const accepted = makeDecoder();
    pushPieces(accepted.decoder, [longest]);
    expect(accepted.sink.heard).toHaveLength(1);
    const head = resealed(longest, 16, (bytes) => bytes.writeUInt32LE(longest.length + 1, 12));
    expect(codeOf(makeDecoder().decoder, head.subarray(0, 20))).toBe("ERR_WIRE_LENGTH");
  });

  test("batch: length = max is accepted, max + 1 => ERR_WIRE_LENGTH before the payload", () => {
    const { bytes } = makeBatch([Buffer.alloc(4)], 0, START);
    const accepted = makeDecoder();
    const longest = resealed(bytes, 36, (head) => head.writeUInt32LE(LIMITS.batchBytesMax, 12));
    pushPieces(accepted.decoder, cut(longest.subarray(0, 36), 10));
    expect([accepted.sink.heads, accepted.sink.payloadBytes]).toEqual([1, 0]);
    const head = resealed(bytes, 36, (head) => head.writeUInt32LE(LIMITS.batchBytesMax + 1, 12));
    expect(codeOf(makeDecoder().decoder, head.subarray(0, 36))).toBe("ERR_WIRE_LENGTH");
  });

  test("4 GiB announced with a right crc, by every type => ERR_WIRE_LENGTH at its head", () => {
    for (const frame of FRAMES) {
      const headBytes = frame[8] === FRAME.batch ? 36 : 16;
      const wireBytes = frame[8] === FRAME.chunk ? 20 : headBytes;
      const huge = resealed(frame, headBytes, (head) => head.writeUInt32LE(0xffff_ffff, 12));
      for (const pieces of [[huge.subarray(0, wireBytes)], cut(huge.subarray(0, wireBytes), 7)]) {
        const { decoder, sink } = makeDecoder();
        expect(codeOf(decoder, ...pieces)).toBe("ERR_WIRE_LENGTH");
        expect(sink.heads).toBe(0);
        expect(decoder.carryBytes).toBeLessThanOrEqual(64);
      }
    }
  });

  test("1 GiB announced within the limits => no memory until bytes come", () => {
    const { bytes } = makeBatch([Buffer.alloc(4)], 0, START);
    const head = resealed(bytes, 36, (head) => head.writeUInt32LE(2 ** 30, 12)).subarray(0, 36);
    const { decoder, sink } = makeDecoder();
    const before = process.memoryUsage().arrayBuffers;
    pushPieces(decoder, cut(head, ...head.keys()).slice(1));
    expect([sink.heads, sink.payloadBytes]).toEqual([1, 0]);
    expect(decoder.carryBytes).toBe(64);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test("the carry buffer holds the longest body there is, and not more", () => {
    const longest = Math.max(...Object.values(FRAME).map((type) => bodyBytesMax(type) % 2 ** 20));
    expect(longest).toBeLessThanOrEqual(LIMITS.controlBytesMax);
    const { decoder } = makeDecoder();
    for (let round = 0; round < 3; round++) {
      for (const frame of FRAMES.filter((frame) => frame[8] !== FRAME.batch)) {
        pushPieces(decoder, cut(frame, ...frame.keys()).slice(1));
      }
    }
    expect(decoder.carryBytes).toBeLessThanOrEqual(longest);
  });

  test.each([
    ["control", reject, 16, [0, 15, 16]],
    ["chunk", makeChunk(0, Buffer.from("x")).bytes, 16, [0, 16, 19]],
    ["batch", makeBatch([Buffer.from("x")], 0, START).bytes, 36, [0, 16, 35]],
  ] as const)(
    "%s: shorter than its head => ERR_WIRE_LENGTH",
    (_name, frame, headBytes, lengths) => {
      for (const length of lengths) {
        const short = resealed(frame, headBytes, (head) => head.writeUInt32LE(length, 12));
        expect(codeOf(makeDecoder().decoder, short)).toBe("ERR_WIRE_LENGTH");
        const { decoder } = makeDecoder();
        expect(codeOf(decoder, ...cut(short, 5))).toBe("ERR_WIRE_LENGTH");
      }
    },
  );
});

describe("heads: right crc, wrong content", () => {
  test("a type that does not exist, or is not for this end => ERR_WIRE_TYPE", () => {
    for (const type of [0, 26, 31, 33, 255]) {
      const frame = resealed(PING, 16, (head) => head.writeUInt8(type, 8));
      expect(codeOf(makeDecoder().decoder, frame)).toBe("ERR_WIRE_TYPE");
    }
    for (const frame of FRAMES) {
      const without = new Set([...ALL_TYPES].filter((type) => type !== frame[8]));
      expect(codeOf(makeDecoder(without).decoder, frame)).toBe("ERR_WIRE_TYPE");
      expect(codeOf(makeDecoder(without).decoder, ...cut(frame, 16))).toBe("ERR_WIRE_TYPE");
    }
  });

  test("flags and the reserved u16 => ERR_WIRE_BODY, in every type", () => {
    for (const frame of FRAMES) {
      const headBytes = frame[8] === FRAME.batch ? 36 : 16;
      for (let bit = 72; bit < 96; bit++) {
        // The bit of a node batch: see below.
        if (frame[8] === FRAME.batch && bit === 72) continue;
        const flagged = resealed(frame, headBytes, (head) => (head[bit >> 3]! ^= 1 << (bit & 7)));
        expect(codeOf(makeDecoder().decoder, flagged)).toBe("ERR_WIRE_BODY");
      }
    }
  });

  test("node batch: one record, no longer than one can be", () => {
    const node = (records: readonly Buffer[]) =>
      makeBatch(records, 0, START, 1, BATCH_FLAG.node).bytes;
    const longest = NODE_BATCH_BYTES_MAX - 40;
    const { decoder, sink } = makeDecoder();
    pushPieces(decoder, [node([Buffer.alloc(longest)])]);
    expect(sink.heard).toHaveLength(1);
    for (const records of [[Buffer.alloc(longest + 1)], [Buffer.alloc(8), Buffer.alloc(8)]])
      expect(codeOf(makeDecoder().decoder, node(records))).toBe("ERR_WIRE_BODY");
  });

  const { bytes } = makeBatch([Buffer.from("a"), Buffer.from("b")], 0, START);

  test("batch: not at the expected offset => ERR_WIRE_OFFSET", () => {
    for (const offset of [1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const { decoder } = makeDecoder();
      decoder.expect(offset, START);
      const error = errorOf(decoder, [bytes]);
      expect(error.code).toBe("ERR_WIRE_OFFSET");
      expect(error.message).toContain(
        `offset 0, expected ${offset} (frame at byte 0 of the stream)`,
      );
    }
  });

  test("batch: ends at 2^53 or later => ERR_WIRE_OFFSET", () => {
    const { decoder } = makeDecoder();
    const offset = Number.MAX_SAFE_INTEGER - 20;
    decoder.expect(offset, START);
    const late = resealed(bytes, 36, (head) => head.writeBigUInt64LE(BigInt(offset), 20));
    expect(codeOf(decoder, late)).toBe("ERR_WIRE_OFFSET");
  });

  test("batch: no records, or more than fit => ERR_WIRE_BODY", () => {
    for (const count of [0, 3, 0xffff_ffff]) {
      const wrong = resealed(bytes, 36, (head) => head.writeUInt32LE(count, 16));
      expect(codeOf(makeDecoder().decoder, wrong)).toBe("ERR_WIRE_BODY");
    }
  });

  test("batch: a clock of 2^53 or more => ERR_WIRE_BODY", () => {
    const wrong = resealed(bytes, 36, (head) => head.writeBigUInt64LE(2n ** 53n, 28));
    expect(codeOf(makeDecoder().decoder, wrong)).toBe("ERR_WIRE_BODY");
  });

  test("batch: the same again, or another history's => ERR_WIRE_OFFSET, ERR_WIRE_CHAIN", () => {
    expect(codeOf(makeDecoder().decoder, bytes, bytes)).toBe("ERR_WIRE_OFFSET");
    const { decoder } = makeDecoder();
    decoder.expect(0, (START ^ 1) >>> 0);
    expect(codeOf(decoder, bytes)).toBe("ERR_WIRE_CHAIN");
  });

  test("batch: before expect() => ERR_WIRE_STATE, already at its 16th byte", () => {
    for (const pieces of [[bytes], cut(bytes.subarray(0, 16), 3)]) {
      const decoder = new Decoder(ALL_TYPES, new Recorder());
      expect(decoder.offset).toBe(-1);
      expect(codeOf(decoder, ...pieces)).toBe("ERR_WIRE_STATE");
    }
  });

  test("control: a body that does not parse => ERR_WIRE_BODY, with its place in the stream", () => {
    const bye = encode({ type: "bye", code: "ship", message: "" });
    bye[16] = 77;
    const sealed = resealedBody(bye);
    const error = errorOf(makeDecoder().decoder, [PING, sealed]);
    expect(error.code).toBe("ERR_WIRE_BODY");
    expect(error.message).toContain(`before byte ${PING.length + 17} of the stream`);
  });
});

/** The frame with both sums made right for what its body is now. */
function resealedBody(frame: Buffer): Buffer {
  const changed = Buffer.from(frame);
  changed.writeUInt32LE(headSum(changed.subarray(12), 0, changed.length - 12), 4);
  return resealed(changed, 16, () => undefined);
}

describe("other protocols", () => {
  const feederAccepts = new Set<number>([FRAME.hello, FRAME.ack, FRAME.bye, FRAME.digest]);

  test.each([
    "GET / HTTP/1.1\r\nHost: localhost:16380\r\nUser-Agent: curl/8.0\r\n\r\n",
    "GET /abc HTTP/1.1\r\nHost: localhost:16380\r\n\r\n", // Its 9th byte is a space: type 32.
    "POST /metrics HTTP/1.0\r\n\r\n",
    "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    "SSH-2.0-OpenSSH_9.6\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS ClientHello",
  ])("%j to a feeder => an error at the first 16 bytes, nothing kept", (text) => {
    const bytes = Buffer.from(text, "latin1");
    const { decoder, sink } = makeDecoder(feederAccepts);
    const error = errorOf(decoder, [bytes]);
    expect(["ERR_WIRE_HEADER_CRC", "ERR_WIRE_TYPE"]).toContain(error.code);
    if (error.code === "ERR_WIRE_HEADER_CRC") expect(error.message).toContain("may not be hawser");
    expect([sink.heard.length, decoder.carryBytes]).toEqual([0, 0]);
    expect(codeOf(makeDecoder(feederAccepts).decoder, bytes.subarray(0, 16))).toMatch(/CRC|TYPE/);
  });

  test("an HTTP answer to a replica that expects no batch yet => an error at 16 bytes", () => {
    const decoder = new Decoder(ALL_TYPES, new Recorder());
    expect(codeOf(decoder, Buffer.from("HTTP/1.1 400 Bad"))).toBe("ERR_WIRE_STATE");
  });
});

describe("resumeBatch", () => {
  const first = makeBatch([Buffer.from("first")], 0, START);
  const at = first.bytes.length;
  const { bytes, chain } = makeBatch([Buffer.alloc(90, 3), Buffer.from("x")], at, first.chain);
  const next = makeBatch([Buffer.from("next")], at + bytes.length, chain).bytes;

  /** A new decoder that has the first `held` bytes of the batch, inside a larger buffer. */
  function resume(held: number): { decoder: Decoder; ends: string[] } {
    const ends: string[] = [];
    let taken = "";
    const decoder: Decoder = new Decoder(
      ALL_TYPES,
      Object.assign(new Recorder(), {
        batchBytes: (piece: Buffer, from: number, to: number) => {
          taken += piece.toString("hex", from, to);
        },
        batchHead: () => undefined,
        batchEnd: () => {
          ends.push(`${decoder.offset} ${taken}`);
          taken = "";
        },
      }),
    );
    decoder.expect(at, first.chain);
    const kept = Buffer.concat([Buffer.alloc(9), bytes.subarray(0, held)]);
    decoder.resumeBatch(kept, 9, held);
    kept.fill(0xee);
    return { decoder, ends };
  }

  test("at every byte from the head's end on => the rest arrives, then the next batch", () => {
    for (let held = BATCH_HEAD_BYTES; held < bytes.length; held++) {
      for (const places of [[], [1], [bytes.length - held]]) {
        const { decoder, ends } = resume(held);
        expect(ends).toEqual([]);
        pushPieces(decoder, cut(Buffer.concat([bytes.subarray(held), next]), ...places));
        expect(ends).toEqual([
          `${at + bytes.length} ${bytes.toString("hex", held)}`,
          `${at + bytes.length + next.length} ${next.toString("hex", BATCH_HEAD_BYTES)}`,
        ]);
      }
    }
  });

  test("the rest is not of the same batch => ERR_WIRE_CHAIN", () => {
    for (let held = BATCH_HEAD_BYTES; held < bytes.length; held++) {
      const rest = Buffer.from(bytes.subarray(held));
      rest[rest.length >> 1]! ^= 0x10;
      const { decoder, ends } = resume(held);
      expect(codeOf(decoder, rest)).toBe("ERR_WIRE_CHAIN");
      expect(ends).toEqual([]);
    }
  });

  test("what was held is damaged => ERR_WIRE_CHAIN", () => {
    const damaged = Buffer.from(bytes.subarray(0, 60));
    damaged[50]! ^= 1;
    const { decoder } = makeDecoder();
    decoder.expect(at, first.chain);
    decoder.resumeBatch(damaged, 0, 60);
    expect(codeOf(decoder, bytes.subarray(60))).toBe("ERR_WIRE_CHAIN");
  });

  test("from within control(), with the rest in the same push", () => {
    const heard: Heard[] = [];
    const sink = new Recorder();
    const decoder: Decoder = new Decoder(
      ALL_TYPES,
      Object.assign(sink, {
        control: (message: Control) => {
          heard.push(message);
          decoder.expect(at, first.chain);
          sink.batchHead(bytes, 0, bytes.length);
          decoder.resumeBatch(bytes, 0, 50);
        },
      }),
    );
    const welcome = encode(EXAMPLES["welcome"]!);
    pushPieces(decoder, [Buffer.concat([welcome, bytes.subarray(50), next])]);
    expect(heard).toEqual([EXAMPLES["welcome"]]);
    expect(sink.heard).toMatchObject([
      { type: "batch", offset: at, chain },
      { type: "batch", offset: at + bytes.length },
    ]);
  });

  test.each([
    ["fewer bytes than a head", 35, at],
    ["all of its bytes", bytes.length, at],
    ["a batch from elsewhere", 40, at + 1],
  ])("%s => AssertionError", (_what, held, offset) => {
    const { decoder } = makeDecoder();
    decoder.expect(offset, first.chain);
    expect(() => decoder.resumeBatch(bytes, 0, held)).toThrow(
      expect.objectContaining({ name: "AssertionError" }),
    );
  });
});

describe("owners", () => {
  const { bytes } = makeBatch([Buffer.from("record")], 0, START);

  test("a sink that throws: it passes through, and the decoder is dead", () => {
    const { decoder, sink } = makeDecoder();
    sink.batchEnd = () => {
      throw new RangeError("from the sink");
    };
    expect(() => decoder.push(bytes, 0, bytes.length)).toThrow(new RangeError("from the sink"));
    decoder.push(PING, 0, PING.length);
    expect(sink.heard).toEqual([]);
  });

  test("after an error => bytes are ignored", () => {
    const { decoder, sink } = makeDecoder();
    expect(codeOf(decoder, Buffer.alloc(16))).toBe("ERR_WIRE_HEADER_CRC");
    pushPieces(decoder, [PING, bytes]);
    expect([sink.heard.length, sink.heads, decoder.consumed]).toEqual([0, 0, 0]);
  });

  test("stop() in control() => nothing more, not even of the same push", () => {
    const { decoder, sink } = makeDecoder();
    sink.control = () => decoder.stop();
    pushPieces(decoder, [Buffer.concat([PING, bytes, PING]), bytes]);
    expect([sink.heads, decoder.consumed]).toEqual([0, PING.length]);
  });

  test("expect() in control() holds for the batch behind it", () => {
    const { decoder, sink } = makeDecoder();
    decoder.expect(77, 77);
    sink.control = () => decoder.expect(0, START);
    pushPieces(decoder, [Buffer.concat([PING, bytes])]);
    expect(sink.heard).toMatchObject([{ type: "batch", offset: 0 }]);
  });

  test("expect() with what is no position => AssertionError", () => {
    const { decoder } = makeDecoder();
    for (const [offset, chain] of [
      [-1, 0],
      [2 ** 53, 0],
      [0, -1],
      [0, 2 ** 32],
    ] as const) {
      expect(() => decoder.expect(offset, chain)).toThrow(
        expect.objectContaining({ name: "AssertionError" }),
      );
    }
  });

  test.each([
    ["inside a batch", bytes.subarray(0, 40)],
    ["inside a chunk", makeChunk(0, Buffer.from("payload")).bytes.subarray(0, CHUNK_HEAD_BYTES)],
  ])("expect() and resumeBatch() %s => AssertionError", (_where, piece) => {
    const { decoder } = makeDecoder();
    decoder.push(piece, 0, piece.length);
    expect(() => decoder.expect(0, START)).toThrow(/inside a frame/);
    expect(() => decoder.resumeBatch(bytes, 0, 40)).toThrow(/inside a frame/);
  });

  test("push() from within a sink => AssertionError", () => {
    const { decoder, sink } = makeDecoder();
    sink.control = () => decoder.push(PING, 0, PING.length);
    expect(() => decoder.push(PING, 0, PING.length)).toThrow(/from within a sink/);
  });

  test("batches of two histories with equal bytes behind them are told apart", () => {
    const { decoder } = makeDecoder();
    const other = makeBatch([Buffer.from("record")], 0, (START ^ 0x55) >>> 0);
    expect(other.bytes.subarray(36)).toEqual(bytes.subarray(36));
    expect(HISTORY).toHaveLength(32);
    expect(codeOf(decoder, other.bytes)).toBe("ERR_WIRE_CHAIN");
  });
});
