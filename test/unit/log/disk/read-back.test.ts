/**
 * The whole way of the log behind memory, without threads: a backlog hands over to files, and a cursor
 * that is far behind is fed from them, crosses into memory, and stands where the log was replaced.
 */
import { expect, test } from "vitest";
import { Backlog } from "../../../../src/log/backlog.ts";
import { Cursor } from "../../../../src/log/cursor.ts";
import { DiskLog } from "../../../../src/log/disk/disk-log.ts";
import type {
  DiskWord,
  FromDiskLog,
  ToDiskLog,
} from "../../../../src/log/disk/disk-log-messages.ts";
import { DiskStore } from "../../../../src/log/disk/disk-store.ts";
import { generationName } from "../../../../src/log/disk/generation-names.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogReads } from "../../../../src/log/disk/log-reads.ts";
import {
  type FromStoredLog,
  StoredLog,
  type ToStoredLog,
} from "../../../../src/log/disk/stored-log.ts";
import { VirtualTree } from "../../../sim/virtual-disk.ts";
import { DIRECTORY, Machine, START } from "./machine.ts";

const MANIFEST = {
  directoryId: DIRECTORY,
  generation: 1,
  firstLog: 1,
  lastLog: 0,
  checkpoints: [],
  incompleteTo: null,
};

class Rig {
  readonly machine: Machine;
  readonly tree: VirtualTree;
  readonly store: DiskStore;
  readonly log: Backlog;
  readonly disk: DiskLog;
  readonly reads: LogReads;
  /** All that was sealed since the newest restart, from #start on. */
  all: Buffer = Buffer.alloc(0);
  readonly chains = new Map<number, number>();
  damaged = 0;
  history = START.history;
  #start = 0;
  readonly #queue: (() => void)[] = [];
  readonly #toDisk: ToDiskLog[] = [];

  constructor(seed: number) {
    this.machine = new Machine(seed);
    this.tree = new VirtualTree(this.machine.disk, "dir");
    const name = () => ({ history: this.history, rank: { term: 1, run: 0 }, lineage: [] });
    this.store = new DiskStore({ name, onTrouble: () => expect.unreachable() });
    this.log = new Backlog(0, START.chain, {
      sizeBytes: 2_000,
      segmentBytes: 1_000,
      clock: () => 1,
      store: this.store,
    });
    const stored = new StoredLog({
      folder: (path) => this.tree.folder(path),
      tell: (message: FromStoredLog) => this.#later(() => this.reads.hear(message)),
    });
    this.reads = new LogReads({
      post: (message: ToStoredLog) => this.#later(() => stored.hear(message)),
      later: (run) => this.#later(run),
      written: () => this.store.readable,
      moved: () => this.store.looked(),
      damaged: () => (this.damaged += 1),
    });
    const words = new Map<DiskWord, number>();
    const both = {
      read: (word: DiskWord) => words.get(word) ?? 0,
      write: (word: DiskWord, value: number) => void words.set(word, value),
    };
    const start = { manifest: MANIFEST, number: 1, position: START, name: name() };
    const port = {
      words: both,
      tell: (message: ToDiskLog) => void this.#toDisk.push(message),
      wake: () => undefined,
      wakeSleeper: () => undefined,
    };
    this.store.begin(port, 0, {
      reads: this.reads,
      directoryId: DIRECTORY,
      pathOf: generationName,
      oldest: { generation: 1, number: 1, offset: 0 },
    });
    this.disk = new DiskLog(
      { ...start, fileBytes: 5_000, policy: "everysec" },
      {
        tree: this.tree,
        words: both,
        tell: (message: FromDiskLog) => this.store.hear(message),
        moved: () => this.store.looked(),
        mint: this.machine.mint,
        clock: () => 1,
        now: () => 1,
      },
    );
  }

