/** Lines of strangers in the log: some at once, then one a second with a count, and none is lost. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger, type Logger } from "../../../src/node/logger.ts";
import { foldStrangers } from "../../../src/node/stranger-log.ts";

let lines: { event: string; times?: number; client?: string }[];
let log: Logger;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const sink = (line: string): unknown => lines.push(JSON.parse(line) as (typeof lines)[number]);
  log = foldStrangers(createLogger({ level: "info", format: "json", sink }));
});

afterEach(() => {
  vi.useRealTimers();
});

const counted = (event: string): number =>
  lines.filter((line) => line.event === event).reduce((sum, { times }) => sum + (times ?? 1), 0);

test("stranger-log: a thousand wrong passwords a second from as many addresses => one line a second, all counted", () => {
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 1000; i++) log.warn("auth_failed", { client: `10.0.${second}.${i}:1` });
    vi.advanceTimersByTime(1000);
  }
  expect(lines.length).toBeLessThanOrEqual(60 + 8);
  expect(counted("auth_failed")).toBe(60_000);
  expect(lines.at(-1)).toMatchObject({ client: "10.0.59.999:1", times: 1000 });
});

test("stranger-log: a few failures => each has its line at once; after a quiet while again", () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 8; i++) log.warn("client_dropped", { client: "a:1", reason: "noise" });
    expect(lines).toHaveLength(8 * (round + 1));
    vi.advanceTimersByTime(8_000);
  }
  expect(lines.every(({ times }) => times === undefined)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("stranger-log: floods on the replication port => folded; links and all else keep every line", () => {
  for (let i = 0; i < 100; i++) {
    const remote = `10.0.0.1:${i}`;
    log.warn("stranger", { remote, kind: "noise", said: "x" });
    log.warn("link_closed", { remote, replica: "", welcomed: false, reason: "rejected" });
    log.warn("link_closed", { remote, replica: "r", welcomed: true, reason: "silence" });
    log.info("signal_ignored", { signal: "SIGHUP" });
  }
  vi.advanceTimersByTime(1000);
  expect(lines.filter(({ event }) => event === "stranger")).toHaveLength(9);
  expect(lines.filter(({ event }) => event === "link_closed")).toHaveLength(109);
  expect(lines.filter(({ event }) => event === "signal_ignored")).toHaveLength(100);
  expect(counted("stranger")).toBe(100);
});
