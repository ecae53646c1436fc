/** The ratios as an SVG bar chart: one bar for each figure, log scale, 1 is redis. */
import { median } from "../lib/stats.ts";
import type { Row } from "./main.ts";
import { lessIsBetter } from "./questions.ts";

const WIDTH = 760;
const LABEL = 250;
const ROW = 22;
/** The chart's ends: a quarter and four times redis. */
const SPAN = Math.log(4);

export function plot(rows: readonly Row[]): string {
  const height = rows.length * ROW + 50;
  const middle = LABEL + (WIDTH - LABEL - 60) / 2;
  const scale = (WIDTH - LABEL - 60) / 2 / SPAN;
  const bars = rows.map((row, i) => {
    const ratio = median(row.ratios);
    const length = Math.max(-SPAN, Math.min(SPAN, Math.log(ratio))) * scale;
    const y = 40 + i * ROW;
    const good = ratio < 1 === lessIsBetter(row.figure);
    const x = Math.min(middle, middle + length);
    return [
      `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end">${row.question} ${row.figure}</text>`,
      `<rect x="${x}" y="${y + 3}" width="${Math.abs(length)}" height="13" fill="${good ? "#2a7f62" : "#b5523b"}"/>`,
      `<text x="${WIDTH - 52}" y="${y + 13}">${ratio.toFixed(2)} x</text>`,
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${LABEL}" y="20">hawser / redis-server (log scale; green: hawser is better)</text>`,
    `<line x1="${middle}" y1="30" x2="${middle}" y2="${height - 10}" stroke="#888888"/>`,
    ...bars,
    "</svg>\n",
  ].join("\n");
}
