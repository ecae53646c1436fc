/** One process at a time has a data directory, and a dead one does not keep it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { bootId, DirectoryLock } from "../../../../src/node/disk/directory-lock.ts";
import { encodeHolder, isLeft } from "../../../../src/node/disk/lock-holder.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-lock-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function refusalOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    return (error as DiskError).message;
  }
  return "none";
}

describe("DirectoryLock", () => {
  test("is taken once, and again when it was freed", () => {
    const lock = new DirectoryLock(dir);
    expect(refusalOf(() => new DirectoryLock(dir))).toMatch(/in use by this very process/);
    lock.free();
    lock.free();
    new DirectoryLock(dir).free();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("names a process that has it, and is taken over from one that died", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const holder = { pid: child.pid!, began: "", bootId: bootId(), host: hostname() };
    writeFileSync(join(dir, "lock"), encodeHolder(holder));
    expect(refusalOf(() => new DirectoryLock(dir))).toContain(`in use by process ${child.pid}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = new DirectoryLock(dir);
    expect(readdirSync(dir)).toEqual(["lock"]);
    lock.free();
    expect(existsSync(join(dir, "lock"))).toBe(false);
  });

  test("what cannot be read, and a claim that was left, are in nobody's way", () => {
    writeFileSync(join(dir, "lock"), "");
    writeFileSync(join(dir, "lock.claim"), "{");
    new DirectoryLock(dir).free();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("frees nothing that is another's", () => {
    const lock = new DirectoryLock(dir);
    writeFileSync(join(dir, "lock"), "another's");
    lock.free();
    expect(existsSync(join(dir, "lock"))).toBe(true);
  });
});

describe("a lock is left over", () => {
  const self = { pid: 10, began: "500", bootId: "b1", host: "h" };
  const holder = { pid: 20, began: "300", bootId: "b1", host: "h" };
  test.each([
    ["its process runs", holder, "300", false],
    ["its process is gone", holder, null, true],
    ["another process has its number", holder, "400", true],
    ["nobody knows when its process began", holder, "", false],
    ["the machine was started anew", { ...holder, bootId: "b0" }, "300", true],
    ["nobody knows of which boot it is", { ...holder, bootId: "" }, "300", false],
    ["it is another machine's", { ...holder, host: "i", bootId: "b0" }, null, false],
    ["nobody has written it", null, null, true],
  ])("%s", (_, of, began, expected) => {
    expect(isLeft(of, self, () => began)).toBe(expected);
  });
});
