/** A data directory for tests of recovery: a log of short texts, checkpoints of them, and what comes back. */
import { DiskError, StoreError } from "../../../../src/errors.ts";
import { Backlog } from "../../../../src/log/backlog.ts";
import { CheckpointWriter, checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { type Lineage, NO_SYNC } from "../../../../src/wire/messages.ts";
import { generationName } from "../../../../src/log/disk/generation-names.ts";
import { LogFileWriter } from "../../../../src/log/disk/log-file-writer.ts";
import type { Manifest } from "../../../../src/log/disk/manifest.ts";
import { readManifest, writeManifest } from "../../../../src/log/disk/manifest-file.ts";
import { openDataDirectory } from "../../../../src/node/disk/data-directory.ts";
import { DiskRecovery, type KeptPlace } from "../../../../src/node/disk/disk-recovery.ts";
import type {
  LateStaging,
  LateTarget,
  PromptTarget,
  StateFormat,
  Staging,
} from "../../../../src/store/state.ts";
import {
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  batchLength,
  chainStart,
} from "../../../../src/wire/frame.ts";
import { encodeNodeRecord } from "../../../../src/wire/node-record.ts";
import { ChunkTally } from "../../../../src/wire/chunk-tally.ts";
import { Random } from "../../../../tools/random.ts";
import { VirtualDisk, VirtualTree, type VirtualFolder } from "../../../sim/virtual-disk.ts";
import { makeBatch, makeChunk } from "../../wire/tools.ts";

export const HISTORY = "00112233445566778899aabbccddeeff";
export const CLOCK_MS = 1_767_225_600_000;
const FORMAT = { name: "texts", version: 1 };
const OWNER = "c".repeat(32);

function textsIn(bytes: Buffer, from: number, to: number): string[] {
  const texts: string[] = [];
  for (let at = from; at < to;) {
    const length = bytes.readUInt32LE(at);
    texts.push(bytes.toString("utf8", at + 4, at + 4 + length));
    at += 4 + length;
  }
  return texts;
}

function textsOf(chunk: string): string[] {
  if (chunk === "refused") throw new StoreError("ERR_STORE_CHUNK", "refused");
  return chunk === "" ? [] : chunk.split(",");
}

/** A list of texts that has done what it was asked when the call returns. */
export class PromptTexts implements PromptTarget, StateFormat {
  readonly answers = "at once";
  readonly format = FORMAT;
  appliedTo = 0;
  texts: string[] = [];
  #staged: string[] = [];

  isEmpty(): boolean {
    return this.texts.length === 0;
  }

  applyRange(bytes: Buffer, from: number, to: number): void {
    this.texts.push(...textsIn(bytes, from, to));
  }

  stage(): Staging {
    this.#staged = [];
    return {
      load: (bytes, from, to) => this.#staged.push(...textsOf(bytes.toString("utf8", from, to))),
      finish: () => undefined,
      discard: () => undefined,
    };
  }

  swap(): void {
    this.texts = this.#staged;
  }
}

/** The same, and every call is answered when `answer` is called. */
export class LateTexts implements LateTarget, StateFormat {
  readonly answers = "later";
  readonly format = FORMAT;
  onAnswer: (error: Error | null) => void = () => undefined;
  appliedTo = 0;
  texts: string[] = [];
  calls = 0;
  #waiting: (() => void) | null = null;

  isEmpty(): boolean {
    return this.texts.length === 0;
  }

  answer(): void {
    const waiting = this.#waiting;
    if (waiting === null) throw new Error("nobody asked");
    this.#waiting = null;
    try {
      waiting();
    } catch (error) {
      this.onAnswer(error as Error);
      return;
    }
    this.onAnswer(null);
  }

  applyRange(bytes: Buffer, from: number, to: number): boolean {
    return this.#ask(() => {
      for (let at = from; at < to; at += batchLength(bytes, at))
        this.texts.push(...textsIn(bytes, at + BATCH_HEAD_BYTES, at + batchLength(bytes, at)));
      this.appliedTo = to;
    });
  }

  stage(): LateStaging {
    const staged: string[] = [];
    return {
      load: (bytes, from, to) =>
        this.#ask(() => staged.push(...textsOf(bytes.toString("utf8", from, to)))),
      commit: () =>
        this.#ask(() => {
          this.texts = staged;
        }),
      abort: () => this.#ask(() => undefined),
    };
  }

  #ask(work: () => unknown): boolean {
    if (this.#waiting !== null) throw new Error("a call while another is under way");
    this.calls += 1;
    this.#waiting = () => void work();
    return false;
  }
}

/** What wrote the directory, and where it is in the log. */
export class RecoveryMachine {
  readonly disk: VirtualDisk = new VirtualDisk(new Random(1));
  readonly tree: VirtualTree = new VirtualTree(this.disk, "dir");
  offset = 0;
  chain: number = chainStart(HISTORY);
  history = HISTORY;
  term = 1;
  lineage: Lineage = [];
  manifest: Manifest;
  writer: LogFileWriter;
  /** All that was written, in order. */
  readonly texts: string[] = [];
  #ids = 0;

  constructor(term = 1) {
    this.term = term;
    const { manifest } = openDataDirectory(this.tree, this.#mint);
    this.manifest = manifest;
    this.writer = this.begin(1);
  }

  get folder(): VirtualFolder {
    return this.tree.folder(generationName(1));
  }

  readonly #mint = (): string => {
    this.#ids += 1;
    return this.#ids.toString(16).padStart(32, "5a");
  };

