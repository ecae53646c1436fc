/** Addresses as texts. */
import { describe, expect, test } from "vitest";
import { formatAddress, hostOf } from "../../../src/net/address.ts";

describe("an address is written so that its host can be told", () => {
  test.each([
    ["127.0.0.1", 6380, "127.0.0.1:6380"],
    ["primary.example", 1, "primary.example:1"],
    ["::1", 6380, "[::1]:6380"],
    ["fe80::1%eth0", 65535, "[fe80::1%eth0]:65535"],
    ["::ffff:10.0.0.1", 7, "[::ffff:10.0.0.1]:7"],
    ["?", 0, "?:0"],
  ])("%s, %d => %s, and back", (host, port, text) => {
    expect(formatAddress({ host, port })).toBe(text);
    expect(hostOf(text)).toBe(host);
  });

  test("a text without a port => no host", () => {
    expect(hostOf("nothing")).toBe("");
  });
});
