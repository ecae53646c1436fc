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

test("consent => there for whom it was given, with the node that it is for", () => {
  const consent = { kind: "replicaof", nodeId: "a".repeat(32), upstream: X } as const;
  new RoleFile(dir).write({ role: "replica", upstream: X }, consent);
  const at = (upstream: typeof X | null) =>
    new RoleFile(dir).recallConsent(upstream, false, () => undefined);
  expect(at(X)).toEqual({ consent, allowReset: false });
  expect([at(Y).consent, at(null).consent]).toEqual([null, null]);
  new RoleFile(dir).keepConsent(null, false);
  expect(at(X).consent).toBe(null);
});

test("--allow-reset was used => it counts no more, and the log says so; after a start without it again", () => {
  const told: string[] = [];
  const given = (flag: boolean) =>
    new RoleFile(dir).recallConsent(X, flag, (_level, event) => told.push(event)).allowReset;
  new RoleFile(dir).write({ role: "replica", upstream: X });
  expect(given(true)).toBe(true);
  new RoleFile(dir).keepConsent({ kind: "reset", nodeId: "", upstream: X }, true);
  expect([given(true), given(true), told]).toEqual([
    false,
    false,
    ["allow_reset_used", "allow_reset_used"],
  ]);
  expect([given(false), given(true)]).toEqual([false, true]);
});
