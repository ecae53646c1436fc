/** Small files: written whole or not at all. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import {
  readSmallFile,
  removeSmallFile,
  writeSmallFile,
} from "../../../../src/log/disk/small-files.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-small-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("written => read back, nothing else is left; removed => gone", () => {
  const folder = new FsFolder(dir);
  writeSmallFile(folder, "name", "one");
  writeSmallFile(folder, "name", "two");
  expect([readSmallFile(folder, "name"), readdirSync(dir)]).toEqual(["two", ["name"]]);
  removeSmallFile(folder, "name");
  removeSmallFile(folder, "name");
  expect(readSmallFile(folder, "name")).toBe(null);
});

test("a write that fails => what was there stays, nothing is left aside", () => {
  // A file cannot be renamed over a directory.
  mkdirSync(join(dir, "name", "below"), { recursive: true });
  expect(() => writeSmallFile(new FsFolder(dir), "name", "two")).toThrow(DiskError);
  expect([readdirSync(dir), readdirSync(join(dir, "name"))]).toEqual([["name"], ["below"]]);
});
