/** docs/PROTOCOL.md against the code: every worked example and every table of numbers. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ERRORS } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { bodyBytesMax, encode } from "../../../src/wire/codec.ts";
import { BATCH_FLAG, FRAME_HEAD_BYTES, batchChain, isNodeBatch } from "../../../src/wire/frame.ts";
import {
  FRAME,
  type ByeCode,
  type Consent,
  type Control,
  type Decision,
  type RejectCode,
} from "../../../src/wire/messages.ts";
import { encodeNodeRecord, readNodeBatch } from "../../../src/wire/node-record.ts";
import { BATCH, CHUNK, EXAMPLES, NODE_BATCH, readExamples } from "./examples.ts";
import { START, cut, decodeFrame, makeBatch, makeChunk, makeDecoder, pushPieces } from "./tools.ts";

const documented = readExamples();
const document = readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8");

/** The examples by name of the frame type: "ack streaming" is one of an ack. */
function typesOf(names: Iterable<string>): Set<string> {
  return new Set([...names].map((name) => name.split(" ")[0]!));
}

describe("golden bytes", () => {
  test("every frame type has a worked example, and every example a value", () => {
    expect(typesOf(documented.keys())).toEqual(new Set(Object.keys(FRAME)));
    expect([...documented.keys()].sort()).toEqual(
      [...Object.keys(EXAMPLES), "batch", "batch node", "chunk"].sort(),
    );
  });

  test.each(Object.entries(EXAMPLES))("%s: encode gives the documented bytes", (name, message) => {
    expect(encode(message).toString("hex")).toBe(documented.get(name)?.toString("hex"));
  });

  test.each(Object.entries(EXAMPLES))("%s: the documented bytes decode", (name, message) => {
    const bytes = documented.get(name)!;
    expect(decodeFrame(bytes)).toEqual(message);
    const { decoder, sink } = makeDecoder();
    pushPieces(decoder, [bytes]);
    expect(sink.heard).toEqual([message]);
  });

  test("batch: sealing gives the documented bytes, and they decode at every cut", () => {
    const bytes = documented.get("batch")!;
    const made = makeBatch(BATCH.records, BATCH.offset, START, BATCH.clockMs);
    expect(made.bytes.toString("hex")).toBe(bytes.toString("hex"));
    expect(made.chain).toBe(batchChain(bytes, 0));
    for (let place = 1; place < bytes.length; place++) {
      const { decoder, sink } = makeDecoder();
      pushPieces(decoder, cut(bytes, place));
      expect(sink.heard).toMatchObject([
        { type: "batch", offset: 0, count: 1, clockMs: BATCH.clockMs, length: bytes.length },
      ]);
      expect([decoder.offset, decoder.chain]).toEqual([bytes.length, made.chain]);
    }
  });

  test("batch node: sealing gives the documented bytes, and they are read back", () => {
    const bytes = documented.get("batch node")!;
    const { record, offset, chain, clockMs } = NODE_BATCH;
    const made = makeBatch([encodeNodeRecord(record)], offset, chain, clockMs, BATCH_FLAG.node);
    expect(made.bytes.toString("hex")).toBe(bytes.toString("hex"));
    expect(readNodeBatch(bytes, 0)).toEqual(record);
    expect([isNodeBatch(bytes, 0), isNodeBatch(documented.get("batch")!, 0)]).toEqual([
      true,
      false,
    ]);
    for (let place = 1; place < bytes.length; place++) {
      const { decoder, sink } = makeDecoder();
      decoder.expect(offset, chain);
      pushPieces(decoder, cut(bytes, place));
      expect(sink.heard).toMatchObject([{ type: "batch", offset, count: 1, length: bytes.length }]);
    }
  });

  test("chunk: sealing gives the documented bytes, and END's digest is over its digest", () => {
    const bytes = documented.get("chunk")!;
    const made = makeChunk(CHUNK.number, CHUNK.payload);
    expect(made.bytes.toString("hex")).toBe(bytes.toString("hex"));
    const digest = createHash("sha256").update(bytes.subarray(4, 8)).digest("hex");
    expect(EXAMPLES["end"]).toMatchObject({ digest, bytes: CHUNK.payload.length });
    const { decoder, sink } = makeDecoder();
    pushPieces(decoder, [bytes]);
    const payload = CHUNK.payload.toString("hex");
    expect(sink.heard).toEqual([{ type: "chunk", number: 0, payload, digest: made.digest }]);
  });
});

/** The first two cells of the rows below the header that begins with these, by the first. */
function table(first: string, second: string, heading = ""): Record<string, string> {
  const section = document.indexOf(heading);
  const start = document.indexOf(`\n| ${first} | ${second} |`, section);
  expect(Math.min(section, start)).toBeGreaterThanOrEqual(0);
  const rows = document
    .slice(start + 1)
    .split("\n\n")[0]!
    .split("\n")
    .slice(2);
  const cells: Record<string, string> = {};
  for (const row of rows) {
    const [, name, value] = row.split("|").map((cell) => cell.trim());
    if (name !== "(reserved)") cells[name!] = value!;
  }
  return cells;
}

