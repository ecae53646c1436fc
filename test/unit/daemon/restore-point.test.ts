/** The word of --at: an offset, a time with its zone, or a refusal that says what is expected. */
import { expect, test } from "vitest";
import { readPoint } from "../../../src/daemon/restore-point.ts";

const TWO = Date.UTC(2030, 0, 1, 2);

test.each([
  ["0", { kind: "offset", offset: 0 }],
  ["123456", { kind: "offset", offset: 123_456 }],
  ["@1893463200000", { kind: "time", ms: TWO }],
  ["2030-01-01T02:00:00Z", { kind: "time", ms: TWO }],
  ["2030-01-01 02:00z", { kind: "time", ms: TWO }],
  ["2030-01-01T02:00:00.25Z", { kind: "time", ms: TWO + 250 }],
  ["2030-01-01T03:30:00+01:30", { kind: "time", ms: TWO }],
  ["2029-12-31T21:00:00-0500", { kind: "time", ms: TWO }],
])("%s", (text, point) => {
  expect(readPoint(text)).toEqual(point);
});

test.each([
  ["", "expected an offset"],
  ["-5", "expected an offset"],
  ["1e9", "expected an offset"],
  ["@", "expected an offset"],
  ["yesterday", "expected an offset"],
  ["2030-01-01", "expected an offset"],
  ["2030-01-01T02:00:00", "has no time zone; write 2030-01-01T02:00:00Z for UTC"],
  ["2030-02-30T02:00:00Z", "is no such time"],
  ["2030-01-01T25:00:00Z", "is no such time"],
  ["2030-01-01T02:00:00+99:00", "is no such time"],
  ["1960-01-01T00:00:00Z", "is no such time"],
  ["99999999999999999999", "is above 9006099743113216"],
  ["@99999999999999999999", "is above 8640000000000000"],
])("%s => %s", (text, why) => {
  expect(() => readPoint(text)).toThrow(why);
  expect(() => readPoint(text)).toThrow(`--at: "${text}"`);
});
