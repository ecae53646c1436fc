/** What a start tells of the role that was remembered, and of flags that say something else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RoleFlags } from "../../../src/node/role-memory.ts";
import { RoleFile } from "../../../src/node/role-file.ts";

const X = { host: "x", port: 1 };
const Y = { host: "y", port: 2 };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-role-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function recall(flags: Partial<RoleFlags>): readonly unknown[] {
  const told: unknown[] = [];
  const all = {
    command: "primary",
    of: null,
    seedFrom: [],
    roleFromFlags: false,
    keepsState: false,
  } as const;
  const { role, upstream } = new RoleFile(dir).recall(
    { ...all, ...flags },
    (level, event, fields) => told.push([level, event, fields]),
  );
  return [role, upstream, ...told];
}

test("nothing remembered => the flags, nothing is told", () => {
  expect(recall({ command: "replica", of: X })).toEqual(["replica", X]);
});

test("another role remembered => it wins, and the log says over what", () => {
  new RoleFile(dir).write({ role: "replica", upstream: Y });
  const fields = { remembered: "replica of y:2", flags: "primary" };
  expect(recall({})).toEqual(["replica", Y, ["warn", "role_remembered", fields]]);
});

test("--role-from-flags => the flags win, and what was remembered is forgotten", () => {
  new RoleFile(dir).write({ role: "replica", upstream: Y });
  const fields = { remembered: "replica of y:2", flags: "primary" };
  expect(recall({ roleFromFlags: true, keepsState: false })).toEqual([
    "primary",
    null,
    ["warn", "role_from_flags", fields],
  ]);
  expect(new RoleFile(dir).read()).toBe(null);
});

test("a primary remembered => its state is gone, and the log says so, unless it seeds", () => {
  new RoleFile(dir).write({ role: "primary", upstream: null });
  const told = ["warn", "primary_starts_empty", { role: "primary" }];
  expect(recall({})).toEqual(["primary", null, told]);
  expect(recall({ seedFrom: [X] })).toEqual(["replica", null]);
});
