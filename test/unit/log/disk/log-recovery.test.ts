/**
 * The log on a disk that crashes: at any step of writing or of an earlier recovery, what comes back is
 * a prefix of what was written and has all that was promised to be durable.
 */
import { describe, expect, test } from "vitest";
import type { VirtualDisk } from "../../../sim/virtual-disk.ts";
import { Machine, Model, life, recoverInTheEnd } from "./machine.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 40);
const FIRST = Number(process.env["FIRST_SEED"] ?? 1);
const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST + i);
const replay = (seed: number): string =>
  `seed ${seed}: FIRST_SEED=${seed} SEEDS=1 npx vitest run --project unit test/unit/log/disk`;

describe("a disk that crashes", () => {
  test("gives back a prefix that has all that was promised, at every step of many lives", () => {
    const seen = { whole: 0, torn: 0, incomplete: 0 };
    for (const seed of seeds) {
      const machine = new Machine(seed);
      const model = new Model();
      let number = 1;
      for (let lives = 0; lives < 6; lives++) {
        life(machine, model, number);
        const { verdict, bytes, nextNumber } = recoverInTheEnd(machine);
        seen[verdict.kind] += 1;
        expect(verdict.kind, replay(seed)).not.toBe("incomplete");
        expect(verdict.end, replay(seed)).toBeGreaterThanOrEqual(model.promised);
        expect(bytes.equals(model.bytes.subarray(0, verdict.end)), replay(seed)).toBe(true);
        model.cutTo(verdict);
        number = nextNumber;
      }
    }
    expect(seen.whole).toBeGreaterThan(0);
    expect(seen.torn).toBeGreaterThan(0);
  });

  test("damage below what was proven is never taken for a torn tail", () => {
    let found = 0;
    let silent = 0;
    for (const seed of seeds) {
      const machine = new Machine(seed);
      const model = new Model();
      life(machine, model, 1);
      const folder = machine.disk.folder("log");
      const before = snapshot(folder);
      const truth = machine.recover();
      for (const [name, bytes] of before) folder.overwrite(name, bytes);
      const names = folder.list().filter((name) => name.endsWith(".log"));
      if (names.length === 0) continue;
      const name = machine.random.pick(names);
      const rotten = Buffer.from(folder.bytesOf(name));
      if (rotten.length === 0) continue;
      const at = machine.random.between(0, rotten.length);
      rotten[at] = rotten[at]! ^ (1 << machine.random.between(0, 8));
      folder.overwrite(name, rotten);
      const { verdict, bytes, incomplete } = machine.recover();
      expect(bytes.equals(model.bytes.subarray(0, verdict.end)), replay(seed)).toBe(true);
      if (verdict.end < truth.verdict.proven) {
        expect(verdict.kind, replay(seed)).toBe("incomplete");
        expect(incomplete, replay(seed)).toEqual([verdict.proven]);
        expect(verdict.proven, replay(seed)).toBeGreaterThanOrEqual(truth.verdict.proven);
        found += 1;
      } else silent += 1;
    }
    expect(found).toBeGreaterThan(SEEDS / 20);
    expect(silent).toBeGreaterThan(0);
  });
});

function snapshot(folder: ReturnType<VirtualDisk["folder"]>): ReadonlyMap<string, Buffer> {
  return new Map(folder.list().map((name) => [name, Buffer.from(folder.bytesOf(name))]));
}
