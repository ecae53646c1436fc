/**
 * The log on a disk that crashes, fails and rots: what comes back is a prefix of what was written and
 * has all that was promised to be durable, or the node knows that something is missing.
 */
import { describe, expect, test } from "vitest";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { MARK_BYTES } from "../../../../src/log/disk/frames.ts";
import { SECTOR_BYTES, type VirtualFolder } from "../../../sim/virtual-disk.ts";
import {
  Machine,
  Model,
  NO_TROUBLES,
  START,
  life,
  makeTroubles,
  recoverInTheEnd,
  scanOf,
} from "./machine.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 40);
const FIRST = Number(process.env["FIRST_SEED"] ?? 1);
const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST + i);
const replay = (seed: number): string =>
  `seed ${seed}: FIRST_SEED=${seed} SEEDS=1 npx vitest run --project unit test/unit/log/disk`;

describe("a disk that crashes and fails", () => {
  test("gives back a prefix that has all that was promised, in many lives", () => {
    const seen = { whole: 0, torn: 0, incomplete: 0, written: 0 };
    for (const seed of seeds) {
      const machine = new Machine(seed);
      const { random } = machine;
      const model = new Model();
      const troubles = {
        write: random.pick([0, 0.02, 0.1]),
        sync: random.pick([0, 0.02]),
        other: random.pick([0, 0.01]),
      };
      makeTroubles(machine, troubles);
      let number = 1;
      for (let lives = 0; lives < 5; lives++) {
        const died = machine.deaths.length;
        const writer = life(machine, model, number);
        const { verdict, bytes, nextNumber } = recoverInTheEnd(machine);
        // The last death came after the recovery.
        const onlyProcesses = machine.deaths.slice(died, -1).every((what) => what === "process");
        const written = onlyProcesses ? (writer?.written ?? 0) : 0;
        expect(verdict.kind, replay(seed)).not.toBe("incomplete");
        expect(verdict.end, replay(seed)).toBeGreaterThanOrEqual(model.promised);
        expect(verdict.end, replay(seed)).toBeGreaterThanOrEqual(written);
        expect(bytes.equals(model.bytes.subarray(0, verdict.end)), replay(seed)).toBe(true);
        seen[verdict.kind] += 1;
        seen.written += verdict.end;
        model.cutTo(verdict);
        number = nextNumber;
      }
    }
    expect(seen.whole).toBeGreaterThan(0);
    expect(seen.torn).toBeGreaterThan(0);
    expect(seen.written).toBeGreaterThan(0);
  });
});

describe("a disk that rots", () => {
  const ways = ["a bit", "a sector that cannot be read", "a file that is gone"] as const;

  test.each(ways)("%s: what was proven is never missed in silence", (way) => {
    let found = 0;
    let harmless = 0;
    for (const seed of seeds) {
      const machine = new Machine(seed);
      const model = new Model();
      life(machine, model, 1);
      if (machine.random.fraction() < 0.5) {
        const { verdict, nextNumber } = recoverInTheEnd(machine);
        model.cutTo(verdict);
        life(machine, model, nextNumber);
      }
      const folder = machine.disk.folder("log");
      const kept = new Map(folder.list().map((name) => [name, Buffer.from(folder.bytesOf(name))]));
      const truth = machine.recover().verdict.proven;
      for (const name of folder.list()) folder.lose(name);
      for (const [name, bytes] of kept) folder.overwrite(name, bytes);
      if (!rot(folder, machine, way)) continue;
      // Whoever is killed in the middle of a recovery, again and again, must not forget.
      const { verdict, bytes } = recoverInTheEnd(machine);
      expect(bytes.equals(model.bytes.subarray(0, verdict.end)), replay(seed)).toBe(true);
      if (verdict.end >= truth) {
        harmless += 1;
        continue;
      }
      found += 1;
      expect(verdict.kind, replay(seed)).toBe("incomplete");
      const { missing } = machine;
      expect(missing === "unknown" || (missing ?? -1) >= truth, replay(seed)).toBe(true);
      // And a next life, which goes on from there, still knows.
      makeTroubles(machine, NO_TROUBLES);
      model.cutTo(verdict);
      life(machine, model, machine.recover().nextNumber);
      const next = machine.recover();
      expect(bytes.equals(next.bytes.subarray(0, verdict.end)), replay(seed)).toBe(true);
      expect(machine.missing, replay(seed)).toEqual(missing);
    }
    expect(found).toBeGreaterThan(SEEDS / 20);
    expect(harmless).toBeGreaterThan(0);
  });
});

