/** The first frame of a backup: it is read back, and damage or a later format is told from its absence. */
import { expect, test } from "vitest";
import {
  BACKUP_HEAD_BYTES_MAX,
  encodeBackupHead,
  readBackupHead,
  type BackupHead,
} from "../../../../src/log/disk/backup-head.ts";
import { DiskError } from "../../../../src/errors.ts";
import { VirtualDisk } from "../../../sim/virtual-disk.ts";
import { Random } from "../../../../tools/random.ts";
import type { DiskFile } from "../../../../src/log/disk/files.ts";

const HEAD: BackupHead = {
  format: 1,
  clusterId: "c0".repeat(16),
  nodeId: "a1".repeat(16),
  clockMs: 1_893_463_200_000,
};

function fileOf(bytes: Buffer): DiskFile {
  const file = new VirtualDisk(new Random(1)).folder("f").create("backup");
  file.write([bytes], 0);
  return file;
}

test.each([HEAD, { ...HEAD, clusterId: null }])("%o", (head) => {
  const bytes = encodeBackupHead(head);
  expect(bytes.length).toBeLessThanOrEqual(BACKUP_HEAD_BYTES_MAX);
  const more = Buffer.concat([bytes, Buffer.alloc(500, 7)]);
  expect(readBackupHead(fileOf(more))).toEqual({ head, bytes: bytes.length });
});

test("another frame, or nothing => there is none", () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(200), Buffer.alloc(200, 1)])
    expect(readBackupHead(fileOf(bytes))).toBeNull();
});

test("every flipped byte and every cut is damage, but for the type, without which there is none", () => {
  const bytes = encodeBackupHead(HEAD);
  for (let at = 0; at < bytes.length; at++) {
    if (at === 8) continue;
    const bad = Buffer.from(bytes);
    bad[at]! ^= 0x10;
    expect(() => readBackupHead(fileOf(bad)), `byte ${at}`).toThrow(DiskError);
    if (at > 8) expect(() => readBackupHead(fileOf(bytes.subarray(0, at)))).toThrow(DiskError);
  }
});

test("a later format is named", () => {
  const later = encodeBackupHead({ ...HEAD, format: 2 });
  expect(() => readBackupHead(fileOf(later))).toThrow("format 2, expected 1");
});
