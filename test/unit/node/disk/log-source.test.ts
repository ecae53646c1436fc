/** A data directory restored up to a point: what is in it is what its log had there, and nothing of the source changes. */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../../../src/errors.ts";
import { Backlog } from "../../../../src/log/backlog.ts";
import { checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import type { LogPoint } from "../../../../src/log/disk/log-copy.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { openDataDirectory } from "../../../../src/node/disk/data-directory.ts";
import { DiskRecovery } from "../../../../src/node/disk/disk-recovery.ts";
import { LogSource } from "../../../../src/node/disk/log-source.ts";
import {
  PointOutsideError,
  restoreDirectory,
  type Restored,
} from "../../../../src/node/disk/restore-directory.ts";
import { randomId } from "../../../../src/wire/id.ts";
import { VirtualTree } from "../../../sim/virtual-disk.ts";
import { CLOCK_MS, HISTORY, PromptTexts, RecoveryMachine } from "./recovery-machine.ts";

/** A moment of the source: where its log was, and what it had then. */
interface Moment {
  readonly offset: number;
  /** Clock of the batch that ends there. */
  readonly clockMs: number;
  readonly texts: readonly string[];
}

/** Writes batches, and keeps what the state was after each. */
class Ledger {
  readonly machine = new RecoveryMachine();
  readonly moments: Moment[] = [{ offset: 0, clockMs: 0, texts: [] }];

  append(count: number): this {
    for (let n = 0; n < count; n++) {
      const clockMs = CLOCK_MS + this.machine.offset;
      const name = String(this.machine.texts.length);
      this.machine.append(`a${name}`, `b${name}`);
      const { offset, texts } = this.machine;
      this.moments.push({ offset, clockMs, texts: [...texts] });
    }
    return this;
  }

  checkpoint(): this {
    this.machine.sync().checkpoint();
    return this;
  }

  get last(): Moment {
    return this.moments.at(-1)!;
  }
}

let trees = 0;

interface Made extends Restored {
  readonly texts: readonly string[];
  readonly position: { readonly history: string; readonly offset: number; readonly chain: number };
  readonly rank: { readonly term: number };
  readonly lineage: readonly unknown[];
}

/** Restores the machine's directory to a new one, and recovers that. */
function restored(
  { disk, tree }: RecoveryMachine,
  point: LogPoint,
  as: "new" | "replace" = "new",
  file: string | null = null,
): Made {
  const into = new VirtualTree(disk, `restored ${trees++}`);
  const log = new LogSource(tree);
  const checkpoint = file === null ? null : { file: log.folder.open(file), from: 0, number: 1 };
  const parts = { checkpoint, log, point, tree: into, as, mint: randomId, clock: () => CLOCK_MS };
  const made = restoreDirectory(parts);
  const state = new PromptTexts();
  const recovery = new DiskRecovery({
    root: into.root,
    directory: openDataDirectory(into, randomId),
    state,
    log: new Backlog(0, 0, { sizeBytes: 100_000, clock: () => CLOCK_MS }),
    onFree: () => undefined,
  });
  while (recovery.step() !== "done");
  const { verdict, position, rank, lineage, hasState, incompleteTo } = recovery.result!;
  expect([verdict.kind, verdict.clean, hasState, incompleteTo]).toEqual([
    "whole",
    true,
    true,
    null,
  ]);
  expect(position).toEqual(made.end);
  return { ...made, texts: state.texts, position, rank, lineage };
}

function outside(machine: RecoveryMachine, point: LogPoint): PointOutsideError {
  try {
    restored(machine, point);
  } catch (error) {
    if (error instanceof PointOutsideError) return error;
    throw error;
  }
  throw new Error("it was restored");
}

const at = (offset: number): LogPoint => ({ kind: "offset", offset });
const time = (ms: number): LogPoint => ({ kind: "time", ms });
const END: LogPoint = { kind: "end" };

describe("restore up to a point", () => {
  const ledger = new Ledger().append(10).checkpoint().append(10).checkpoint().append(10);
  const { machine, moments } = ledger;
  machine.sync();
  const before = JSON.stringify(bytesOf(machine));

  test("every offset between two batches, and every one inside of a batch => all before it", () => {
    for (const { offset, texts } of moments) {
      const made = restored(machine, at(offset));
      expect(made.texts).toEqual(texts);
      expect(made.end.offset).toBe(offset);
      const next = moments.find((moment) => moment.offset > offset);
      if (next === undefined) continue;
      for (const inside of [offset + 1, next.offset - 1])
        expect(restored(machine, at(inside)).texts).toEqual(texts);
    }
  });

  test("every time of a batch, and the ms before it => all up to that clock", () => {
    for (const [index, { clockMs, texts, offset }] of moments.entries()) {
      if (index === 0) continue;
      const made = restored(machine, time(clockMs));
      expect([made.texts, made.end.offset, made.clockMs]).toEqual([texts, offset, clockMs]);
      expect(restored(machine, time(clockMs - 1)).texts).toEqual(moments[index - 1]!.texts);
    }
  });

  test("it begins with the newest checkpoint before the point", () => {
    const [, second] = [...machine.manifest.checkpoints].reverse();
    const { offset } = second!.position;
    expect(restored(machine, at(offset)).logRecords).toBe(0);
    expect(restored(machine, at(offset)).records).toBe(40);
    expect(restored(machine, at(offset - 1))).toMatchObject({ records: 20, logRecords: 18 });
    expect(restored(machine, END)).toMatchObject({ records: 40, logRecords: 20 });
  });

  test("the end => all of it; new is a history of its own, replace keeps the old one", () => {
    const fresh = restored(machine, END);
    expect(fresh.texts).toEqual(machine.texts);
    expect(fresh).toMatchObject({ rank: { term: 1 }, lineage: [] });
    expect(fresh.position).toMatchObject({ offset: machine.offset, chain: machine.chain });
    expect(fresh.position.history).not.toBe(HISTORY);
    expect(restored(machine, END, "replace").position.history).toBe(HISTORY);
  });

  test("outside => an error that knows the first and the last moment", () => {
    const first = { offset: 0, clockMs: 0 };
    const { offset, clockMs } = ledger.last;
    const last = { offset, clockMs };
    for (const point of [at(offset + 1), time(clockMs + 1), time(clockMs + 86_400_000)])
      expect(outside(machine, point)).toMatchObject({ first, last });
  });

  test("nothing of the source was changed", () => {
    expect(JSON.stringify(bytesOf(machine))).toBe(before);
  });
});

/** All files of the machine's generation. */
function bytesOf({ folder, manifest }: RecoveryMachine): unknown {
  return [manifest, folder.list().map((name) => [name, folder.bytesOf(name).toString("hex")])];
}

test("log files before the older checkpoint are gone => before it nothing can be restored", () => {
  const ledger = new Ledger().append(10).checkpoint().append(10).checkpoint().append(5);
  const { machine, moments } = ledger;
  machine.sync().write({ firstLog: 2 });
  machine.folder.remove(logFileName(1));
  const first = { offset: moments[10]!.offset, clockMs: CLOCK_MS };
  expect(outside(machine, at(moments[9]!.offset))).toMatchObject({ first });
  expect(outside(machine, time(CLOCK_MS - 1))).toMatchObject({ first });
  expect(restored(machine, at(first.offset)).texts).toEqual(moments[10]!.texts);
});

test("damage: behind the point it is nothing; before it the restore says where the log ends", () => {
  const ledger = new Ledger().append(5).checkpoint().append(5);
  const { machine, moments } = ledger;
  machine.sync().roll();
  ledger.append(5);
  machine.sync().flip(logFileName(2), -100);
  expect(restored(machine, at(moments[7]!.offset)).texts).toEqual(moments[7]!.texts);
  const { last } = outside(machine, at(moments[12]!.offset));
  expect(last.offset).toBeLessThan(moments[10]!.offset);
  expect(restored(machine, at(last.offset)).end.offset).toBe(last.offset);
  expect(() => restored(machine, END)).toThrow(`--at ${last.offset} restores what is left`);
});

test("a damaged checkpoint => the older one and more of the log; both, and no beginning => an error", () => {
  const ledger = new Ledger().append(5).checkpoint().append(5).checkpoint().append(5);
  const { machine } = ledger;
  machine.sync().flip(checkpointName(3), 200);
  expect(restored(machine, END)).toMatchObject({ records: 10, logRecords: 20 });
  machine.flip(checkpointName(2), 200);
  expect(restored(machine, END)).toMatchObject({ records: 0, logRecords: 30 });
  machine.write({ firstLog: 2 });
  expect(() => restored(machine, END)).toThrow(/no whole checkpoint.*00000003.*00000002/);
});

test("a torn tail is no loss, and is not restored", () => {
  const ledger = new Ledger().append(5).checkpoint().append(5);
  const { machine, moments } = ledger;
  machine.flip(logFileName(2), -1);
  expect(restored(machine, END).texts).toEqual(moments[9]!.texts);
});

test("a promotion on the way: replace keeps both histories, new has one", () => {
  const { machine, moments, ...ledger } = setUpPromotion();
  const made = restored(machine, END, "replace");
  expect(made.texts).toEqual(machine.texts);
  expect(made).toMatchObject({ position: { history: ledger.next }, rank: { term: 2 } });
  expect(made.lineage).toHaveLength(1);
  const early = restored(machine, at(moments[7]!.offset), "replace");
  expect(early).toMatchObject({ position: { history: HISTORY }, rank: { term: 1 }, lineage: [] });
  expect(restored(machine, at(moments[10]!.offset), "replace").position.history).toBe(HISTORY);
  expect(restored(machine, END).lineage).toEqual([]);
});

function setUpPromotion(): Ledger & { readonly next: string } {
  const ledger = new Ledger().append(5).checkpoint().append(5);
  const { machine } = ledger;
  const next = "ab".repeat(16);
  machine.sync();
  machine.lineage = [{ history: HISTORY, left: machine.offset, term: 1, run: 0 }];
  machine.history = next;
  machine.term = 2;
  machine.roll();
  ledger.append(5);
  machine.sync();
  return Object.assign(ledger, { next });
}

test("a file and the log that follows it: also inside of a log file, and beyond what checkpoints are kept", () => {
  const ledger = new Ledger().append(5).checkpoint();
  const { machine, moments } = ledger;
  const file = checkpointName(2);
  // The file is a copy that somebody took: the directory knows nothing of it.
  machine.write({ checkpoints: [] });
  ledger.append(5);
  machine.sync();
  for (const { offset, texts } of moments.slice(5))
    expect(restored(machine, at(offset), "new", file).texts).toEqual(texts);
  expect(restored(machine, time(ledger.last.clockMs), "new", file)).toMatchObject({
    records: 10,
    logRecords: 10,
  });
  const before = at(moments[4]!.offset);
  expect(() => restored(machine, before, "new", file)).toThrow(PointOutsideError);
  expect(() => restored(machine, time(moments[4]!.clockMs), "new", file)).toThrow(
    PointOutsideError,
  );
});

test("a file of another log, or one that the log does not go back to => an error, and no directory", () => {
  const ledger = new Ledger().append(5).checkpoint().append(5).checkpoint();
  const { machine } = ledger;
  machine.sync();
  const other = new RecoveryMachine().append("another").append("log").sync().checkpoint();
  machine.folder.create("other").write([other.folder.bytesOf(checkpointName(2))], 0);
  expect(() => restored(machine, END, "new", "other")).toThrow(DiskError);
  machine.folder.create("early").write([machine.folder.bytesOf(checkpointName(2))], 0);
  machine.folder.remove(logFileName(1));
  machine.folder.remove(logFileName(2));
  machine.write({ firstLog: 3 });
  expect(() => restored(machine, END, "new", "early")).toThrow("no log file goes back to it");
});

test("no data directory, and one that never had a state => an error that says so", () => {
  const { disk } = new RecoveryMachine();
  expect(() => new LogSource(new VirtualTree(disk, "nothing"))).toThrow("no data directory");
  const never = new RecoveryMachine(0);
  never.append("x").sync();
  expect(() => restored(never, END)).toThrow("it has no state");
});
