/** Both ends of the log on disk, without a thread between them: which bytes get into which file. */
import { expect, test } from "vitest";
import { Backlog } from "../../../../src/log/backlog.ts";
import { checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { DiskLog } from "../../../../src/log/disk/disk-log.ts";
import type { DiskWord, ToDiskLog } from "../../../../src/log/disk/disk-log-messages.ts";
import { DiskStore } from "../../../../src/log/disk/disk-store.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { readLogHead } from "../../../../src/log/disk/log-head.ts";
import { readManifest } from "../../../../src/log/disk/manifest-file.ts";
import { Crash, VirtualTree } from "../../../sim/virtual-disk.ts";
import { NODE_BATCH } from "../../wire/examples.ts";
import { Machine, START, DIRECTORY, scanOf } from "./machine.ts";

const H2 = "22".repeat(16);

class Words {
  readonly #values = new Map<DiskWord, number>();
  read(word: DiskWord): number {
    return this.#values.get(word) ?? 0;
  }
  write(word: DiskWord, value: number): void {
    this.#values.set(word, value);
  }
}

/** A log in memory, and the two ends; the far one runs when a test says so. */
class Rig {
  readonly machine: Machine;
  readonly tree: VirtualTree;
  readonly told: string[] = [];
  readonly words = new Words();
  readonly #messages: ToDiskLog[] = [];
  history = START.history;
  moves = 0;
  nowMs = 1000;
  readonly store = new DiskStore({
    name: () => ({ history: this.history, rank: { term: 1, run: 0 }, lineage: [] }),
    onTrouble: (trouble) =>
      this.told.push(trouble === null ? "well" : `${trouble.code} ${trouble.isFatal}`),
  });
  readonly log = new Backlog(0, START.chain, {
    sizeBytes: 1,
    segmentBytes: 1000,
    clock: () => 1,
    store: this.store,
  });
  readonly disk: DiskLog;

  constructor(seed = 1) {
    this.machine = new Machine(seed);
    this.tree = new VirtualTree(this.machine.disk, "dir");
    const manifest = {
      directoryId: DIRECTORY,
      generation: 1,
      firstLog: 1,
      lastLog: 0,
      checkpoints: [],
      incompleteTo: null,
    };
    const name = { history: START.history, rank: { term: 1, run: 0 }, lineage: [] };
    this.store.onMoved(() => (this.moves += 1));
    this.store.begin(
      {
        words: this.words,
        tell: (message) => this.#messages.push(message),
        wake: () => undefined,
        wakeSleeper: () => undefined,
      },
      0,
    );
    this.disk = new DiskLog(
      { manifest, number: 1, position: START, name, fileBytes: 100_000, policy: "everysec" },
      {
        tree: this.tree,
        words: this.words,
        tell: (message) => this.store.hear(message),
        moved: () => this.store.looked(),
        mint: this.machine.mint,
        clock: () => 1,
        now: () => this.nowMs,
      },
    );
  }

  append(bytes = 50): void {
    this.log.append(bytes);
    this.log.seal();
    this.log.persist();
  }

  step(): number {
    return this.disk.step(() => this.#messages.shift());
  }

  /** Where file `number` begins, in which history, and where its batches end. */
  file(number: number, generation = 1): [number, string, number] {
    const folder = this.tree.folder(`generation-0000000${generation}`);
    const file = folder.open(logFileName(number));
    const { head } = readLogHead(file, number, { directoryId: DIRECTORY, generation })!;
    const scan = scanOf(folder, logFileName(number));
    expect(scan.damage).toBe(null);
    return [head.start.offset, head.start.history, scan.offset];
  }

  get manifest() {
    return readManifest(this.tree.root)!;
  }
}

test("a start names its first file; what is handed over is written, and durable when somebody waits", () => {
  const rig = new Rig();
  expect(rig.manifest).toMatchObject({ generation: 1, lastLog: 1 });
  expect(rig.store.generation).toMatchObject({ generation: 1, number: 1 });
  rig.append();
  expect([rig.store.written, rig.store.durable]).toEqual([0, 0]);
  const { moves } = rig;
  rig.step();
  expect([rig.store.written, rig.store.durable, rig.moves]).toEqual([rig.log.next, 0, moves]);
  rig.store.want(rig.log.next);
  rig.step();
  expect([rig.store.durable, rig.moves]).toEqual([rig.log.next, moves + 1]);
});

test("wanted after it came: told all the same", () => {
  const rig = new Rig();
  rig.append();
  rig.step();
  rig.nowMs += 2000;
  rig.step();
  const { moves } = rig;
  rig.store.want(rig.log.next);
  rig.step();
  expect(rig.moves).toBe(moves + 1);
});

test("awaited: told when it is written, and not before", () => {
  const rig = new Rig();
  rig.append();
  const first = rig.log.next;
  rig.append();
  rig.store.awaitWritten(rig.log.next);
  const { moves } = rig;
  expect(rig.store.written).toBeLessThan(first);
  rig.step();
  expect(rig.moves).toBeGreaterThan(moves);
});

test("a cut: no byte behind it is in the file before, however far it was sealed", () => {
  const rig = new Rig();
  rig.append();
  const at = rig.log.next;
  const numbers: (number | null)[] = [];
  rig.store.cut(at, (number) => numbers.push(number));
  for (let i = 0; i < 30; i++) rig.append();
  rig.step();
  expect(numbers).toEqual([2]);
  expect(rig.file(1)).toEqual([0, START.history, at]);
  expect(rig.file(2)).toEqual([at, START.history, rig.log.next]);
  expect(rig.manifest.lastLog).toBe(2);
  expect(checkpointName(2)).toContain("00000002");
});

test("a cut where a file has no batch yet is that file", () => {
  const rig = new Rig();
  const numbers: (number | null)[] = [];
  rig.store.cut(0, (number) => numbers.push(number));
  rig.step();
  expect(numbers).toEqual([1]);
});

test("another history begins a file that names it, also without a batch between two", () => {
  const rig = new Rig();
  rig.append();
  const at = rig.log.next;
  rig.history = H2;
  rig.log.rename();
  rig.log.rename();
  rig.append();
  rig.step();
  expect(rig.file(1)).toEqual([0, START.history, at]);
  expect(rig.file(2)).toEqual([at, H2, at]);
  expect(rig.file(3)).toEqual([at, H2, rig.log.next]);
});

test("a swap: a generation that does not count, durable is 0; memory that is read stays", () => {
  const rig = new Rig();
  for (let i = 0; i < 30; i++) rig.append();
  rig.step();
  rig.append();
  expect(rig.log.pinnedBytes).toBe(0);
  rig.history = H2;
  rig.log.reset(5, 77);
  expect(rig.log.pinnedBytes).toBeGreaterThan(0);
  expect([rig.store.written, rig.store.durable]).toEqual([5, 0]);
  rig.append();
  rig.step();
  expect(rig.store.generation).toMatchObject({ generation: 2, number: 2 });
  expect(rig.log.pinnedBytes).toBe(0);
  rig.step();
  rig.store.want(rig.log.next);
  rig.step();
  expect([rig.store.written, rig.store.durable]).toEqual([rig.log.next, 0]);
  expect(rig.file(2, 2)).toEqual([5, H2, rig.log.next]);
  expect(rig.manifest).toMatchObject({ generation: 1, lastLog: 1 });
  rig.log.reset(1, 78);
  rig.step();
  expect(rig.tree.folders()).toEqual(["generation-00000001", "generation-00000003"]);
});

test("what is open at a swap is answered: there is no such file", () => {
  const rig = new Rig();
  const numbers: (number | null)[] = [];
  rig.store.cut(0, (number) => numbers.push(number));
  rig.log.reset(5, 77);
  rig.step();
  expect(numbers).toEqual([null]);
});

test("a disk that is full: nothing is lost, and it goes on when there is room", () => {
  const rig = new Rig();
  rig.append();
  rig.machine.disk.fail = (call) => (call === "write" ? "ERR_DISK_FULL" : null);
  rig.step();
  expect([rig.store.written, rig.told]).toEqual([0, ["ERR_DISK_FULL false"]]);
  rig.machine.disk.fail = () => null;
  rig.nowMs += 250;
  rig.step();
  expect([rig.store.written, rig.told]).toEqual([rig.log.next, ["ERR_DISK_FULL false", "well"]]);
});

test("a swap on a disk that is full begins when there is room, with all that was handed over", () => {
  const rig = new Rig();
  rig.machine.disk.fail = (call) => (call === "create" ? "ERR_DISK_FULL" : null);
  rig.history = H2;
  rig.log.reset(5, 77);
  rig.append();
  rig.step();
  rig.append();
  rig.step();
  expect([rig.store.written, rig.store.generation]).toEqual([5, null]);
  rig.machine.disk.fail = () => null;
  rig.nowMs += 250;
  rig.step();
  rig.step();
  expect(rig.store.written).toBe(rig.log.next);
  expect(rig.told).toEqual(["ERR_DISK_FULL false", "well"]);
});

test("a sync that fails is the end of it", () => {
  const rig = new Rig();
  rig.append();
  rig.machine.disk.fail = (call) => (call === "sync" ? "ERR_DISK_SYNC" : null);
  rig.store.want(rig.log.next);
  rig.step();
  expect([rig.told, rig.disk.isOver, rig.store.durable]).toEqual([["ERR_DISK_SYNC true"], true, 0]);
  let error = "";
  rig.store.stop((why) => (error = why?.code ?? ""));
  expect(error).toBe("ERR_DISK_SYNC");
});

/** A checkpoint as a node makes one where the log ends; null when it counts, else why not. */
function checkpoint(rig: Rig): (string | null)[] {
  const { next: offset, chain } = rig.log;
  const heard: (string | null)[] = [];
  rig.store.cut(offset, (log) => {
    const { generation } = rig.store.generation!;
    const folder = rig.tree.folder(`generation-0000000${generation}`);
    folder.create(`${checkpointName(log!)}.tmp`).close();
    const position = { history: rig.history, offset, chain };
    const entry = { position, log: log!, records: 1, bytes: 1, clockMs: 1 };
    rig.store.publish(entry, (why) => void heard.push(why));
  });
  rig.step();
  rig.step();
  return heard;
}

test("checkpoints: log files that nobody needs go, those that a link reads stay", () => {
  const rig = new Rig();
  const appendAndCheck = (): void => {
    rig.append();
    expect(checkpoint(rig)).toEqual([null]);
  };
  rig.store.keepFor({ keepBytes: 0, reading: 0 });
  for (let n = 0; n < 3; n++) appendAndCheck();
  expect(rig.manifest).toMatchObject({ firstLog: 1, lastLog: 4 });
  expect(rig.manifest.checkpoints.map(({ log }) => log)).toEqual([4, 3]);
  rig.store.keepFor({ keepBytes: 0, reading: Number.POSITIVE_INFINITY });
  appendAndCheck();
  expect(rig.manifest.firstLog).toBe(4);
  const names = [...rig.tree.folder("generation-00000001").list()].sort();
  expect(names).toEqual([4, 5].flatMap((n) => [checkpointName(n), logFileName(n)]));
});

test("a generation counts with its first checkpoint, at the swap or later: then it is durable", () => {
  const rig = new Rig();
  rig.append();
  rig.step();
  rig.history = H2;
  rig.log.reset(5, 77);
  rig.step();
  rig.append();
  rig.step();
  expect(rig.store.durable).toBe(0);
  const heard = checkpoint(rig);
  expect(heard).toEqual([null]);
  expect(rig.store.durable).toBe(rig.log.next);
  expect(rig.tree.folders()).toEqual(["generation-00000002"]);
  expect(rig.manifest).toMatchObject({ generation: 2, firstLog: 2, lastLog: 3 });
});

test("a checkpoint does not count while the log that replaces its own has not begun", () => {
  const rig = new Rig();
  const heard: (string | null)[] = [];
  rig.history = H2;
  rig.log.reset(5, 77);
  const position = { history: rig.history, offset: 5, chain: 77 };
  const entry = { position, log: 2, records: 1, bytes: 1, clockMs: 1 };
  rig.store.publish(entry, (why) => void heard.push(why));
  rig.step();
  expect(heard).toEqual(["the log was replaced"]);
});

test("a full disk: log before the newest checkpoint goes, and writing goes on by itself", () => {
  const rig = new Rig();
  rig.store.keepFor({ keepBytes: 1e9, reading: Number.POSITIVE_INFINITY });
  for (let n = 0; n < 3; n++) {
    for (let i = 0; i < 30; i++) rig.append();
    expect(checkpoint(rig)).toEqual([null]);
  }
  expect(rig.manifest.firstLog).toBe(1);
  rig.machine.disk.capacity = rig.machine.disk.usedBytes;
  rig.append();
  rig.step();
  expect(rig.told).toEqual(["ERR_DISK_FULL false"]);
  expect(rig.manifest.firstLog).toBe(4);
  rig.nowMs += 1000;
  rig.step();
  expect(rig.told).toEqual(["ERR_DISK_FULL false", "well"]);
  expect(rig.store.written).toBe(rig.log.next);
});

test("a disk that is far behind takes no more, and says when it does again", () => {
  const rig = new Rig();
  const megabyte = 1024 * 1024;
  for (let i = 0; i < 64; i++) rig.append(megabyte);
  expect(rig.log.takesMore).toBe(false);
  const { moves } = rig;
  rig.step();
  expect(rig.moves).toBeGreaterThan(moves);
  expect(rig.log.takesMore).toBe(true);
});

/** A draft of one record is handed over, and written. */
function draftOf(rig: Rig, bytes: number): void {
  rig.log.draft(1, bytes, (into, at) => into.writeUInt32LE(bytes - 4, at));
  rig.log.persistDraft();
  rig.step();
}

const takenBack = (rig: Rig): { readonly isDone: () => boolean } => {
  let isDone = false;
  rig.log.dropDraft(() => (isDone = true));
  return { isDone: () => isDone };
};

test("a draft that is taken back: its file is cut there, and the log goes on in it; all before is durable", () => {
  const rig = new Rig();
  rig.append();
  rig.step();
  const { next } = rig.log;
  draftOf(rig, 60);
  expect([rig.store.written > next, rig.store.readable]).toEqual([true, next]);
  const back = takenBack(rig);
  expect([rig.store.written, back.isDone()]).toEqual([next, false]);
  // What comes next is handed over before the other end has heard.
  rig.append(70);
  rig.step();
  expect(back.isDone()).toBe(true);
  expect([rig.store.written, rig.store.durable]).toEqual([rig.log.next, next]);
  expect(rig.file(1)).toEqual([0, START.history, rig.log.next]);
  expect(rig.manifest).toMatchObject({ generation: 1, lastLog: 1 });
  expect(rig.store.generation).toMatchObject({ generation: 1 });
});

test("the same when it was synced, with a mark that says so: nothing proves it any more", () => {
  const rig = new Rig();
  rig.append();
  const { next } = rig.log;
  draftOf(rig, 60);
  rig.nowMs += 5000;
  rig.step();
  rig.nowMs += 5000;
  rig.step();
  expect(rig.store.durable).toBeGreaterThan(next);
  takenBack(rig);
  rig.step();
  expect(rig.file(1)).toEqual([0, START.history, next]);
  // The mark that is due says how far it is synced.
  rig.nowMs += 5000;
  rig.step();
  const scan = scanOf(rig.tree.folder("generation-00000001"), logFileName(1));
  expect([scan.damage, scan.mark?.durable]).toEqual([null, next]);
});

test("one that began a file of its own is cut off that file; one that was never written is not looked for", () => {
  const rig = new Rig();
  rig.append(99_000);
  rig.step();
  const { next } = rig.log;
  draftOf(rig, 2000);
  expect(rig.file(2)[2]).toBeGreaterThan(next);
  takenBack(rig);
  rig.step();
  expect([rig.file(1)[2], rig.file(2)]).toEqual([next, [next, START.history, next]]);
  rig.log.draft(1, 60, (into, at) => into.writeUInt32LE(56, at));
  rig.log.persistDraft();
  const back = takenBack(rig);
  rig.append();
  rig.step();
  expect([back.isDone(), rig.file(2)[2]]).toEqual([true, rig.log.next]);
  expect(rig.manifest.generation).toBe(1);
});

test("one that is in two files begins a generation, and what is read back is of that one alone", () => {
  const rig = new Rig();
  rig.append(98_000);
  rig.step();
  // The node batch of a history gets into the first file, and the records not.
  rig.log.beginHistory(NODE_BATCH.record);
  draftOf(rig, 3000);
  const { next } = rig.log;
  expect(rig.file(1)[2]).toBeGreaterThan(next);
  const back = takenBack(rig);
  rig.step();
  rig.step();
  expect(back.isDone()).toBe(true);
  expect(rig.store.generation).toMatchObject({ generation: 2, number: 3 });
});

test("the machine crashes at any step of taking back => the draft is there whole or gone; once told, gone", () => {
  const ends = new Set<number>();
  let told = 0;
  for (let run = 0; run < 200; run++) {
    const rig = new Rig(run);
    rig.append();
    const { next } = rig.log;
    draftOf(rig, 60);
    const draftEnd = rig.store.written;
    if (run % 2 === 0) {
      rig.nowMs += 5000;
      rig.step();
    }
    const { disk } = rig.machine;
    disk.crashAt = disk.steps + 1 + (run % 8);
    const back = takenBack(rig);
    try {
      rig.step();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    disk.crash();
    const { offset } = scanOf(rig.tree.folder("generation-00000001"), logFileName(1));
    if (back.isDone()) {
      told += 1;
      expect(offset, `run ${run}`).toBe(next);
    } else expect([0, next, draftEnd], `run ${run}`).toContain(offset);
    ends.add(offset);
  }
  expect(told).toBeGreaterThan(20);
  expect(ends.size).toBeGreaterThan(1);
});
