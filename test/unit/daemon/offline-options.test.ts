/** Words of `hawser inspect`, `hawser restore` and `hawser backup`: what is read, and every refusal before any effect. */
import { describe, expect, test } from "vitest";
import {
  readBackupOptions,
  readInspectOptions,
  readRestoreOptions,
} from "../../../src/daemon/offline-options.ts";

describe("offline options", () => {
  test("inspect", () => {
    expect(readInspectOptions(["d"])).toEqual({ dir: "d", json: false });
    expect(readInspectOptions(["--json", "d"])).toEqual({ dir: "d", json: true });
  });

  test("restore", () => {
    expect(readRestoreOptions(["f", "--dir", "d"])).toEqual({
      source: "f",
      dir: "d",
      log: "",
      point: { kind: "end" },
      at: "",
      replace: false,
    });
    const words = ["f", "--dir", "d", "--log", "old", "--at", "2030-01-01T02:00:00Z"];
    expect(readRestoreOptions(words)).toMatchObject({
      log: "old",
      point: { kind: "time", ms: Date.UTC(2030, 0, 1, 2) },
      at: "2030-01-01T02:00:00Z",
    });
    expect(readRestoreOptions(["--dir=d", "f", "--replace"]).replace).toBe(true);
  });

  test("backup", () => {
    const from = { host: "127.0.0.1", port: 6380 };
    expect(readBackupOptions(["-"], {})).toEqual({ to: "-", from, json: false, password: "" });
    const words = ["d", "--from", "[::1]:7000", "--repl-password=p", "--json"];
    expect(readBackupOptions(words, { HAWSER_REPL_PASSWORD: "q" })).toEqual({
      to: "d",
      from: { host: "::1", port: 7000 },
      json: true,
      password: "p",
    });
    expect(readBackupOptions(["d"], { HAWSER_REPL_PASSWORD: "q" }).password).toBe("q");
  });

  test.each([
    [() => readBackupOptions([], {}), "backup: DIR (or - for standard output) is missing"],
    [() => readBackupOptions(["d", "--from", "x"], {}), '--from: "x" expected HOST:PORT'],
    [() => readBackupOptions(["d", "--password", "x"], {}), "unknown flag --password"],
    [() => readInspectOptions([]), "inspect: DIR is missing"],
    [() => readInspectOptions(["a", "b"]), 'inspect: "b" is one word too many'],
    [() => readInspectOptions(["a", "--jsn"]), "unknown flag --jsn: did you mean --json?"],
    [() => readInspectOptions(["a", "--json=x"]), '--json: "x" expected true or false'],
    [() => readRestoreOptions(["f"]), "restore: --dir DIR is missing"],
    [
      () => readRestoreOptions(["--dir", "d"]),
      "restore: FILE, or the data directory to read, is missing",
    ],
    [() => readRestoreOptions(["f", "--dir"]), "--dir: a value is missing"],
    [() => readRestoreOptions(["f", "--dir", "d", "--at", "noon"]), '--at: "noon" expected an'],
  ])("%#", (read, message) => {
    expect(read).toThrow(message);
  });
});
