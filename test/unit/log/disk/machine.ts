/** A machine for the tests of the log on disk: what it wrote, what it promised, and how it dies. */
import { expect } from "vitest";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { LogRecovery } from "../../../../src/log/disk/log-recovery.ts";
import type { Repair } from "../../../../src/log/disk/log-repair.ts";
import type { Verdict } from "../../../../src/log/disk/proof.ts";
import { BATCH_HEAD_BYTES, chainStart } from "../../../../src/wire/frame.ts";
import { Crash, VirtualDisk } from "../../../sim/virtual-disk.ts";
import { Random } from "../../../tools/random.ts";
import { makeBatch } from "../../wire/tools.ts";

export const HISTORY = "00112233445566778899aabbccddeeff";
export const STORE = "0123456789abcdef0123456789abcdef";
export const START = { history: HISTORY, offset: 0, chain: chainStart(HISTORY) };
const NAME = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
const FILE_BYTES = 6000;

/** The log as it was appended, and what was promised of it. */
export class Model {
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

export interface Recovered {
  readonly verdict: Verdict;
  readonly repair: Repair;
  readonly nextNumber: number;
  readonly bytes: Buffer;
  readonly incomplete: readonly number[];
}

/** Everything that a machine has, and what of it a crash takes. */
export class Machine {
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

export function life(machine: Machine, model: Model, number: number): void {
  machine.untilCrash(60, () => {
    write(machine, model, number);
  });
}

/** Recovers, though the machine may die again on the way. */
export function recoverInTheEnd(machine: Machine): Recovered {
  for (let tries = machine.random.between(0, 3); tries > 0; tries--)
    machine.untilCrash(12, () => {
      machine.recover();
    });
  return machine.recover();
}
