/** What a data directory has at a start: the table, on a disk that is virtual. */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { generationName } from "../../../../src/log/disk/generation-names.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import type { Manifest } from "../../../../src/log/disk/manifest.ts";
import { readManifest, writeManifest } from "../../../../src/log/disk/manifest-file.ts";
import { openDataDirectory, type DataDirectory } from "../../../../src/node/disk/data-directory.ts";
import { Random } from "../../../../tools/random.ts";
import { VirtualDisk, VirtualTree } from "../../../sim/virtual-disk.ts";
import { HISTORY, Model, START } from "../../log/disk/machine.ts";

const DIRECTORY = "00112233445566778899aabbccddee00";
const mint = (): string => DIRECTORY;

function begin(tree: VirtualTree, opened: DataDirectory, named = true): LogFileWriter {
  const { manifest, folder } = opened;
  const options = {
    folder,
    fileBytes: 100_000,
    directoryId: manifest.directoryId,
    generation: manifest.generation,
    mint: () => "5a".repeat(16),
    clock: () => 1,
    name: (lastLog: number) => {
      if (named) writeManifest(tree.root, { ...manifest, lastLog });
    },
  };
  const name = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
  return new LogFileWriter(options, manifest.lastLog + 1, START, name);
}

function makeTree(): { disk: VirtualDisk; tree: VirtualTree } {
  const disk = new VirtualDisk(new Random(1));
  return { disk, tree: new VirtualTree(disk, "dir") };
}

function append(writer: LogFileWriter): void {
  const bytes = new Model().append(new Random(1));
  writer.append(bytes, 0, bytes.length);
}

function errorOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    return (error as DiskError).message;
  }
  return "none";
}

describe("at a start", () => {
  test("an empty directory is new, and so is a start that was cut short", () => {
    const { tree } = makeTree();
    const first = openDataDirectory(tree, mint);
    expect(first).toMatchObject({ isNew: true, manifest: { generation: 1, lastLog: 0 } });
    begin(tree, first, false);
    const second = openDataDirectory(tree, mint);
    expect(second.isNew).toBe(true);
    expect(second.folder.list()).toEqual([]);
    append(begin(tree, second));
    const third = openDataDirectory(tree, mint);
    expect(third).toMatchObject({ isNew: false, manifest: { lastLog: 1 } });
  });

  test("a generation with a batch and no manifest is no new one", () => {
    const { tree } = makeTree();
    append(begin(tree, openDataDirectory(tree, mint), false));
    expect(errorOf(() => openDataDirectory(tree, mint))).toMatch(
      /manifest is missing, and generation-00000001 is there/,
    );
    expect(tree.folder(generationName(1)).list()).toEqual(["00000001.log"]);
  });

  test.each([
    ["cut", (text: Buffer) => text.subarray(0, 20), /manifest: its crc32 is wrong/],
    ["empty", () => Buffer.alloc(0), /manifest: its crc32 is wrong/],
    ["large", () => Buffer.alloc(100_000), /manifest has 100000 bytes/],
  ])("a manifest that is %s is told of, and nothing is touched", (_, damage, why) => {
    const { tree } = makeTree();
    append(begin(tree, openDataDirectory(tree, mint)));
    tree.root.overwrite("manifest", damage(tree.root.bytesOf("manifest")));
    expect(errorOf(() => openDataDirectory(tree, mint))).toMatch(why);
    expect(tree.folder(generationName(1)).list()).toEqual(["00000001.log"]);
  });

  test("the folder of the generation must be there", () => {
    const { tree } = makeTree();
    append(begin(tree, openDataDirectory(tree, mint)));
    tree.removeFolder(generationName(1));
    expect(errorOf(() => openDataDirectory(tree, mint))).toMatch(/generation-00000001 is missing/);
  });
});

describe("what the manifest does not name", () => {
  function withFiles(change: Partial<Manifest>): VirtualTree {
    const { tree } = makeTree();
    append(begin(tree, openDataDirectory(tree, mint)));
    writeManifest(tree.root, { ...readManifest(tree.root)!, ...change });
    const folder = tree.folder(generationName(1));
    const names = ["00000000.log", "00000002.log", "00000002.log.tmp", "00000003.log.cut"];
    for (const name of [...names, "00000001.checkpoint"]) folder.overwrite(name, Buffer.from("x"));
    tree.make(generationName(2)).overwrite("00000001.log", Buffer.from("x"));
    return tree;
  }

  test("goes, but for log files that follow: a file has its name before the manifest names it", () => {
    const tree = withFiles({});
    openDataDirectory(tree, mint);
    expect(tree.folder(generationName(1)).list()).toEqual(["00000001.log", "00000002.log"]);
    expect(tree.folders()).toEqual([generationName(1), "quarantine"]);
  });

  test("what was set aside stays while something is missing", () => {
    const tree = withFiles({ incompleteTo: "unknown" });
    openDataDirectory(tree, mint);
    expect(tree.folder(generationName(1)).list()).toContain("00000003.log.cut");
  });

  test("is left when it cannot be removed", () => {
    const { disk, tree } = makeTree();
    append(begin(tree, openDataDirectory(tree, mint)));
    tree.folder(generationName(1)).overwrite("00000000.log", Buffer.from("x"));
    disk.fail = (call) => (call === "remove" ? "ERR_DISK_WRITE" : null);
    expect(openDataDirectory(tree, mint).isNew).toBe(false);
  });
});
