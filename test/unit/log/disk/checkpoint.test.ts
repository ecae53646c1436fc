/** A checkpoint comes back chunk for chunk, or is refused: whatever was flipped, cut or left out. */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { CheckpointReader } from "../../../../src/log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { NO_SYNC, type SnapshotBegin } from "../../../../src/wire/messages.ts";
import { Random } from "../../../../tools/random.ts";
import { VirtualDisk, type VirtualFolder } from "../../../sim/virtual-disk.ts";
import { makeChunk } from "../../wire/tools.ts";
import { DIRECTORY, START } from "./machine.ts";

const BEGIN: SnapshotBegin = {
  type: "snapshot",
  rank: { term: 1, run: 0 },
  snapshotId: DIRECTORY,
  position: START,
  lineage: [],
  sync: NO_SYNC,
  format: { name: "test", version: 1 },
  firstChunk: 0,
  records: 3,
  bytes: 100,
};

function write(folder: VirtualFolder, payloads: readonly Buffer[]): CheckpointWriter {
  const writer = new CheckpointWriter(folder, 4, BEGIN);
  const tally = new ChunkTally();
  payloads.forEach((payload, number) => {
    const { bytes, digest } = makeChunk(number, payload);
    tally.note(number, payload.length, digest);
    writer.chunk(bytes, 0, bytes.length);
  });
  const { chunks, bytes, digest } = tally;
  const { snapshotId } = BEGIN;
  writer.finish({ type: "end", snapshotId, chunks, records: 3, bytes, digest });
  return writer;
}

/** As a log worker does with a whole one. */
function publish(folder: VirtualFolder): void {
  folder.rename(`${checkpointName(4)}.tmp`, checkpointName(4));
  folder.sync();
}

function read(folder: VirtualFolder): readonly Buffer[] {
  const payloads: Buffer[] = [];
  const heard: string[] = [];
  const reader = new CheckpointReader(folder, 4, {
    begin: (begin) => heard.push(`begin ${begin.records}`),
    chunk: (bytes, from, to) => payloads.push(Buffer.from(bytes.subarray(from, to))),
    end: (end) => heard.push(`end ${end.records}`),
  });
  while (reader.step());
  reader.close();
  expect(heard).toEqual(["begin 3", "end 3"]);
  return payloads;
}

function made(): { folder: VirtualFolder; disk: VirtualDisk; payloads: readonly Buffer[] } {
  const random = new Random(1);
  const disk = new VirtualDisk(random);
  const payloads = [700_000, 0, 900_000, 64, 1].map((length) => random.bytes(length));
  return { disk, folder: disk.folder("generation"), payloads };
}

describe("checkpoint", () => {
  test("comes back as it was written, also after a crash", () => {
    const { disk, folder, payloads } = made();
    write(folder, payloads);
    publish(folder);
    disk.crash();
    const found = read(folder);
    expect(found.map((payload) => payload.length)).toEqual(payloads.map(({ length }) => length));
    expect(Buffer.concat(found).equals(Buffer.concat(payloads))).toBe(true);
  });

  test("has no name before it is published, and leaves nothing when it is abandoned", () => {
    const { folder, payloads } = made();
    const writer = write(folder, payloads);
    expect(folder.list()).toEqual([`${checkpointName(4)}.tmp`]);
    expect(writer.bytes).toBe(folder.bytesOf(`${checkpointName(4)}.tmp`).length);
    writer.abandon();
    expect(folder.list()).toEqual([]);
  });

  test("every flipped bit, every cut and every byte behind it is damage", () => {
    const { folder } = made();
    write(folder, [Buffer.from("one"), Buffer.from("two")]);
    publish(folder);
    const right = folder.bytesOf(checkpointName(4));
    const refused = (bytes: Buffer, what: string): void => {
      folder.overwrite(checkpointName(4), bytes);
      expect(() => read(folder), what).toThrow(DiskError);
    };
    for (let at = 0; at < right.length; at++) {
      const flipped = Buffer.from(right);
      flipped[at] = flipped[at]! ^ 0x10;
      refused(flipped, `byte ${at}`);
      refused(right.subarray(0, at), `cut at ${at}`);
    }
    refused(Buffer.concat([right, makeChunk(2, Buffer.from("three")).bytes]), "a chunk behind END");
    folder.overwrite(checkpointName(4), right);
    expect(read(folder)).toHaveLength(2);
  });

  test("what the receiver throws is not damage", () => {
    const { folder, payloads } = made();
    write(folder, payloads);
    publish(folder);
    const reader = new CheckpointReader(folder, 4, {
      begin: () => {},
      chunk: () => {
        throw new RangeError("no memory");
      },
      end: () => {},
    });
    expect(() => {
      while (reader.step());
    }).toThrow(RangeError);
  });
});
