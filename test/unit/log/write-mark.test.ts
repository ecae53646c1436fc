import { describe, expect, test } from "vitest";
import { WriteMark } from "../../../src/log/write-mark.ts";

const [H0, H1, H2] = ["0", "1", "2"].map((digit) => digit.repeat(32)) as [string, string, string];

describe("write mark", () => {
  test("before the first write => offset 0 of any log", () => {
    expect(new WriteMark().offsetIn({ history: H1, lineage: [] })).toBe(0);
  });

  test("in the present history => its offset", () => {
    const mark = new WriteMark();
    mark.set(H0, 100);
    expect(mark.offsetIn({ history: H0, lineage: [] })).toBe(100);
    mark.set(H0, 120);
    expect(mark.offsetIn({ history: H0, lineage: [] })).toBe(120);
  });

  test("its history was left later => still part of the log; left earlier, or unknown => gone", () => {
    const mark = new WriteMark();
    mark.set(H0, 100);
    const left = (at: number) => ({
      history: H1,
      lineage: [{ history: H0, left: at, term: 1, run: 0 }],
    });
    expect([101, 100, 99].map((at) => mark.offsetIn(left(at)))).toEqual([100, 100, -1]);
    expect(
      mark.offsetIn({ history: H2, lineage: [{ history: H1, left: 500, term: 1, run: 0 }] }),
    ).toBe(-1);
  });
});
