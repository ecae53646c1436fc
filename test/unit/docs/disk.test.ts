/**
 * docs/DISK.md against the code: the worked examples of section 12 are what is written, and what is read.
 * Batches and the frames of a checkpoint are those of docs/PROTOCOL.md.
 */
import { describe, expect, test } from "vitest";
import {
  encodeBackupHead,
  readBackupHead,
  type BackupHead,
} from "../../../src/log/disk/backup-head.ts";
import { CheckpointReader } from "../../../src/log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../../src/log/disk/checkpoint-writer.ts";
import {
  MARK_BYTES,
  decodeLogHead,
  encodeLogHead,
  encodeMark,
  readMark,
  type LogHead,
  type SyncMark,
} from "../../../src/log/disk/frames.ts";
import { logFileName } from "../../../src/log/disk/log-file-names.ts";
import { LogFileWriter } from "../../../src/log/disk/log-file-writer.ts";
import { decodeManifest, encodeManifest, type Manifest } from "../../../src/log/disk/manifest.ts";
import { decodeHolder, encodeHolder, type LockHolder } from "../../../src/node/disk/lock-holder.ts";
import { decodeNode, encodeNode, type NodeMemory } from "../../../src/node/node-memory.ts";
import { chainStart } from "../../../src/wire/frame.ts";
import type { SnapshotBegin, SnapshotEnd } from "../../../src/wire/messages.ts";
import { Random } from "../../../tools/random.ts";
import { VirtualDisk, type VirtualFolder } from "../../sim/virtual-disk.ts";
import { scanOf } from "../log/disk/machine.ts";
import {
  CHUNK,
  CLUSTER_ID,
  EXAMPLES,
  HISTORY,
  NODE_BATCH,
  NODE_ID,
  OLDER_HISTORY,
  STORE_ID,
  readExamples,
} from "../wire/examples.ts";
import { readText } from "./documents.ts";

const SALT = "808182838485868788898a8b8c8d8e8f";
const CLOCK_MS = NODE_BATCH.clockMs;

const HEAD: LogHead = {
  format: 1,
  salt: SALT,
  directoryId: "909192939495969798999a9b9c9d9e9f",
  generation: 3,
  number: 17,
  start: { history: HISTORY, offset: NODE_BATCH.offset, chain: NODE_BATCH.chain },
  rank: { term: 3, run: 1 },
  lineage: [{ history: OLDER_HISTORY, left: 1024, term: 2, run: 0 }],
  clockMs: CLOCK_MS,
};
/** Behind the node batch, which ends there. */
const MARK: SyncMark = { salt: SALT, durable: 1191, chain: 0x52b4aa97, clean: true };
const BACKUP: BackupHead = {
  format: 1,
  clusterId: CLUSTER_ID,
  nodeId: NODE_ID,
  clockMs: CLOCK_MS,
};
const begin = EXAMPLES["snapshot"] as SnapshotBegin;
const end = EXAMPLES["end"] as SnapshotEnd;
const MANIFEST: Manifest = {
  directoryId: HEAD.directoryId,
  generation: 3,
  firstLog: 17,
  lastLog: 18,
  checkpoints: [
    { position: begin.position, log: 18, records: end.records, bytes: 256, clockMs: CLOCK_MS },
  ],
  incompleteTo: null,
};
const NODE: NodeMemory = {
  storeId: STORE_ID,
  clusterId: CLUSTER_ID,
  incarnation: 5,
  bootId: "7d5e3c1a-0000-4000-8000-000000000001",
  promised: { term: 3, run: 1 },
  led: { term: 2, run: 0 },
  sync: null,
  complete: true,
  role: { role: "replica", upstream: { host: "f1", port: 6380 } },
  consent: { kind: "replicaof", nodeId: NODE_ID, upstream: { host: "f1", port: 6380 } },
  resetUsed: false,
  peers: [{ storeId: STORE_ID, host: "r1", port: 16381, awaited: true }],
  siblings: [{ storeId: STORE_ID, host: "r1", port: 16381 }],
};
const LOCK: LockHolder = { pid: 4711, began: "250911", bootId: NODE.bootId, host: "f1" };

const wire = readExamples();
const disk = readExamples("DISK.md");

function emptyFolder(): VirtualFolder {
  return new VirtualDisk(new Random(1)).folder("generation");
}

/** The text of a fenced block "```text <name>". */
function textOf(name: string): string {
  const block = new RegExp(`^\`\`\`text ${name}\\n([^]*?)^\`\`\`$`, "m").exec(
    readText("docs/DISK.md"),
  );
  return block?.[1] ?? "";
}

test("every frame that only a disk has is there", () => {
  expect([...disk.keys()].sort()).toEqual(["backup", "log_head", "mark"]);
});

