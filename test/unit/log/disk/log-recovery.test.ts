/**
 * The log on a disk that crashes: at any step of writing or of an earlier recovery, what comes back is
 * a prefix of what was written and has all that was promised to be durable.
 */
import { describe, expect, test } from "vitest";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import type { Verdict } from "../../../../src/log/disk/proof.ts";
import type { Repair } from "../../../../src/log/disk/log-repair.ts";
import { BATCH_HEAD_BYTES, chainStart } from "../../../../src/wire/frame.ts";
import { Crash, VirtualDisk } from "../../../sim/virtual-disk.ts";
import { Random } from "../../../tools/random.ts";
import { makeBatch } from "../../wire/tools.ts";

const HISTORY = "00112233445566778899aabbccddeeff";
const STORE = "0123456789abcdef0123456789abcdef";
const START = { history: HISTORY, offset: 0, chain: chainStart(HISTORY) };
const NAME = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
const FILE_BYTES = 6000;

/** The log as it was appended, and what was promised of it. */
class Model {
  bytes: Buffer = Buffer.alloc(0);
  chain = START.chain;
  /** All that was ever said to be durable. */
  promised = 0;

  append(random: Random): Buffer {
    const large = random.fraction() < 0.03;
    const records = Array.from({ length: random.between(1, 4) }, () =>
      random.bytes(large ? random.between(4000, 9000) : random.between(0, 300)),
    );
    const { bytes, chain } = makeBatch(records, this.bytes.length, this.chain);
    this.bytes = Buffer.concat([this.bytes, bytes]);
    this.chain = chain;
    return bytes;
  }

  cutTo({ end, chain }: Verdict): void {
    this.bytes = this.bytes.subarray(0, end);
    this.chain = chain;
    this.promised = end;
  }
}

interface Recovered {
  readonly verdict: Verdict;
  readonly repair: Repair;
  readonly nextNumber: number;
  readonly bytes: Buffer;
  readonly incomplete: readonly number[];
}

/** Everything that a machine has, and what of it a crash takes. */
class Machine {
  readonly disk: VirtualDisk;
  readonly random: Random;
  ids = 0;
  recoveries = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.disk = new VirtualDisk(this.random);
  }

  readonly mint = (): string => {
    this.ids += 1;
    return this.ids.toString(16).padStart(8, "0").padStart(32, "5a");
  };

  writer(number: number, offset: number, chain: number): LogFileWriter {
    const options = {
      folder: this.disk.folder("log"),
      fileBytes: FILE_BYTES,
      storeId: STORE,
      generation: 1,
      mint: this.mint,
      clock: () => 1_767_225_600_000,
    };
    return new LogFileWriter(options, number, { history: HISTORY, offset, chain }, NAME);
  }

  recover(): Recovered {
    const parts: Buffer[] = [];
    let open: Buffer[] = [];
    const incomplete: number[] = [];
    this.recoveries += 1;
    const recovery = new LogRecovery({
      folder: this.disk.folder("log"),
      quarantine: this.disk.folder("quarantine"),
      quarantineBytesMax: 3000,
      label: `r${this.recoveries}`,
      rememberIncomplete: (proven) => {
        incomplete.push(proven);
      },
      storeId: STORE,
      generation: 1,
      first: 1,
      start: START,
      sink: {
        batchHead: (head, at) => {
          open = [Buffer.from(head.subarray(at, at + BATCH_HEAD_BYTES))];
        },
        batchBytes: (bytes, from, to) => {
          open.push(Buffer.from(bytes.subarray(from, to)));
        },
        batchEnd: () => {
          parts.push(...open);
        },
      },
    });
    while (recovery.step());
    return { ...recovery.finish(), bytes: Buffer.concat(parts), incomplete };
  }

  /** Runs until the machine dies at a step that was drawn, or `work` is done. */
  untilCrash(steps: number, work: () => void): void {
    this.disk.crashAt = this.disk.steps + 1 + this.random.between(0, steps);
    try {
      work();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    if (this.random.fraction() < 0.7) this.disk.crash();
    else this.disk.kill();
  }
}

/** Writes at random until the machine dies. */
function write(machine: Machine, model: Model, number: number): void {
  const { random } = machine;
  const { length } = model.bytes;
  const writer = machine.writer(number, length, model.chain);
  for (;;) {
    const draw = random.fraction();
    if (draw < 0.5) {
      const batches = Array.from({ length: random.between(1, 5) }, () => model.append(random));
      const bytes = Buffer.concat(batches);
      writer.append(bytes, 0, bytes.length);
      expect(writer.written).toBe(model.bytes.length);
    } else if (draw < 0.8) writer.sync();
    else if (draw < 0.9) writer.mark();
    else writer.zeroAhead(2000);
    model.promised = Math.max(model.promised, writer.durable);
  }
}

function life(machine: Machine, model: Model, number: number): void {
  machine.untilCrash(60, () => {
    write(machine, model, number);
  });
}

/** Recovers, though the machine may die again on the way. */
function recoverInTheEnd(machine: Machine): Recovered {
  for (let tries = machine.random.between(0, 3); tries > 0; tries--)
    machine.untilCrash(12, () => {
      machine.recover();
    });
  return machine.recover();
}

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
