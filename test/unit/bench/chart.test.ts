/** Charts and the sentences under them. */
import { describe, expect, test } from "vitest";
import { lineChart, sentence, type Series, shortNumber } from "../../../bench/lib/chart.ts";

function series(ys: readonly number[], yScale: Series["yScale"] = "linear"): Series {
  const points = ys.map((y, i) => ({ x: 10 ** i, y }));
  return { id: "x", what: "Cost", of: "replicas", unit: "us", yScale, points };
}

describe("chart: the sentence", () => {
  test("a spread of at most a quarter is flat", () => {
    expect(sentence(series([100, 110, 105]))).toBe(
      "Cost: flat within 10 % from 1 to 100 replicas.",
    );
  });

  test("else it says what the end is in units of the beginning", () => {
    expect(sentence(series([10, 20, 40]))).toBe(
      "Cost: grows to 4 x from 1 to 100 replicas (10 to 40 us).",
    );
    expect(sentence(series([40, 20, 10]))).toMatch(/^Cost: falls to 0\.25 x /);
  });

  test("a bump in between is not called flat", () => {
    expect(sentence(series([10, 20, 10]))).toBe(
      "Cost: grows to 1 x from 1 to 100 replicas (10 to 10 us), 20 at most.",
    );
  });

  test("points are named by their labels", () => {
    const points = [
      { x: 1024, y: 1, label: "1 KiB" },
      { x: 2048, y: 1, label: "2 KiB" },
    ];
    expect(sentence({ ...series([]), points })).toBe(
      "Cost: flat within 0 % from 1 KiB to 2 KiB replicas.",
    );
  });
});

describe("chart: the picture", () => {
  /** "x,y" of the line's points. */
  const places = (svg: string): string[] =>
    /polyline[^>]*points="([^"]*)"/.exec(svg)![1]!.split(" ");

  test("steps of x are even where x grows by the same factor", () => {
    const xs = places(lineChart(series([1, 2, 3]))).map((place) => Number(place.split(",")[0]));
    expect(xs[1]! - xs[0]!).toBeCloseTo(xs[2]! - xs[1]!, 0);
  });

  test("steps of y are even: by difference, or by factor when the scale is logarithmic", () => {
    const ys = (chart: string): number[] =>
      places(chart).map((place) => Number(place.split(",")[1]));
    const linear = ys(lineChart(series([10, 20, 30])));
    expect(linear[0]! - linear[1]!).toBeCloseTo(linear[1]! - linear[2]!, 0);
    const log = ys(lineChart(series([1, 10, 100], "log")));
    expect(log[0]! - log[1]!).toBeCloseTo(log[1]! - log[2]!, 0);
  });

  test("a single point, and equal ones, have a place", () => {
    expect(lineChart(series([5]))).not.toMatch(/NaN|Infinity/);
    expect(lineChart(series([5, 5], "log"))).not.toMatch(/NaN|Infinity/);
  });

  test("has its own ground, and escapes texts", () => {
    const svg = lineChart({ ...series([1]), what: "a < b & c" });
    expect(svg).toContain('<rect width="100%" height="100%" fill="#ffffff"/>');
    expect(svg).toContain("a &lt; b &amp; c");
  });
});

test.each([
  [0.1234, "0.123"],
  [99.96, "100"],
  [1234, "1234"],
  [12_345, "12.3k"],
  [20_000_000, "20M"],
])("chart: %d is written %s", (value, text) => {
  expect(shortNumber(value)).toBe(text);
});
