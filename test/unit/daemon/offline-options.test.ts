/** Words of `hawser inspect` and `hawser restore`: what is read, and every refusal before any effect. */
import { describe, expect, test } from "vitest";
import { readInspectOptions, readRestoreOptions } from "../../../src/daemon/offline-options.ts";

describe("offline options", () => {
  test("inspect", () => {
    expect(readInspectOptions(["d"])).toEqual({ dir: "d", json: false });
    expect(readInspectOptions(["--json", "d"])).toEqual({ dir: "d", json: true });
  });

  test("restore", () => {
    expect(readRestoreOptions(["f", "--dir", "d"])).toEqual({
      file: "f",
      dir: "d",
      replace: false,
    });
    expect(readRestoreOptions(["--dir=d", "f", "--replace"]).replace).toBe(true);
  });

  test.each([
    [() => readInspectOptions([]), "inspect: DIR is missing"],
    [() => readInspectOptions(["a", "b"]), 'inspect: "b" is one word too many'],
    [() => readInspectOptions(["a", "--jsn"]), "unknown flag --jsn: did you mean --json?"],
    [() => readInspectOptions(["a", "--json=x"]), '--json: "x" expected true or false'],
    [() => readRestoreOptions(["f"]), "restore: --dir DIR is missing"],
    [() => readRestoreOptions(["--dir", "d"]), "restore: FILE is missing"],
    [() => readRestoreOptions(["f", "--dir"]), "--dir: a value is missing"],
  ])("%#", (read, message) => {
    expect(read).toThrow(message);
  });
});
