/** Records of writes in memory that they share: what one write has, another never touches. */
import { describe, expect, test } from "vitest";
import { LogError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { PAYLOAD_BYTES_MAX } from "../../../src/log/draft.ts";
import { eachRecord } from "../../../src/bridge/records.ts";
import {
  SHARED_BYTES,
  WaitingRecords,
  type WaitingSpan,
} from "../../../src/bridge/waiting-records.ts";
import { Random } from "../../../tools/random.ts";

function recordsOf({ bytes, from, to }: WaitingSpan): string[] {
  const found: string[] = [];
  eachRecord(bytes, from, to, (each, start, end) => {
    found.push(each.toString("latin1", start, end));
  });
  return found;
}

const filled = (length: number, char: string): Buffer => Buffer.alloc(length, char);

describe("records of writes that wait", () => {
  test("writes one after the other => one behind the other in the same memory", () => {
    const waiting = new WaitingRecords();
    const first = waiting.copyOf([Buffer.from("a"), Buffer.from("bc")]);
    const second = waiting.copyOf([Buffer.from("")]);
    expect([second.bytes === first.bytes, second.from]).toEqual([true, first.to]);
    expect([recordsOf(first), recordsOf(second)]).toEqual([["a", "bc"], [""]]);
  });

  test("a write of nothing => nothing", () => {
    const { from, to } = new WaitingRecords().copyOf([]);
    expect(to - from).toBe(0);
  });

  test("what was given may change at once", () => {
    const given = Buffer.from("before");
    const span = new WaitingRecords().copyOf([given]);
    given.fill("x");
    expect(recordsOf(span)).toEqual(["before"]);
  });

  test("a large write has memory of its own, and the shared one goes on where it was", () => {
    const waiting = new WaitingRecords();
    const before = waiting.copyOf([Buffer.from("a")]);
    const large = waiting.copyOf([filled(SHARED_BYTES, "L")]);
    const after = waiting.copyOf([Buffer.from("b")]);
    expect(large.bytes).not.toBe(before.bytes);
    expect([after.bytes === before.bytes, after.from]).toEqual([true, before.to]);
    expect(recordsOf(large)).toEqual(["L".repeat(SHARED_BYTES)]);
  });

  test("a record too long, or too many together => ERR_LOG_RECORD_SIZE, and nothing is taken", () => {
    const waiting = new WaitingRecords();
    const { to } = waiting.copyOf([Buffer.from("a")]);
    // Its length is all that is looked at.
    const long = Object.defineProperty(Buffer.alloc(0), "length", {
      value: LIMITS.recordBytesMax + 1,
    });
    const half = Object.defineProperty(Buffer.alloc(0), "length", {
      value: Math.floor(PAYLOAD_BYTES_MAX / 2),
    });
    for (const given of [[long], [half, half]])
      expect(() => waiting.copyOf(given)).toThrow(LogError);
    expect(waiting.copyOf([Buffer.from("b")]).from).toBe(to);
  });

  test("any writes => each has its own bytes, however many came after it", () => {
    const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
    console.log(
      `seed=${seed} SEED=${seed} npx vitest run --project unit test/unit/bridge/waiting-records.test.ts`,
    );
    const random = new Random(seed);
    const waiting = new WaitingRecords();
    const written: { readonly span: WaitingSpan; readonly records: string[] }[] = [];
    for (let n = 0; n < 400; n++) {
      const records = Array.from({ length: random.between(0, 6) }, () => {
        const length = random.fraction() < 0.1 ? random.between(0, 20_000) : random.between(0, 80);
        return String.fromCharCode(random.between(97, 123)).repeat(length);
      });
      const span = waiting.copyOf(records.map((record) => Buffer.from(record)));
      written.push({ span, records });
    }
    for (const { span, records } of written) expect(recordsOf(span)).toEqual(records);
    expect(new Set(written.map(({ span }) => span.bytes)).size).toBeGreaterThan(2);
  });
});
