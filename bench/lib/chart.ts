/**
 * A line chart as SVG: x in logarithmic steps, y from 0 or logarithmic. On a white ground of its
 * own, so that it can be read on light and dark pages. Pure.
 */
export interface Series {
  /** Name of the file and of the bench. */
  readonly id: string;
  /** What is measured: the title, and the subject of the sentence. */
  readonly what: string;
  /** What grows. */
  readonly of: string;
  readonly unit: string;
  readonly yScale: "linear" | "log";
  /** By x, ascending; all above 0. */
  readonly points: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** How x is written; its number without it. */
  readonly label?: string;
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 30;
const TOP = 56;
const BOTTOM = 52;
const INK = "#1f2328";
const GRID = "#d0d7de";
const LINE = "#0b6bcb";

export function lineChart(series: Series): string {
  const { points } = series;
  const x = scale(
    points.map((point) => Math.log(point.x)),
    LEFT,
    WIDTH - RIGHT,
  );
  const ys = points.map((point) => point.y);
  const ticks = series.yScale === "log" ? logTicks(ys) : linearTicks(Math.max(...ys));
  const asY = (value: number): number => (series.yScale === "log" ? Math.log(value) : value);
  const y = scale(ticks.map(asY), HEIGHT - BOTTOM, TOP);
  const at = points.map((point) => ({
    ...point,
    px: place(x(Math.log(point.x))),
    py: place(y(asY(point.y))),
  }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="16" y="24" font-size="15">${escaped(series.what)}</text>`,
    `<text x="16" y="42">${escaped(series.unit)}</text>`,
    ...ticks.map((tick) => gridLine(place(y(asY(tick))), tick)),
    `<polyline fill="none" stroke="${LINE}" stroke-width="2" points="${at.map(({ px, py }) => `${px},${py}`).join(" ")}"/>`,
    ...at.map(({ px, py }) => `<circle cx="${px}" cy="${py}" r="3.5" fill="${LINE}"/>`),
    ...at.map(({ px, label, x: value }) => xLabel(px, label ?? shortNumber(value))),
    ...at.map(({ px, py, y: value }) => yLabel(px, py - 9, value)),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escaped(series.of)}</text>`,
    "</svg>\n",
  ].join("\n");
}

/**
 * One sentence on how the figure grows: flat, or how many times as much at the end.
 */
export function sentence({ what, of, unit, points }: Series): string {
  const ys = points.map((point) => point.y);
  const [first, last] = [points[0]!, points.at(-1)!];
  const spread = Math.max(...ys) / Math.min(...ys) - 1;
  const range = `from ${named(first)} to ${named(last)} ${of}`;
  if (spread <= FLAT) return `${what}: flat within ${Math.ceil(spread * 100 - 1e-9)} % ${range}.`;
  const grown = last.y / first.y;
  const how = grown >= 1 ? `grows to ${shortNumber(grown)} x` : `falls to ${shortNumber(grown)} x`;
  const most = Math.max(...ys);
  const bump = most > Math.max(first.y, last.y) ? `, ${shortNumber(most)} at most` : "";
  return `${what}: ${how} ${range} (${shortNumber(first.y)} to ${shortNumber(last.y)} ${unit})${bump}.`;
}

/** A spread up to this is called flat. */
const FLAT = 0.25;

const named = (point: Point): string => point.label ?? shortNumber(point.x);

function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

/** 0 and at most five steps of 1, 2 or 5 times a power of ten, the last at or above `most`. */
function linearTicks(most: number): number[] {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

/** Powers of ten around the values. */
function logTicks(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}

function gridLine(y: number, tick: number): string {
  const text = `<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end">${shortNumber(tick)}</text>`;
  return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="${GRID}"/>${text}`;
}

function xLabel(x: number, text: string): string {
  return `<text x="${x}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escaped(text)}</text>`;
}

function yLabel(x: number, y: number, value: number): string {
  return `<text x="${x}" y="${place(y)}" text-anchor="middle" font-size="10">${shortNumber(value)}</text>`;
}

const place = (value: number): number => Math.round(value * 10) / 10;

/** Three digits, with k and M. */
export function shortNumber(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
