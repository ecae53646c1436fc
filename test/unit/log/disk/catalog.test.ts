/**
 * Which files count: what the manifest names is there and whole, wherever the machine dies, and what was
 * durable is found again.
 */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { Catalog } from "../../../../src/log/disk/catalog.ts";
import type { ForkCopy } from "../../../../src/log/disk/fork-copy.ts";
import { CheckpointReader } from "../../../../src/log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { generationName } from "../../../../src/log/disk/generation-names.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { NO_SINK } from "../../../../src/log/disk/log-file-scan.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import type { Manifest } from "../../../../src/log/disk/manifest.ts";
import { readManifest } from "../../../../src/log/disk/manifest-file.ts";
import { openDataDirectory } from "../../../../src/node/disk/data-directory.ts";
import { chainStart } from "../../../../src/wire/frame.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { NO_SYNC, type Position } from "../../../../src/wire/messages.ts";
import { Random } from "../../../../tools/random.ts";
import { Crash, VirtualDisk, VirtualTree } from "../../../sim/virtual-disk.ts";
import { makeBatch, makeChunk } from "../../wire/tools.ts";
import { DIRECTORY, HISTORY } from "./machine.ts";

const READING_NONE = Number.POSITIVE_INFINITY;

/** A log worker's part of a node, on a disk that dies. */
class Life {
  readonly catalog: Catalog;
  writer: LogFileWriter;
  chain: number;
  readonly tree: VirtualTree;
  readonly random: Random;

  constructor(tree: VirtualTree, random: Random) {
    this.tree = tree;
    this.random = random;
    const { isNew, manifest } = openDataDirectory(tree, () => DIRECTORY);
    const start = isNew
      ? { offset: 0, chain: chainStart(HISTORY), number: 1 }
      : recovered(tree, manifest);
    this.catalog = new Catalog(tree, manifest);
    this.chain = start.chain;
    this.writer = this.#write(start.number, { history: HISTORY, ...start });
    this.catalog.name(start.number);
  }

  append(): void {
    const records = [this.random.bytes(this.random.between(1, 600))];
    const { bytes, chain } = makeBatch(records, this.writer.written, this.chain);
    this.writer.append(bytes, 0, bytes.length);
    this.chain = chain;
  }

  roll(): void {
    this.writer.startHistory(NAME);
  }

  /** A checkpoint where a log file begins, as a node makes one. */
  checkpoint(): ForkCopy | null {
    this.roll();
    const position = { history: HISTORY, offset: this.writer.written, chain: this.chain };
    this.writeFile(position);
    this.append();
    return this.publish(position);
  }

  writeFile(position: Position): void {
    const writer = new CheckpointWriter(this.catalog.folder, this.writer.number, {
      type: "snapshot",
      snapshotId: DIRECTORY,
      position,
      rank: { term: 1, run: 0 },
      lineage: [],
      sync: NO_SYNC,
      format: { name: "test", version: 1 },
      firstChunk: 0,
      records: 1,
      bytes: 1,
    });
    const payload = Buffer.from(String(position.offset));
    const { bytes, digest } = makeChunk(0, payload);
    writer.chunk(bytes, 0, bytes.length);
    const tally = new ChunkTally();
    tally.note(0, payload.length, digest);
    writer.finish({
      type: "end",
      snapshotId: DIRECTORY,
      chunks: 1,
      records: 1,
      bytes: payload.length,
      digest: tally.digest,
    });
  }

  /** @returns what is kept of a fork, if there is one */
  publish(position: Position, log: number = this.writer.number): ForkCopy | null {
    let kept: ForkCopy | null = null;
    this.catalog.publish({ position, log, records: 1, bytes: 1, clockMs: 1 }, (copy) => {
      kept = copy;
    });
    return kept;
  }

  retain(keepBytes = 0, reading = READING_NONE): boolean {
    return this.catalog.retain({ end: this.writer.written, keepBytes, reading });
  }

  makeRoom(): boolean {
    return this.catalog.makeRoom({
      end: this.writer.written,
      keepBytes: 1e6,
      reading: READING_NONE,
    });
  }

  /** A swap: the log goes on at another offset, in a generation of its own. */
  restart(fork = -1): void {
    this.writer.abandon();
    this.catalog.begin(1, fork);
    this.chain = this.random.between(0, 2 ** 32);
    const offset = this.random.between(0, 100_000);
    this.writer = this.#write(1, { history: HISTORY, offset, chain: this.chain });
  }

  /** What a start would find for certain: the generation, and how far. */
  get promise(): { readonly generation: number; readonly durable: number } | null {
    const { catalog, writer } = this;
    return catalog.counts && catalog.manifest.lastLog > 0
      ? { generation: catalog.manifest.generation, durable: writer.durable }
      : null;
  }

  #write(number: number, start: Position): LogFileWriter {
    const { folder, manifest } = this.catalog;
    const options = {
      folder,
      fileBytes: 2_000,
      directoryId: DIRECTORY,
      generation: manifest.generation,
      mint: () => this.random.bytes(16).toString("hex"),
      clock: () => 1,
      name: (last: number) => this.catalog.name(last),
    };
    return new LogFileWriter(options, number, start, NAME);
  }
}

