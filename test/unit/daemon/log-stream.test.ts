/** A log whose reader hangs: memory is bounded, and what is missing is counted. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { LogStream } from "../../../src/daemon/log-stream.ts";
import { createLogger } from "../../../src/node/logger.ts";
import { until } from "../../../tools/wait.ts";

test("a reader that hangs => at most 1 MiB waits; it reads on => told how many lines are missing", async () => {
  const target = new PassThrough();
  const log = createLogger({
    level: "info",
    format: "json",
    sink: (line) => stream.write(line),
  });
  const stream = new LogStream(target, (lines) => log.warn("log_lines_lost", { lines }));
  const written = 5000;
  let most = 0;
  for (let n = 0; n < written; n++) {
    log.info("event", { n, text: "x".repeat(1000) });
    most = Math.max(most, target.writableLength + target.readableLength);
  }
  expect(most).toBeGreaterThan(1024 * 1024 - 2000);
  expect(most).toBeLessThanOrEqual(1024 * 1024 + target.readableHighWaterMark + 2000);

  let text = "";
  target.setEncoding("utf8").on("data", (part: string) => (text += part));
  await until(() => text.includes("log_lines_lost"), { what: "the count" });
  log.info("after");
  await until(() => text.includes('"after"'), { what: "a line after it" });
  const lines = text.trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const kept = events.filter(({ event }) => event === "event");
  expect(kept.map(({ n }) => n)).toEqual(kept.map((_, i) => i));
  expect(events.slice(kept.length)).toMatchObject([
    { level: "warn", event: "log_lines_lost", lines: written - kept.length },
    { event: "after" },
  ]);
});