describe("frames", () => {
  test("LOG_HEAD", () => {
    const bytes = disk.get("log_head")!;
    expect(encodeLogHead(HEAD).toString("hex")).toBe(bytes.toString("hex"));
    expect(decodeLogHead(bytes)).toEqual({ head: HEAD, bytes: bytes.length });
  });

  test("MARK", () => {
    const bytes = disk.get("mark")!;
    expect(encodeMark(MARK).toString("hex")).toBe(bytes.toString("hex"));
    expect(readMark(bytes, 0, SALT)).toEqual(MARK);
    expect(bytes.length).toBe(MARK_BYTES);
  });

  test("BACKUP", () => {
    const bytes = disk.get("backup")!;
    expect(encodeBackupHead(BACKUP).toString("hex")).toBe(bytes.toString("hex"));
    const folder = emptyFolder();
    folder.create("backup").write([bytes], 0);
    expect(readBackupHead(folder.open("backup"))).toEqual({ head: BACKUP, bytes: bytes.length });
  });
});

describe("files", () => {
  /** What a writer makes of one batch, from `start` on. */
  function logFile(start: LogHead["start"], batch: Buffer): { folder: VirtualFolder; all: Buffer } {
    const folder = emptyFolder();
    const { number, directoryId, generation, rank, lineage } = HEAD;
    const writer = new LogFileWriter(
      {
        folder,
        fileBytes: 4096,
        directoryId,
        generation,
        mint: () => SALT,
        clock: () => CLOCK_MS,
        name: () => {},
      },
      number,
      start,
      { history: start.history, rank, lineage },
    );
    writer.append(batch, 0, batch.length);
    writer.stop();
    return { folder, all: folder.bytesOf(logFileName(number)) };
  }

  test("a log file that begins with a node batch is LOG_HEAD, the batch of the wire, MARK", () => {
    const parts = [disk.get("log_head")!, wire.get("batch node")!, disk.get("mark")!];
    const { folder, all } = logFile(HEAD.start, parts[1]!);
    expect(all.toString("hex")).toBe(Buffer.concat(parts).toString("hex"));
    const scan = scanOf(folder, logFileName(HEAD.number));
    expect(scan).toMatchObject({ damage: null, offset: 1191, mark: MARK });
  });

  test("any other batch stands there as on the wire, too", () => {
    const batch = wire.get("batch")!;
    const start = { history: HISTORY, offset: 0, chain: chainStart(HISTORY) };
    const { folder, all } = logFile(start, batch);
    const { bytes } = decodeLogHead(all);
    expect(all.subarray(bytes, -MARK_BYTES).toString("hex")).toBe(batch.toString("hex"));
    const scan = scanOf(folder, logFileName(HEAD.number));
    expect(scan).toMatchObject({ damage: null, offset: 48, mark: { durable: 48, clean: true } });
  });

  test.each([null, "backup"])("a checkpoint is the frames of the wire; before it: %s", (name) => {
    const frames = ["snapshot", "chunk", "end"].map((frame) => wire.get(frame)!);
    const head = name === null ? null : disk.get(name)!;
    const folder = emptyFolder();
    const writer = new CheckpointWriter(folder, 18, begin, head);
    writer.chunk(frames[1]!, 0, frames[1]!.length);
    writer.finish(end);
    const all = folder.bytesOf(`${checkpointName(18)}.tmp`);
    const parts = head === null ? frames : [head, ...frames];
    expect(all.toString("hex")).toBe(Buffer.concat(parts).toString("hex"));
    expect(Buffer.concat(frames).length).toBe(MANIFEST.checkpoints[0]!.bytes);

    folder.rename(`${checkpointName(18)}.tmp`, checkpointName(18));
    const heard: unknown[] = [];
    const sink = {
      begin: (message: SnapshotBegin) => heard.push(message),
      chunk: (bytes: Buffer, from: number, to: number) =>
        heard.push(Buffer.from(bytes.subarray(from, to)).toString()),
      end: (message: SnapshotEnd) => heard.push(message),
    };
    const reader = new CheckpointReader(folder, 18, sink, head?.length ?? 0);
    while (reader.step());
    reader.close();
    expect(heard).toEqual([begin, CHUNK.payload.toString(), end]);
  });
});

describe("texts", () => {
  test("manifest", () => {
    expect(encodeManifest(MANIFEST)).toBe(textOf("manifest"));
    expect(decodeManifest(textOf("manifest"))).toEqual(MANIFEST);
  });

  test("node.json", () => {
    expect(encodeNode(NODE)).toBe(textOf("node.json"));
    expect(decodeNode(textOf("node.json"))).toEqual(NODE);
  });

  test("lock", () => {
    expect(encodeHolder(LOCK)).toBe(textOf("lock"));
    expect(decodeHolder(textOf("lock"))).toEqual(LOCK);
  });
});