const NAME = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };

/** What a start makes of it: every checkpoint is whole, and the log goes on from the newest. */
function recovered(
  tree: VirtualTree,
  manifest: Manifest,
): { readonly offset: number; readonly chain: number; readonly number: number } {
  const folder = tree.folder(generationName(manifest.generation));
  for (const { log, position } of manifest.checkpoints) {
    const reader = new CheckpointReader(folder, log, {
      begin: (begin) => expect(begin.position).toEqual(position),
      chunk: (bytes, from, to) =>
        expect(bytes.toString("utf8", from, to)).toBe(String(position.offset)),
      end: () => {},
    });
    while (reader.step());
  }
  const [newest] = manifest.checkpoints;
  const start = newest?.position ?? { offset: 0, chain: chainStart(HISTORY) };
  const recovery = new LogRecovery({
    folder,
    quarantine: tree.folder("quarantine"),
    quarantineBytesMax: 0,
    rememberIncomplete: () => expect.unreachable("a crash never leaves that"),
    directoryId: DIRECTORY,
    generation: manifest.generation,
    start,
    claims: { first: newest?.log ?? 1, last: manifest.lastLog, proven: start.offset },
    sink: NO_SINK,
  });
  while (recovery.step());
  const { verdict, nextNumber } = recovery.finish();
  return { offset: verdict.end, chain: verdict.chain, number: nextNumber };
}

function made(seed = 1): { disk: VirtualDisk; tree: VirtualTree; life: Life; random: Random } {
  const random = new Random(seed);
  const disk = new VirtualDisk(random);
  const tree = new VirtualTree(disk, "dir");
  return { disk, tree, random, life: new Life(tree, random) };
}

const logsOf = (life: Life): number[] => life.catalog.files.map(({ number }) => number);

describe("what stays", () => {
  test("two checkpoints, and the log from the older one", () => {
    const { life } = made();
    for (let n = 0; n < 3; n++) {
      life.append();
      life.checkpoint();
    }
    const { checkpoints } = life.catalog.manifest;
    expect(checkpoints.map(({ log }) => log)).toEqual([4, 3]);
    expect(logsOf(life)).toEqual([1, 2, 3, 4]);
    expect(life.retain()).toBe(true);
    expect(logsOf(life)).toEqual([3, 4]);
    expect(life.retain()).toBe(false);
    const names = [...life.catalog.folder.list()].sort();
    expect(names).toEqual([
      "00000003.checkpoint",
      "00000003.log",
      "00000004.checkpoint",
      "00000004.log",
    ]);
    expect(readManifest(life.tree.root)).toEqual(life.catalog.manifest);
  });

  test("log for replicas, and what a link reads", () => {
    const { life } = made();
    for (let n = 0; n < 3; n++) {
      life.append();
      life.checkpoint();
    }
    expect(life.retain(1e6)).toBe(false);
    const second = life.catalog.files[1]!;
    expect(life.retain(0, second.start + 1)).toBe(true);
    expect(logsOf(life)).toEqual([2, 3, 4]);
  });

  test("a second checkpoint at the same end takes the place of the first", () => {
    const { life } = made();
    life.append();
    life.checkpoint();
    life.roll();
    const position = { history: HISTORY, offset: life.writer.written, chain: life.chain };
    for (let n = 0; n < 2; n++) {
      life.writeFile(position);
      life.publish(position);
    }
    expect(life.catalog.manifest.checkpoints.map(({ log }) => log)).toEqual([3, 2]);
  });

  test("a full disk: copies go first, then log, then the older checkpoint, then nothing", () => {
    const { life, tree } = made();
    for (let n = 0; n < 2; n++) {
      life.append();
      life.checkpoint();
    }
    tree.folder("quarantine").create("00000001.log.at-7").close();
    life.catalog.folder.create("00000009.log.cut").close();
    expect(life.makeRoom()).toBe(true);
    expect(tree.folder("quarantine").list()).toEqual([]);
    expect(logsOf(life)).toEqual([1, 2, 3]);
    expect(life.makeRoom()).toBe(true);
    expect(logsOf(life)).toEqual([3]);
    expect(life.makeRoom()).toBe(true);
    expect(life.catalog.folder.list()).not.toContain(checkpointName(2));
    expect(life.makeRoom()).toBe(false);
    expect(readManifest(tree.root)).toEqual(life.catalog.manifest);
  });

  test("on a disk without any room the reserve gives the manifest's", () => {
    const { life, tree, disk } = made();
    life.catalog.keepRoom();
    for (let n = 0; n < 2; n++) {
      life.append();
      life.checkpoint();
    }
    expect(tree.root.list()).toContain("reserve");
    disk.capacity = disk.usedBytes;
    expect(() => {
      life.append();
    }).toThrow(DiskError);
    expect(life.makeRoom()).toBe(true);
    expect(tree.root.list()).not.toContain("reserve");
    life.append();
    disk.capacity = Number.POSITIVE_INFINITY;
    life.catalog.keepRoom();
    expect(tree.root.list()).toContain("reserve");
  });

  test.each([
    [3_000_000, 1_048_576],
    [300_000, 262_144],
    [100_000, 65_536],
  ])("with %i bytes of room there is a reserve of %i", (room, bytes) => {
    const { life, tree, disk } = made();
    disk.capacity = disk.usedBytes + room;
    life.catalog.keepRoom();
    expect(tree.root.open("reserve").sizeBytes).toBe(bytes);
    expect(tree.root.list()).not.toContain("reserve.tmp");
  });

  test("without room for the least there is none", () => {
    const { life, tree, disk } = made();
    disk.capacity = disk.usedBytes + 60_000;
    life.catalog.keepRoom();
    expect(tree.root.list().filter((name) => name.startsWith("reserve"))).toEqual([]);
  });

  test("what was missing is there again: the manifest says so", () => {
    const { tree, life } = made();
    life.append();
    const catalog = new Catalog(tree, { ...life.catalog.manifest, incompleteTo: 100 });
    catalog.name(1);
    catalog.closeGap(99);
    expect(catalog.manifest.incompleteTo).toBe(100);
    catalog.closeGap(100);
    expect(readManifest(tree.root)!.incompleteTo).toBe(null);
  });
});

