/** Lines of the log: two formats, and text of strangers in one line. */
import { describe, expect, test } from "vitest";
import { createLogger, type LogFormat } from "../../../src/node/logger.ts";

describe("logger", () => {
  const line = (format: LogFormat, fields: Record<string, string | number | boolean>) => {
    let out = "";
    const log = createLogger({
      level: "info",
      format,
      sink: (text) => (out += text),
      now: () => 0,
    });
    log.debug("hidden");
    log.info("event", fields);
    return out;
  };

  test("json and pretty", () => {
    expect(line("json", { port: 1, ok: true, text: "a b" })).toBe(
      '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"event","port":1,"ok":true,"text":"a b"}\n',
    );
    expect(line("pretty", { port: 1, ok: true, text: 'a "b' })).toBe(
      '1970-01-01T00:00:00.000Z info  event port=1 ok=true text="a \\"b"\n',
    );
  });

  test("any text in a field => one line, no control characters, bounded", () => {
    const nasty = "a\nb\r\u001b[31m\u2028\u0085\u202e\u0000\u007f";
    for (const format of ["json", "pretty"] as const) {
      for (const text of [nasty, "x".repeat(100_000)]) {
        const out = line(format, { text });
        expect(out.length).toBeLessThan(2000);
        expect(out.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
        expect(out.endsWith("\n")).toBe(true);
      }
    }
    const parsed = JSON.parse(line("json", { text: nasty })) as { text: string };
    expect(parsed.text).toBe(nasty);
  });
});