  /** A process takes the log up where it is. */
  begin(number: number): LogFileWriter {
    const { directoryId, generation } = this.manifest;
    this.writer = new LogFileWriter(
      {
        folder: this.folder,
        fileBytes: 1_000_000,
        directoryId,
        generation,
        mint: this.#mint,
        clock: () => CLOCK_MS,
        name: (lastLog) => {
          this.write({ lastLog });
        },
      },
      number,
      { history: this.history, offset: this.offset, chain: this.chain },
      this.#name,
    );
    return this.writer;
  }

  get #name(): Parameters<LogFileWriter["startHistory"]>[0] {
    return {
      history: this.history,
      rank: { term: this.term, run: 0 },
      lineage: this.lineage,
    };
  }

  write(change: Partial<Manifest>): void {
    this.manifest = { ...this.manifest, ...change };
    writeManifest(this.tree.root, this.manifest);
  }

  /** One batch of these. */
  append(...texts: string[]): this {
    this.#put(texts.map((text) => Buffer.from(text)));
    this.texts.push(...texts);
    return this;
  }

  /** The node batch of the present history, as if it were led with `term`. */
  node(term = this.term): this {
    const { history } = this;
    const owner = { clusterId: OWNER, storeId: OWNER, sync: NO_SYNC } as const;
    const rank = { term, run: 0 };
    const record = encodeNodeRecord({ history, rank, parent: null, ...owner });
    this.#put([record], BATCH_FLAG.node);
    return this;
  }

  #put(records: readonly Buffer[], flags: number = BATCH_FLAG.none): void {
    const { offset, chain: before } = this;
    const { bytes, chain } = makeBatch(records, offset, before, CLOCK_MS + offset, flags);
    this.writer.append(bytes, 0, bytes.length);
    this.offset += bytes.length;
    this.chain = chain;
  }

  sync(): this {
    this.writer.rest();
    return this;
  }

  /** A new log file, as at a checkpoint or a promotion. */
  roll(): this {
    this.writer.startHistory(this.#name);
    return this;
  }

  /** The state here; a log file begins there. */
  checkpoint(chunks: readonly string[] = [this.texts.join()]): this {
    this.roll();
    const { number } = this.writer;
    const position = { history: this.history, offset: this.offset, chain: this.chain };
    const snapshotId = this.#mint();
    const records = this.texts.length;
    const begin = {
      type: "snapshot",
      snapshotId,
      position,
      rank: { term: this.term, run: 0 },
      lineage: this.lineage,
      sync: NO_SYNC,
      format: FORMAT,
    } as const;
    const writer = new CheckpointWriter(this.folder, number, {
      ...begin,
      firstChunk: 0,
      records,
      bytes: 100,
    });
    const tally = new ChunkTally();
    chunks.forEach((text, index) => {
      const chunk = makeChunk(index, Buffer.from(text));
      tally.note(index, Buffer.byteLength(text), chunk.digest);
      writer.chunk(chunk.bytes, 0, chunk.bytes.length);
    });
    const { chunks: count, bytes, digest } = tally;
    writer.finish({ type: "end", snapshotId, chunks: count, records, bytes, digest });
    this.folder.rename(`${checkpointName(number)}.tmp`, checkpointName(number));
    const entry = { position, log: number, records, bytes: writer.bytes, clockMs: CLOCK_MS };
    this.write({ checkpoints: [entry, ...this.manifest.checkpoints].slice(0, 2) });
    return this;
  }

  /** Other bytes at `at`, from the end when it is negative. */
  flip(name: string, at: number): this {
    const bytes = Buffer.from(this.folder.bytesOf(name));
    const index = at < 0 ? bytes.length + at : at;
    bytes[index] = bytes[index]! ^ 0x40;
    this.folder.overwrite(name, bytes);
    return this;
  }

  recovery(
    state: PromptTexts | LateTexts = new PromptTexts(),
    kept: KeptPlace | null = null,
  ): Recovering {
    const directory = openDataDirectory(this.tree, this.#mint);
    const log = new Backlog(0, 0, { sizeBytes: 100_000, clock: () => CLOCK_MS });
    const recovery = new DiskRecovery({
      root: this.tree.root,
      directory,
      state,
      log,
      onFree: () => undefined,
      kept,
    });
    return { recovery, log, state };
  }

  /** Recovers to the end, with a state that answers at once, or later. */
  recover(state: PromptTexts | LateTexts = new PromptTexts()): Recovered {
    const { recovery, log } = this.runs(state);
    const manifest = readManifest(this.tree.root)!;
    return { ...recovery.result!, texts: state.texts, log, onDisk: manifest };
  }

  /** The same, whatever it comes to. `kept`: what the state has by itself. */
  runs(state: PromptTexts | LateTexts, kept: KeptPlace | null = null): Recovering {
    const recovering = this.recovery(state, kept);
    const { recovery } = recovering;
    for (let steps = 0; ; steps++) {
      if (steps > 10_000) throw new Error("it does not end");
      const step = recovery.step();
      if (step === "done") break;
      if (step === "waits" && state.answers === "later") state.answer();
    }
    return recovering;
  }

  whyNot(): string {
    try {
      this.recover();
    } catch (error) {
      if (error instanceof DiskError) return error.message;
      throw error;
    }
    return "none";
  }
}

export interface Recovering {
  readonly recovery: DiskRecovery;
  readonly log: Backlog;
  readonly state: PromptTexts | LateTexts;
}

export type Recovered = NonNullable<DiskRecovery["result"]> & {
  readonly texts: readonly string[];
  readonly log: Backlog;
  readonly onDisk: Manifest;
};