describe("generations", () => {
  test("one counts with its first checkpoint, and then the old one goes", () => {
    const { life, tree } = made();
    life.append();
    life.restart();
    life.append();
    expect([life.catalog.counts, readManifest(tree.root)!.generation]).toEqual([false, 1]);
    expect(tree.folders()).toContain(generationName(1));
    expect(life.retain()).toBe(false);
    life.checkpoint();
    expect(life.catalog.counts).toBe(true);
    const { generation, firstLog, lastLog } = readManifest(tree.root)!;
    expect({ generation, firstLog, lastLog }).toEqual({ generation: 2, firstLog: 1, lastLog: 2 });
    expect(tree.folders().filter((name) => name.startsWith("generation"))).toEqual([
      generationName(2),
    ]);
  });

  test("another swap meanwhile leaves the first for good", () => {
    const { life, tree } = made();
    life.append();
    life.restart();
    life.restart();
    const folders = (): string[] => tree.folders().filter((name) => name.startsWith("generation"));
    expect(folders()).toEqual([generationName(1), generationName(3)]);
    life.checkpoint();
    expect(folders()).toEqual([generationName(3)]);
  });

  test("what nobody else has is copied before the old one goes, once", () => {
    const { life, tree } = made();
    life.append();
    const fork = life.writer.written;
    life.append();
    life.append();
    const bytes = life.writer.written - fork;
    life.restart(fork);
    life.append();
    expect(life.checkpoint()).toEqual({
      name: `${generationName(1)}-at-${fork}.fork`,
      bytes,
      isCapped: false,
    });
    expect(tree.folder("quarantine").list()).toEqual([`${generationName(1)}-at-${fork}.fork`]);
    expect(life.checkpoint()).toBe(null);
  });

  test("another swap before the first counts: the log that counts is still left at the fork", () => {
    const { life, tree } = made();
    life.append();
    life.append();
    life.restart(0);
    life.append();
    life.restart(-1);
    life.append();
    expect(life.checkpoint()).toMatchObject({ name: `${generationName(1)}-at-0.fork` });
    expect(tree.folders().filter((name) => name.startsWith("generation"))).toEqual([
      generationName(3),
    ]);
  });

  test("a node that had nothing and is killed in its first one has nothing", () => {
    const { life, tree, random, disk } = made();
    life.restart();
    life.append();
    disk.crash();
    const again = new Life(tree, random);
    expect(again.catalog.manifest.generation).toBe(1);
    expect(again.writer.written).toBe(0);
  });
});

/** Whatever a log worker may do, in any order, until the machine dies. */
function work(life: Life, random: Random, done: () => void): void {
  for (let step = 0; step < 40; step++) {
    const draw = random.fraction();
    if (draw < 0.5) life.append();
    else if (draw < 0.6) life.writer.sync();
    else if (draw < 0.7) life.roll();
    else if (draw < 0.85) life.checkpoint();
    else if (draw < 0.93) life.retain();
    else if (draw < 0.95) life.makeRoom();
    else life.restart();
    done();
  }
}

test.each(Array.from({ length: 100 }, (_, n) => n + 1))(
  "crash: at any step of any of it (seed %i)",
  (seed) => {
    const { disk, tree, random, life: first } = made(seed);
    let life = first;
    for (let lives = 0; lives < 6; lives++) {
      let promise = life.promise;
      disk.crashAt = disk.steps + 1 + random.between(0, 250);
      try {
        work(life, random, () => {
          promise = life.promise ?? promise;
        });
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      disk.crash();
      life = new Life(tree, random);
      const { generation } = life.catalog.manifest;
      if (promise === null) continue;
      expect(generation, `seed=${seed}`).toBeGreaterThanOrEqual(promise.generation);
      if (generation === promise.generation)
        expect(life.writer.written, `seed=${seed}`).toBeGreaterThanOrEqual(promise.durable);
    }
  },
);