// Written as records, so that a new code does not compile before it is here.
const DECISIONS: Readonly<Record<Decision, true>> = {
  continue: true,
  wait: true,
  ship_too_old: true,
  ship_new: true,
  ship_diverged: true,
  ship_ahead: true,
  ship_chain: true,
  ship_reset: true,
  ship_resume: true,
  ship_asked: true,
};
const REJECTS: Readonly<Record<RejectCode, true>> = {
  version: true,
  format: true,
  auth: true,
  malformed: true,
  too_many_replicas: true,
  too_many_handshakes: true,
  unrelated: true,
  unrelated_empty: true,
  cycle: true,
  self: true,
  duplicate_id: true,
  quarantined: true,
  not_ready: true,
  shutting_down: true,
  rank: true,
};
const BYES: Readonly<Record<ByeCode, true>> = {
  shutdown: true,
  history_changed: true,
  protocol: true,
  ship: true,
  not_ready: true,
  copied: true,
};
const CONSENTS: Readonly<Record<Consent, string>> = { none: "0", replicaof: "1", reset: "2" };

/** The number that each name is on the wire: the first byte of a body in which it is. */
function numbers<T extends string>(
  names: Readonly<Record<T, unknown>>,
  message: (name: T) => Control,
): Record<string, string> {
  const entries = (Object.keys(names) as T[]).map((name) => {
    const frame = encode(message(name));
    expect(decodeFrame(frame)).toEqual(message(name));
    return [name, String(frame[FRAME_HEAD_BYTES])];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

describe("tables of the document", () => {
  test("decisions", () => {
    const welcome = EXAMPLES["welcome"] as Extract<Control, { type: "welcome" }>;
    const expected = numbers(DECISIONS, (decision) => ({ ...welcome, decision }));
    expect(table("decision", "number")).toEqual(expected);
  });

  test("codes of REJECT and BYE", () => {
    const reject = EXAMPLES["reject"] as Extract<Control, { type: "reject" }>;
    const bye = EXAMPLES["bye"] as Extract<Control, { type: "bye" }>;
    expect(table("code", "number", "\n### 3.4 REJECT")).toEqual(
      numbers(REJECTS, (code) => ({ ...reject, code })),
    );
    expect(table("code", "number", "\n### 3.10 BYE")).toEqual(
      numbers(BYES, (code) => ({ ...bye, code })),
    );
  });

  test("consents", () => {
    const words = Object.entries(CONSENTS).map((entry) => entry.join(" "));
    expect(document).toContain(`| \`consent\` | one of ${words.join(", ")} |`);
    const hello = EXAMPLES["hello"] as Extract<Control, { type: "hello" }>;
    const consentAt = encode(hello).length - 31; // 1, 21 of resume, 4, 4, and its own byte.
    for (const consent of Object.keys(CONSENTS) as Consent[]) {
      expect(String(encode({ ...hello, consent })[consentAt])).toBe(CONSENTS[consent]);
    }
  });

  test("why a ship is wanted", () => {
    const wanted = ["no", "torn", "damaged"] as const;
    const words = wanted.map((word, number) => `${word} ${number}`).join(", ");
    expect(document).toContain(`| \`shipWanted\` | one of ${words} |`);
    const hello = EXAMPLES["hello"] as Extract<Control, { type: "hello" }>;
    for (const shipWanted of wanted)
      expect(encode({ ...hello, shipWanted }).at(-1)).toBe(wanted.indexOf(shipWanted));
  });

  test("frame types", () => {
    const expected = Object.entries(FRAME).map(([name, type]) => [
      name.toUpperCase(),
      String(type),
    ]);
    expect(table("type", "number")).toEqual(Object.fromEntries(expected));
  });

  test("limits that a peer can meet", () => {
    const rows = table("limit", "value");
    for (const [name, value] of Object.entries(rows)) {
      expect([name, value]).toEqual([name, String(LIMITS[name as keyof typeof LIMITS])]);
    }
    expect(document).toContain(
      `longest HELLO has ${FRAME_HEAD_BYTES + bodyBytesMax(FRAME.hello)} b`,
    );
  });

  test("errors and their remedies", () => {
    const section = document.slice(document.indexOf("\n## 6. Errors"));
    for (const [code, { remedy }] of Object.entries(ERRORS)) {
      if (!code.startsWith("ERR_WIRE_")) continue;
      expect(section).toMatch(new RegExp(`^\\| ${code} \\| .* \\| ${remedy} \\|$`, "m"));
    }
  });
});
