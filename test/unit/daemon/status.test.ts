/** The page of `hawser status`. */
import { describe, expect, test } from "vitest";
import { statusText } from "../../../src/daemon/status.ts";
import { PRIMARY, REPLICA } from "../resp/status-examples.ts";

describe("status", () => {
  test("the page: plain without colour, one line for each fact", () => {
    const text = statusText(REPLICA, false, 1000);
    expect(text).toMatch(/^role {6}replica/);
    expect(text).toContain("upstream  10.0.0.9:16380 restoring, applied 10, 10 bytes behind it");
    expect(text).toContain(
      "root      link down for 3 s, 25 bytes behind its last known end, state at most 300 ms old by its clock",
    );
    expect(text).toContain("last error: bad\\u000anews");
    expect(text).not.toContain("\u001b");
    expect(statusText(PRIMARY, true, 1000)).toContain("\u001b[32mstreaming");
  });
});