  #later(run: () => void): void {
    this.#queue.push(run);
  }

  append(): void {
    const { random } = this.machine;
    this.chains.set(this.log.next, this.log.chain);
    const bytes = random.fraction() < 0.05 ? random.between(1_000, 9_000) : random.between(1, 300);
    const at = this.log.append(bytes);
    random.bytes(bytes).copy(this.log.bytes, at);
    const from = this.log.next;
    this.log.seal();
    const segment = this.log.segmentAt(from);
    const sealed = segment.bytes.subarray(from - segment.start, this.log.next - segment.start);
    this.all = Buffer.concat([this.all, sealed]);
    this.log.persist();
  }

  write(): void {
    this.disk.step(() => this.#toDisk.shift());
    while (this.log.trim(Number.POSITIVE_INFINITY));
  }

  settle(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }

  /** Reads on until there is nothing more; compares. @returns bytes from files, and from memory */
  drain(cursor: Cursor): [number, number] {
    const bytes: [number, number] = [0, 0];
    for (;;) {
      const found = cursor.look();
      if (found === "nothing_yet") return bytes;
      if (found === "not_in_memory") {
        cursor.fetch(() => undefined);
        this.settle();
        continue;
      }
      expect(found).toBe("bytes");
      const { segment, at, bytesHere, offset } = cursor;
      const here = segment.bytes.subarray(at, at + bytesHere);
      const from = offset - this.#start;
      expect(here.equals(this.all.subarray(from, from + here.length)), `at ${offset}`).toBe(true);
      bytes[cursor.isBehindMemory ? 0 : 1] += here.length;
      cursor.advance(here.length);
      if (this.machine.random.fraction() < 0.5) {
        this.append();
        this.write();
      }
    }
  }

  chainAt(offset: number): number | undefined {
    let found: number | undefined;
    this.store.chainAt(offset, (chain) => (found = chain));
    this.settle();
    return found;
  }

  restart(): void {
    this.history = "22".repeat(16);
    this.#start = this.log.next + 1_000;
    this.all = Buffer.alloc(0);
    this.chains.clear();
    this.log.reset(this.#start, 77);
  }
}

const seeds = Array.from({ length: 10 }, (_, i) => i + 1);

test.each(seeds)("seed %i: from files into memory, while more is written", (seed) => {
  const rig = new Rig(seed);
  for (let i = 0; i < 200; i++) {
    rig.append();
    rig.write();
  }
  expect(rig.log.first).toBeGreaterThan(10_000);
  expect(rig.log.oldest).toBe(0);
  for (const offset of [0, ...rig.chains.keys()].filter((_, i) => i % 40 === 0)) {
    if (offset < rig.log.first) expect(rig.chainAt(offset)).toBe(rig.chains.get(offset));
    const cursor = new Cursor(rig.log, offset);
    const [files] = rig.drain(cursor);
    if (offset === 0) expect(files).toBeGreaterThan(10_000);
    rig.append();
    expect(rig.drain(cursor)[1]).toBeGreaterThan(0);
    cursor.close();
    rig.settle();
  }
  expect([rig.reads.blocksOut, rig.damaged]).toEqual([0, 0]);
});

test("a log that is replaced: nothing of the old one is read, and the new one is, once it is written", () => {
  const rig = new Rig(1);
  for (let i = 0; i < 100; i++) {
    rig.append();
    rig.write();
  }
  const cursor = new Cursor(rig.log, 0);
  expect(cursor.look()).toBe("not_in_memory");
  cursor.fetch(() => undefined);
  rig.restart();
  rig.settle();
  expect(cursor.look()).toBe("too_old");
  cursor.close();
  expect(rig.store.first).toBe(Number.POSITIVE_INFINITY);
  const start = rig.log.next;
  for (let i = 0; i < 100; i++) {
    rig.append();
    rig.write();
  }
  expect(rig.store.first).toBe(start);
  const next = new Cursor(rig.log, start);
  expect(rig.drain(next)[0]).toBeGreaterThan(1_000);
  next.close();
});

test("damage: the link's place is too old, and the log begins behind the file", () => {
  const rig = new Rig(2);
  for (let i = 0; i < 200; i++) {
    rig.append();
    rig.write();
  }
  const file = rig.tree.folder(generationName(1)).open(logFileName(1));
  file.write([Buffer.from([1, 2, 3])], 2_000);
  const cursor = new Cursor(rig.log, 0);
  for (let tries = 0; cursor.look() !== "too_old" && tries < 50; tries++) {
    if (cursor.look() === "bytes") cursor.advance(cursor.bytesHere);
    else cursor.fetch(() => undefined);
    rig.settle();
  }
  expect([cursor.look(), rig.damaged]).toEqual(["too_old", 1]);
  expect(rig.chains.has(rig.log.oldest)).toBe(true);
  expect(rig.log.oldest).toBeGreaterThan(2_000);
  cursor.close();
});
