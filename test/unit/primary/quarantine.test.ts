/** How long a replica waits after a ship that failed. */
import { describe, expect, test } from "vitest";
import { Quarantine } from "../../../src/primary/quarantine.ts";

describe("quarantine", () => {
  test("doubles up to ten minutes, is forgotten after keeping up, remembers a thousand", () => {
    const quarantine = new Quarantine();
    expect([quarantine.fail("r", 0), quarantine.fail("r", 0)]).toEqual([1_000, 2_000]);
    expect([quarantine.waitMs("r", 500), quarantine.waitMs("r", 2_000)]).toEqual([1_500, 0]);
    for (let n = 0; n < 20; n++) quarantine.fail("r", 0);
    expect(quarantine.fail("r", 0)).toBe(600_000);
    expect(quarantine.count(0)).toBe(1);
    quarantine.forgive("r");
    expect([quarantine.waitMs("r", 0), quarantine.fail("r", 0)]).toEqual([0, 1_000]);
    for (let n = 0; n < 1_000; n++) quarantine.fail(`other${n}`, 0);
    expect(quarantine.waitMs("r", 0)).toBe(0);
    expect(quarantine.count(0)).toBe(1_000);
  });
});
