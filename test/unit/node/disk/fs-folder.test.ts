/** The real file system gives what the log expects of a folder: the same calls run on a virtual one. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import { FsFolder } from "../../../../src/node/disk/fs-folder.ts";
import { Model, START, DIRECTORY, HISTORY } from "../../log/disk/machine.ts";
import { Random } from "../../../../tools/random.ts";

let dir = "";
let folder: FsFolder;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-folder-"));
  folder = FsFolder.make(join(dir, "a", "b"));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function codeOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    return (error as DiskError).code;
  }
  return "none";
}

describe("FsFolder", () => {
  test("parts are written one after another, and read back", () => {
    const file = folder.create("x");
    file.write([Buffer.from("abc"), Buffer.alloc(0), Buffer.from("defg")], 2);
    file.sync();
    expect(file.sizeBytes).toBe(9);
    const into = Buffer.alloc(20, 1);
    expect(file.read(into, 3, 10, 4)).toBe(5);
    expect(into.toString("latin1", 3, 8)).toBe("cdefg");
    file.truncate(4);
    file.close();
    expect(readFileSync(join(folder.path, "x"))).toEqual(Buffer.from("\0\0ab"));
  });

  test("names are listed, renamed over others and removed", () => {
    for (const name of ["x", "y"]) folder.create(name).close();
    folder.rename("x", "y");
    folder.sync();
    expect(folder.list()).toEqual(["y"]);
    folder.remove("y");
    folder.remove("y");
    expect(folder.list()).toEqual([]);
  });

  test("what is not there, or cannot be, is an error with a code", () => {
    expect(codeOf(() => folder.open("none"))).toBe("ERR_DISK_READ");
    expect(codeOf(() => folder.create("no/such"))).toBe("ERR_DISK_WRITE");
    expect(codeOf(() => folder.rename("none", "x"))).toBe("ERR_DISK_WRITE");
    expect(codeOf(() => new FsFolder(join(dir, "none")).sync())).toBe("ERR_DISK_SYNC");
    expect(codeOf(() => new FsFolder(join(dir, "none")).list())).toBe("ERR_DISK_READ");
  });

  test("a disk that is full says so", () => {
    const full = new FsFolder("/dev").open("full");
    expect(codeOf(() => full.write([Buffer.from("x")], 0))).toBe("ERR_DISK_FULL");
    full.close();
  });

  test("a log of several files is written and recovered", () => {
    const model = new Model();
    const random = new Random(3);
    const options = {
      folder,
      fileBytes: 5000,
      directoryId: DIRECTORY,
      generation: 1,
      mint: () => random.bytes(16).toString("hex"),
      clock: () => 1,
      name: () => undefined,
    };
    const name = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
    const writer = new LogFileWriter(options, 1, START, name);
    for (let i = 0; i < 40; i++) {
      const bytes = model.append(random);
      writer.append(bytes, 0, bytes.length);
      writer.zeroAhead(3000);
      if (i % 7 === 0) writer.sync();
    }
    writer.stop();
    expect(writer.number).toBeGreaterThan(2);
    expect(statSync(join(folder.path, "00000001.log")).size).toBeLessThan(20_000);
    let batches = 0;
    const recovery = new LogRecovery({
      folder,
      quarantine: FsFolder.make(join(dir, "quarantine")),
      quarantineBytesMax: 0,
      rememberIncomplete: () => expect.unreachable(),
      directoryId: DIRECTORY,
      generation: 1,
      start: START,
      claims: { first: 1, last: writer.number, proven: 0 },
      sink: { batchHead: () => {}, batchBytes: () => {}, batchEnd: () => (batches += 1) },
    });
    while (recovery.step());
    expect(recovery.finish().verdict).toMatchObject({
      kind: "whole",
      clean: true,
      end: model.bytes.length,
    });
    expect(batches).toBe(40);
  });
});
