/** A machine for the tests of the log on disk: what it wrote, what it promised, and how it dies. */
import { expect } from "vitest";
import { LOG_HEAD_BYTES_MAX, decodeLogHead } from "../../../../src/log/disk/frames.ts";
import { LogFileScan, NO_SINK } from "../../../../src/log/disk/log-file-scan.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import { LogRecovery, type Recovered } from "../../../../src/log/disk/log-recovery.ts";
import type { Missing } from "../../../../src/log/disk/manifest.ts";
import type { Verdict } from "../../../../src/log/disk/verdict.ts";
import { DiskError } from "../../../../src/errors.ts";
import { BATCH_HEAD_BYTES, chainStart } from "../../../../src/wire/frame.ts";
import { Crash, VirtualDisk, type VirtualFolder } from "../../../sim/virtual-disk.ts";
import { Random } from "../../../../tools/random.ts";
import { makeBatch } from "../../wire/tools.ts";

export const HISTORY = "00112233445566778899aabbccddeeff";
export const DIRECTORY = "0123456789abcdef0123456789abcdef";
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

export interface Outcome extends Recovered {
  /** What the sink was given. */
  readonly bytes: Buffer;
}

/** Everything that a machine has, and what of it a crash takes. */
export class Machine {
  readonly disk: VirtualDisk;
  readonly random: Random;
  /** What the manifest says: written whole or not at all. */
  missing: Missing | null = null;
  lastLog = 0;
  ids = 0;
  fileBytes = FILE_BYTES;
  /** What died, each time. */
  readonly deaths: ("machine" | "process")[] = [];
  /** Called before recovery takes a batch. */
  onBatch: () => void = () => {};

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
      fileBytes: this.fileBytes,
      directoryId: DIRECTORY,
      generation: 1,
      mint: this.mint,
      clock: () => 1_767_225_600_000,
      name: (last: number) => {
        this.disk.step("rename", "manifest");
        this.lastLog = last;
      },
    };
    return new LogFileWriter(options, number, { history: HISTORY, offset, chain }, NAME);
  }

  recover(): Outcome {
    const parts: Buffer[] = [];
    let open: Buffer[] = [];
    const missing = this.missing === "unknown" ? Number.POSITIVE_INFINITY : (this.missing ?? 0);
    const recovery = new LogRecovery({
      folder: this.disk.folder("log"),
      quarantine: this.disk.folder("quarantine"),
      quarantineBytesMax: 3000,
      rememberIncomplete: (to, _, last) => {
        this.disk.step("rename", "manifest");
        this.missing = to;
        this.lastLog = last;
      },
      directoryId: DIRECTORY,
      generation: 1,
      start: START,
      claims: { first: 1, last: this.lastLog, proven: missing },
      sink: {
        batchHead: (head, at) => {
          open = [Buffer.from(head.subarray(at, at + BATCH_HEAD_BYTES))];
        },
        batchBytes: (bytes, from, to) => {
          open.push(Buffer.from(bytes.subarray(from, to)));
        },
        batchEnd: () => {
          this.onBatch();
          parts.push(...open);
        },
      },
    });
    while (recovery.step());
    return { ...recovery.finish(), bytes: Buffer.concat(parts) };
  }

  /** Runs until the machine dies at a step that was drawn, or `work` is done or fails: then it dies too. */
  untilCrash(steps: number, work: () => void): void {
    this.disk.crashAt = this.disk.steps + 1 + this.random.between(0, steps);
    try {
      work();
    } catch (error) {
      if (!(error instanceof Crash || error instanceof DiskError)) throw error;
    }
    const isCrash = this.random.fraction() < 0.7;
    this.deaths.push(isCrash ? "machine" : "process");
    if (isCrash) this.disk.crash();
    else this.disk.kill();
  }
}

/** What a machine does wrong on its own. */
export interface Troubles {
  readonly write: number;
  readonly sync: number;
  readonly other: number;
}

export const NO_TROUBLES: Troubles = { write: 0, sync: 0, other: 0 };

export function makeTroubles(machine: Machine, { write, sync, other }: Troubles): void {
  const { random, disk } = machine;
  const chance = { write, sync, syncFolder: sync, truncate: other, create: other, rename: other };
  disk.fail = (call) => {
    if (call === "remove" || random.fraction() >= chance[call]) return null;
    if (call === "sync" || call === "syncFolder") return "ERR_DISK_SYNC";
    return random.pick(["ERR_DISK_FULL", "ERR_DISK_WRITE"] as const);
  };
}

/** One life: it writes at random until the machine dies. @returns the writer, null before there was one */
export function life(machine: Machine, model: Model, number: number): LogFileWriter | null {
  let writer: LogFileWriter | null = null;
  machine.untilCrash(80, () => {
    writer = machine.writer(number, model.bytes.length, model.chain);
    while (!writer.isDead) writeSome(machine, model, writer);
  });
  return writer;
}

function writeSome(machine: Machine, model: Model, writer: LogFileWriter): void {
  const { random } = machine;
  const draw = random.fraction();
  try {
    if (draw < 0.5) {
      if (model.bytes.length === writer.written)
        for (let count = random.between(1, 5); count > 0; count--) model.append(random);
      const rest = model.bytes.subarray(writer.written);
      writer.append(rest, 0, rest.length);
      expect(writer.written).toBe(model.bytes.length);
    } else if (draw < 0.78) writer.sync();
    else if (draw < 0.88) writer.rest();
    else if (draw < 0.97) writer.zeroAhead(2000);
    else writer.startHistory(NAME);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (!writer.isDead) expect(endOf(machine, writer.number)).toBe(writer.written);
  }
  model.promised = Math.max(model.promised, writer.durable);
}

/** What a process finds in a file now. */
export function scanOf(folder: VirtualFolder, name: string): LogFileScan {
  const file = folder.open(name);
  const bytes = Buffer.alloc(LOG_HEAD_BYTES_MAX);
  const count = file.read(bytes, 0, bytes.length, 0);
  const { head, bytes: headBytes } = decodeLogHead(bytes.subarray(0, count));
  const scan = new LogFileScan(file, head, headBytes, NO_SINK);
  while (scan.step());
  return scan;
}

/** Where the log ends in the file that a writer has open, -1 when it is damaged. */
function endOf(machine: Machine, number: number): number {
  const { damage, offset } = scanOf(machine.disk.folder("log"), logFileName(number));
  return damage === null ? offset : -1;
}

/** Recovers, though the machine may die or fail again on the way. */
export function recoverInTheEnd(machine: Machine): Outcome {
  const outcomes: Outcome[] = [];
  for (let tries = 0; outcomes.length === 0; tries++) {
    expect(tries, "stuck").toBeLessThan(100);
    machine.untilCrash(tries < 3 ? 14 : Number.POSITIVE_INFINITY, () => {
      outcomes.push(machine.recover());
    });
  }
  return outcomes[0]!;
}
