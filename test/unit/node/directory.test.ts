/** --dir at a start: made, and its small files read with an error that names them. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDirectory, readSmall } from "../../../src/node/directory.ts";
import { UsageError } from "../../../src/node/option-values.ts";
import { RoleFile } from "../../../src/node/role-file.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-directory-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What `run` throws, which is a UsageError of one line. */
function usageError(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error("nothing was thrown");
}

describe("openDirectory", () => {
  test("not there => made", () => {
    openDirectory(join(dir, "a", "b"));
    expect(existsSync(join(dir, "a", "b"))).toBe(true);
  });

  test.each(["file", "file/below", "\0"])("%j => an error that names it", (name) => {
    writeFileSync(join(dir, "file"), "");
    const message = usageError(() => openDirectory(join(dir, name)));
    expect(message).toContain(`--dir "${join(dir, name)}": files cannot be kept there`);
  });
});

describe("small files", () => {
  test("too long, or no file => an error that names it", () => {
    writeFileSync(join(dir, "long"), "x".repeat(5000));
    mkdirSync(join(dir, "folder"));
    expect(usageError(() => readSmall(dir, "long"))).toContain(`${join(dir, "long")} cannot be`);
    expect(usageError(() => readSmall(dir, "folder"))).toContain(join(dir, "folder"));
  });
});

describe("the role in node.json", () => {
  test("written => read by the next process; forgotten => gone", () => {
    const memory = { role: "replica", upstream: { host: "h", port: 7 } } as const;
    new RoleFile(dir).write(memory);
    expect(new RoleFile(dir).read()).toEqual(memory);
    new RoleFile(dir).forget();
    expect(new RoleFile(dir).read()).toBe(null);
  });

  test("without --dir => nothing is remembered", () => {
    const file = new RoleFile("");
    file.write({ role: "primary", upstream: null });
    file.forget();
    expect(file.read()).toBe(null);
  });

  test("a directory that went away => the write throws", () => {
    const file = new RoleFile(dir);
    rmSync(dir, { recursive: true });
    expect(() => file.write({ role: "primary", upstream: null })).toThrow("ENOENT");
  });
});