/** One sector has data and all that proves them: nobody can know what was there. */
function hasNewestProof(folder: VirtualFolder, name: string, at: number): boolean {
  const { mark, syncedAt } = scanOf(folder, name);
  const isNewest = !folder.list().some((other) => other.endsWith(".log") && other > name);
  const sector = Math.floor(at / SECTOR_BYTES);
  const last = Math.floor((syncedAt + MARK_BYTES - 1) / SECTOR_BYTES);
  const first = Math.floor(syncedAt / SECTOR_BYTES);
  return isNewest && mark !== null && (sector === first || sector === last);
}

function rot(
  folder: VirtualFolder,
  { random }: Machine,
  way: "a bit" | "a sector that cannot be read" | "a file that is gone",
): boolean {
  const names = folder.list().filter((name) => name.endsWith(".log"));
  if (names.length === 0) return false;
  const name = random.pick(names);
  const at = random.between(0, folder.bytesOf(name).length);
  if (way === "a file that is gone") folder.lose(name);
  else if (way === "a bit") {
    const rotten = Buffer.from(folder.bytesOf(name));
    rotten[at] = rotten[at]! ^ (1 << random.between(0, 8));
    folder.overwrite(name, rotten);
  } else if (hasNewestProof(folder, name, at)) return false;
  else folder.breakSector(name, at);
  return true;
}

describe("recovery", () => {
  test("a receiver that throws ends it, and nothing is cut", () => {
    const machine = new Machine(5);
    const model = new Model();
    const writer = machine.writer(1, 0, START.chain);
    for (let i = 0; i < 5; i++) {
      const bytes = model.append(machine.random);
      writer.append(bytes, 0, bytes.length);
    }
    writer.sync();
    machine.disk.kill();
    machine.onBatch = () => {
      throw new Error("no memory");
    };
    expect(() => machine.recover()).toThrow("no memory");
    machine.onBatch = () => {};
    expect(machine.recover().verdict).toMatchObject({ kind: "whole", end: model.bytes.length });
  });

  test("a full disk with a torn tail starts, without the copy", () => {
    const machine = new Machine(6);
    const model = new Model();
    const writer = machine.writer(1, 0, START.chain);
    const bytes = model.append(machine.random);
    writer.append(bytes, 0, bytes.length);
    writer.sync();
    machine.disk.kill();
    const folder = machine.disk.folder("log");
    const name = logFileName(1);
    folder.overwrite(name, Buffer.concat([folder.bytesOf(name), Buffer.alloc(100, 7)]));
    machine.disk.capacity = machine.disk.usedBytes;
    const { verdict, repair } = machine.recover();
    expect(verdict).toMatchObject({ kind: "torn", end: model.bytes.length, reason: "head" });
    expect(repair).toMatchObject({ cutBytes: 100, copiedBytes: 0 });
    expect(machine.recover().verdict.kind).toBe("whole");
  });

  test("a stop that was told leaves a log that says so", () => {
    const machine = new Machine(7);
    const model = new Model();
    const writer = machine.writer(1, 0, START.chain);
    const bytes = model.append(machine.random);
    writer.append(bytes, 0, bytes.length);
    writer.stop();
    const { verdict, nextNumber } = machine.recover();
    expect(verdict).toMatchObject({ kind: "whole", clean: true, end: model.bytes.length });
    expect(nextNumber).toBe(2);
  });

  test("a file without a batch is taken the place of", () => {
    const machine = new Machine(8);
    machine.writer(1, 0, START.chain);
    machine.disk.kill();
    expect(machine.recover().nextNumber).toBe(1);
  });
});
