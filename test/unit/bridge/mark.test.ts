/** Marks: what goes in comes out, what is not a mark is refused. */
import { describe, expect, test } from "vitest";
import {
  decodeMark,
  encodeMark,
  isSameMark,
  MARK_BYTES_MAX,
  MARK_LINEAGE_MAX,
  MarkTemplate,
  type MarkedPlace,
} from "../../../src/bridge/mark.ts";
import { LIMITS } from "../../../src/limits.ts";
import { id } from "./tools.ts";

/** Ten of the histories have a byte each, all others hundreds. */
const isShort = (n: number): boolean => n > 0 && n <= 20 && n % 2 === 0;

const place = (entries: number): MarkedPlace => ({
  history: id(9),
  rank: { term: 7, run: 2 },
  offset: 5_000_000_000_000,
  chain: 0xdead_beef,
  clockMs: 1_790_000_000_000,
  bootId: id(4),
  lineage: Array.from({ length: entries }, (_, n) => ({
    history: id(100 + n),
    left: 1_000_000 + n * 1000 + (isShort(n) ? -999 : 0),
    term: n,
    run: n,
  })),
});

describe("marks", () => {
  test.each([0, 1, MARK_LINEAGE_MAX])("with %i histories: comes out as it went in", (entries) => {
    const mark = encodeMark(place(entries));
    expect(mark.length).toBeLessThanOrEqual(MARK_BYTES_MAX);
    expect(decodeMark(mark)).toEqual(place(entries));
  });

  test("of more histories than fit the shortest go; the oldest and the newest stay", () => {
    const given = place(LIMITS.lineageEntriesMax);
    const { lineage } = decodeMark(encodeMark(given));
    expect(LIMITS.lineageEntriesMax - MARK_LINEAGE_MAX).toBe(10);
    expect(lineage).toEqual(given.lineage.filter((_, n) => !isShort(n)));
    expect(given.lineage).toHaveLength(LIMITS.lineageEntriesMax);
  });

  test("one of a template is the same, whatever came before: another place, log, rank or lineage", () => {
    const { bootId } = place(0);
    const template = new MarkTemplate(bootId);
    const places = [
      place(2),
      { ...place(2), offset: 2 ** 52 + 7, chain: 0, clockMs: 0 },
      { ...place(2), history: id(8) },
      { ...place(2), rank: { term: 7, run: 3 } },
      { ...place(2), rank: { term: 8, run: 2 } },
      place(3),
      place(0),
      place(LIMITS.lineageEntriesMax),
    ];
    for (const each of [...places, ...places.toReversed()]) {
      const { offset, chain, clockMs } = each;
      const before = template.markAt(each, 1, 2, 3);
      const mark = template.markAt(each, offset, chain, clockMs);
      expect(isSameMark(mark, encodeMark(each))).toBe(true);
      expect(decodeMark(before)).toMatchObject({ offset: 1, chain: 2, clockMs: 3 });
    }
  });

  test("each is memory of its own", () => {
    const first = encodeMark(place(1));
    const before = Uint8Array.from(first);
    encodeMark({ ...place(1), offset: 1 });
    expect(first).toEqual(before);
    expect(first.buffer.byteLength).toBe(first.length);
  });

  test("any bit that is not as it was => ERR_STORE_MARK", () => {
    const mark = encodeMark(place(1));
    for (let bit = 0; bit < 8 * mark.length; bit += 5) {
      const damaged = Uint8Array.from(mark);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeMark(damaged)).toThrow("ERR_STORE_MARK");
    }
  });

  test.each([0, 3, 4, 40, 72])("cut to %i bytes => ERR_STORE_MARK", (bytes) => {
    expect(() => decodeMark(encodeMark(place(1)).subarray(0, bytes))).toThrow("ERR_STORE_MARK");
  });

  test("longer than a mark can be => ERR_STORE_MARK that says so", () => {
    expect(() => decodeMark(Buffer.alloc(MARK_BYTES_MAX + 1))).toThrow(/2049 bytes, up to 2048/);
  });

  test("the same bytes are the same mark; none is only the same as none", () => {
    const [a, b] = [encodeMark(place(1)), encodeMark(place(1))];
    expect([isSameMark(a, b), isSameMark(null, null)]).toEqual([true, true]);
    expect([isSameMark(a, null), isSameMark(a, encodeMark(place(2)))]).toEqual([false, false]);
  });
});
