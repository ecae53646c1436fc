/**
 * Reading the log from files, both ends, without a thread: every question has one answer, blocks are
 * what was written, come back, and never are more than the cap; drops, damage and another log.
 */
import { describe, expect, test } from "vitest";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogReads } from "../../../../src/log/disk/log-reads.ts";
import {
  type FromStoredLog,
  StoredLog,
  type StoredPlace,
  type ToStoredLog,
} from "../../../../src/log/disk/stored-log.ts";
import { BLOCK_BYTES_MAX, type ReadAnswer } from "../../../../src/log/log-store.ts";
import { DIRECTORY, Machine, Model, START } from "./machine.ts";

const PLACE: StoredPlace = { path: "log", directoryId: DIRECTORY, generation: 1, first: 1 };

/** Both ends with messages that wait until they are delivered. */
class Rig {
  readonly machine: Machine;
  readonly model = new Model();
  readonly writer;
  readonly boundaries = new Map<number, number>();
  readonly damage: number[] = [];
  moves = 0;
  readonly stored: StoredLog;
  readonly reads: LogReads;
  #toStored: ToStoredLog[] = [];
  #toLoop: FromStoredLog[] = [];
  #later: (() => void)[] = [];

  constructor(seed: number, batches: number, fileBytes = 6000) {
    this.machine = new Machine(seed);
    this.machine.fileBytes = fileBytes;
    this.writer = this.machine.writer(1, 0, START.chain);
    this.stored = new StoredLog({
      folder: (path) => this.machine.disk.folder(path),
      tell: (message) => void this.#toLoop.push(message),
    });
    this.reads = new LogReads({
      post: (message) => void this.#toStored.push(message),
      later: (run) => void this.#later.push(run),
      written: () => this.model.bytes.length,
      moved: () => void (this.moves += 1),
      damaged: (offset) => void this.damage.push(offset),
    });
    this.write(batches);
    this.reads.begin(PLACE, 0);
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) {
      this.boundaries.set(this.model.bytes.length, this.model.chain);
      const bytes = this.model.append(this.machine.random);
      this.writer.append(bytes, 0, bytes.length);
    }
  }

  /** Delivers everything. */
  settle(): void {
    while (this.#toStored.length + this.#toLoop.length + this.#later.length > 0) {
      for (const message of this.#toStored.splice(0)) this.stored.hear(message);
      for (const message of this.#toLoop.splice(0)) this.reads.hear(message);
      for (const run of this.#later.splice(0)) run();
    }
  }

  ask(offset: number): ReadAnswer[] {
    const answers: ReadAnswer[] = [];
    this.reads.read(offset, (answer) => {
      if (answer.kind === "block") answer.block.retain();
      answers.push(answer);
    });
    expect(answers, "answered within the call").toEqual([]);
    return answers;
  }

  chainAt(offset: number): number {
    const chains: number[] = [];
    this.reads.chainAt(offset, (chain) => void chains.push(chain));
    expect(chains).toEqual([]);
    this.settle();
    expect(chains.length).toBe(1);
    return chains[0]!;
  }

  get folder() {
    return this.machine.disk.folder("log");
  }
}

const kinds = (answers: readonly (readonly ReadAnswer[])[]): string[] =>
  answers.map((one) => one.map(({ kind }) => kind).join());

describe("reading the log from files", () => {
  test("blocks from any offset to the end, while more is written", () => {
    const rig = new Rig(1, 40);
    let at = 0;
    for (let round = 0; at < rig.model.bytes.length; round++) {
      if (round < 20) rig.write(3);
      const answers = rig.ask(at);
      rig.settle();
      const answer = answers[0]!;
      if (answer.kind !== "block") return expect.unreachable(answer.kind);
      const { block } = answer;
      expect(block.start).toBe(at);
      expect(block.bytes.equals(rig.model.bytes.subarray(at, block.end))).toBe(true);
      at = block.end;
      block.release();
      rig.settle();
      expect(rig.reads.blocksOut).toBe(0);
    }
    expect(rig.writer.number).toBeGreaterThan(2);
  });

  test("chains at boundaries", () => {
    const rig = new Rig(2, 40);
    for (const [offset, chain] of rig.boundaries) expect(rig.chainAt(offset)).toBe(chain);
    expect(rig.chainAt(1)).toBe(-1);
  });

  test("there is a cap: who asked first is answered first, when a block comes back", () => {
    const rig = new Rig(3, 10);
    const asked = Array.from({ length: 70 }, () => rig.ask(0));
    rig.settle();
    expect(kinds(asked).filter((kind) => kind === "block").length).toBe(64);
    expect(rig.reads.blocksOut).toBe(64);
    expect(rig.reads.blocksOut * BLOCK_BYTES_MAX).toBe(64 * 1024 * 1024);
    const first = asked[0]![0]!;
    if (first.kind === "block") first.block.release();
    rig.settle();
    expect(kinds(asked).slice(63)).toEqual(["block", "block", "", "", "", "", ""]);
    for (const [answer] of asked.slice(1, 40)) if (answer?.kind === "block") answer.block.release();
    rig.settle();
    expect(kinds(asked).every((kind) => kind === "block")).toBe(true);
  });

  test("another log: what was asked of the old one is gone, and its blocks are used again", () => {
    const rig = new Rig(4, 10);
    const before = Array.from({ length: 66 }, () => rig.ask(0));
    const chains: number[] = [];
    rig.reads.chainAt(0, (chain) => void chains.push(chain));
    rig.reads.begin(PLACE, 0);
    const after = rig.ask(0);
    rig.settle();
    expect(new Set(kinds(before))).toEqual(new Set(["gone"]));
    expect(chains).toEqual([-1]);
    expect(kinds([after])).toEqual(["block"]);
    expect(rig.reads.blocksOut).toBe(1);
  });

  test("a log that has no file yet: nothing can be read", () => {
    const rig = new Rig(4, 10);
    const before = rig.ask(0);
    rig.reads.end();
    expect(rig.reads.first).toBe(Number.POSITIVE_INFINITY);
    const after = rig.ask(0);
    rig.settle();
    expect(kinds([before, after])).toEqual(["gone", "gone"]);
    rig.reads.begin(PLACE, 0);
    const again = rig.ask(0);
    rig.settle();
    expect(kinds([again])).toEqual(["block"]);
  });

  test("dropped files: gone at once, also when nobody has said so yet", () => {
    const rig = new Rig(5, 60);
    const { number } = rig.writer;
    for (let old = 1; old < number; old++) rig.folder.lose(logFileName(old));
    const answers = rig.ask(0);
    rig.settle();
    expect(kinds([answers])).toEqual(["gone"]);
    expect(rig.damage).toEqual([]);
    const { first } = rig.reads;
    expect(first).toBeGreaterThan(0);
    expect(rig.boundaries.get(first)).toBe(rig.chainAt(first));
    rig.reads.filesMoved(number + 1, first + 100);
    expect(rig.reads.first).toBe(first + 100);
    expect(rig.moves).toBeGreaterThan(1);
  });

  test("damage: the log begins with the file behind it, and that is known before the answer", () => {
    const rig = new Rig(6, 60);
    const bad = 3000;
    expect(kinds([rig.ask(0)])).toEqual([""]);
    rig.settle();
    const file = rig.folder.open(logFileName(1));
    const byte = Buffer.alloc(1);
    file.read(byte, 0, 1, bad);
    byte[0]! ^= 4;
    file.write([byte], bad);
    let firstThen = -1;
    let kind = "";
    rig.reads.read(0, (answer) => {
      firstThen = rig.reads.first;
      ({ kind } = answer);
    });
    rig.settle();
    expect([kind, rig.damage]).toEqual(["damaged", [0]]);
    expect(firstThen).toBe(rig.reads.first);
    expect(rig.chainAt(firstThen)).toBe(rig.boundaries.get(firstThen));
    expect(rig.chainAt(0)).toBe(-1);
    const behind = rig.ask(firstThen);
    rig.settle();
    expect(kinds([behind])).toEqual(["block"]);
  });

  test("damage in the newest file: nothing can be read until another begins", () => {
    const rig = new Rig(7, 3, 30_000);
    expect(rig.writer.number).toBe(1);
    const file = rig.folder.open(logFileName(1));
    file.write([Buffer.from([255])], 300);
    const answers = rig.ask(0);
    rig.settle();
    expect(kinds([answers])).toEqual(["damaged"]);
    expect(rig.reads.first).toBe(Number.POSITIVE_INFINITY);
    rig.write(90);
    rig.reads.filesMoved(1, 0);
    rig.settle();
    expect(rig.boundaries.has(rig.reads.first)).toBe(true);
  });

  test("the reader ends: everybody is answered, and nothing is asked any more", () => {
    const rig = new Rig(8, 10);
    const answers = Array.from({ length: 70 }, () => rig.ask(0));
    const chains: number[] = [];
    rig.reads.chainAt(0, (chain) => void chains.push(chain));
    rig.reads.die();
    rig.settle();
    expect(new Set(kinds(answers))).toEqual(new Set(["gone"]));
    expect(chains).toEqual([-1]);
    expect(rig.reads.first).toBe(Number.POSITIVE_INFINITY);
    const late = rig.ask(0);
    rig.settle();
    expect(kinds([late])).toEqual(["gone"]);
  });
});
