/** What a killed backup left is known by its name, and nobody else's file is. */
import { expect, test } from "vitest";
import { backupName, begunName, leftBehind } from "../../../src/daemon/backup-names.ts";
import type { LockHolder } from "../../../src/node/disk/lock-holder.ts";

const SELF: LockHolder = {
  pid: 77,
  began: "1000",
  bootId: "0123abcd-89ab-4cde-8123-456789abcdef",
  host: "vault-1.example",
};
const NAME = backupName(Date.UTC(2030, 0, 1, 2), 123_456);
const tmp = (by: LockHolder): string => `${begunName(NAME, by)}.tmp`;
/** Process 5 runs, since 500. */
const beganOf = (pid: number): string | null => (pid === 5 ? "500" : null);

test("names", () => {
  expect(NAME).toBe("hawser-20300101T020000Z-123456.checkpoint");
  expect(tmp(SELF)).toBe(`${NAME}.77-1000-0123abcd-vault-1.example.tmp`);
  const odd = { ...SELF, host: "a/b c", bootId: "" };
  expect(tmp(odd)).toBe(`${NAME}.77-1000--a_b_c.tmp`);
});

test.each([
  ["of a process that does not run", { ...SELF, pid: 6 }, true],
  ["of another that has its number", { ...SELF, pid: 5, began: "400" }, true],
  ["of an earlier boot of the machine", { ...SELF, pid: 5, bootId: "ffffffff-0" }, true],
  ["of one that runs", { ...SELF, pid: 5, began: "500" }, false],
  ["of another machine", { ...SELF, pid: 6, host: "other" }, false],
])("%s => %#", (_, by, isLeft) => {
  expect(leftBehind([tmp(by)], SELF, beganOf)).toEqual(isLeft ? [tmp(by)] : []);
});

test("what is not one of these is nobody's to remove", () => {
  const names = [
    NAME,
    `${NAME}.tmp`,
    "notes.tmp",
    `x${tmp({ ...SELF, pid: 6 })}`,
    tmp({ ...SELF, pid: 6 }).replace(".tmp", ""),
    tmp({ ...SELF, pid: 6 }).replace("hawser", "Hawser"),
    `${NAME}.6-1000-0123abcd-../x.tmp`,
  ];
  expect(leftBehind(names, SELF, beganOf)).toEqual([]);
});
