/**
 * One checkpoint into the state, in steps of a block: staged beside it, swapped in when all of it was
 * right. The state may answer at once or later, as when a replica restores a snapshot.
 *
 *   reading --the file is whole--> swapping --answered--> done
 *      +------- damaged ------> leaving --nothing is staged any more--> done, and failed
 *
 * Owns: these moves. Does not own: the file (log/disk/checkpoint-reader.ts), which checkpoint is used
 * (disk-recovery.ts).
 * Tested in: test/unit/node/disk/disk-recovery.test.ts.
 */
import { DiskError, HawserError, StoreError } from "../../errors.ts";
import type { CheckpointSink } from "../../log/disk/checkpoint-frames.ts";
import { CheckpointReader } from "../../log/disk/checkpoint-reader.ts";
import type { DiskFolder } from "../../log/disk/files.ts";
import type { CheckpointEntry } from "../../log/disk/manifest.ts";
import type { StateCalls } from "../../replica/calls.ts";
import { canRead } from "../../replica/formats.ts";
import { LateLoading } from "../../replica/late-loading.ts";
import { PromptLoading, type Loading } from "../../replica/loading.ts";
import type { StateFormat, StateTarget } from "../../store/state.ts";
import type { SnapshotBegin, SnapshotEnd } from "../../wire/messages.ts";

/** What a step came to: `waits` for a state that answers later. */
export type Step = "more" | "waits" | "done";

export class CheckpointLoad implements CheckpointSink {
  /** Why it cannot be used; then the state is what it was. */
  failure: HawserError | null = null;
  begun: SnapshotBegin | null = null;
  readonly #reader: CheckpointReader;
  readonly #entry: CheckpointEntry;
  readonly #state: StateTarget & StateFormat;
  /** Null for a state that answers at once. */
  readonly #calls: StateCalls | null;
  #loading: Loading | null = null;
  #end: SnapshotEnd | null = null;
  #isRead = false;
  #phase: "reading" | "swapping" | "leaving" | "done" = "reading";

  /** @throws {DiskError} ERR_DISK_READ when it is not there */
  constructor(
    folder: DiskFolder,
    entry: CheckpointEntry,
    state: StateTarget & StateFormat,
    calls: StateCalls | null,
  ) {
    this.#entry = entry;
    this.#state = state;
    this.#calls = calls;
    this.#reader = new CheckpointReader(folder, entry.log, this);
  }

  get readBytes(): number {
    return this.#reader.readBytes;
  }

  /** @throws what the state fails with, at something else than these bytes */
  step(): Step {
    switch (this.#phase) {
      case "reading":
        return this.#read();
      case "swapping":
        return "waits";
      case "leaving":
        this.#giveUp();
        if (this.#loading?.holdsState === true) return "waits";
        this.#phase = "done";
        return "done";
      case "done":
        return "done";
    }
  }

  abandon(): void {
    this.#reader.close();
  }

  #read(): Step {
    try {
      this.#loading?.advance();
      if ((this.#loading?.waitingBytes ?? 0) > 0) return "waits";
      if (!this.#isRead) this.#isRead = !this.#reader.step();
      this.#loading?.advance();
      if ((this.#loading?.waitingBytes ?? 0) > 0) return "waits";
      return this.#isRead ? this.#swap(this.#end!) : "more";
    } catch (error) {
      if (!isDamage(error)) throw error;
      return this.#fail(error);
    }
  }

  #swap(end: SnapshotEnd): Step {
    const loading = this.#loading!;
    const totals = { records: end.records };
    loading.finish(totals);
    this.#phase = loading.swap(totals, this.begun!) ? "done" : "swapping";
    return this.#phase === "done" ? this.#close() : "waits";
  }

  #fail(error: HawserError): Step {
    this.failure = error;
    this.#phase = "leaving";
    this.#loading?.discard();
    this.#giveUp();
    this.#close();
    return "more";
  }

  /** A state that cannot give up what it has of it fails a second time: the first is what is told. */
  #giveUp(): void {
    try {
      this.#loading?.advance();
    } catch (error) {
      if (!(error instanceof HawserError)) throw error;
    }
  }

  #close(): Step {
    this.#reader.close();
    return "done";
  }

  // --- the file -----------------------------------------------------------------------------------

  begin(begin: SnapshotBegin): void {
    const { position, log } = this.#entry;
    const { offset, chain } = begin.position;
    if (offset !== position.offset || chain !== position.chain)
      throw new DiskError("ERR_DISK_DAMAGED", `checkpoint ${log} is of another position`);
    const { name, version } = this.#state.format;
    const { format } = begin;
    if (!canRead(this.#state.format, format))
      throw new StoreError(
        "ERR_STORE_RECORD",
        `checkpoint ${log} is in the format ${format.name}/${format.version}, the state in ${name}/${version}`,
      );
    this.begun = begin;
    const { records, bytes } = begin;
    this.#loading = this.#stage({ records, bytes });
  }

  chunk(bytes: Buffer, from: number, to: number): void {
    // Why a copy for one that answers later: the reader's buffer is used again.
    if (this.#calls === null) this.#loading!.load(bytes, from, to, () => undefined);
    else this.#loading!.load(Buffer.from(bytes.subarray(from, to)), 0, to - from, () => undefined);
  }

  end(end: SnapshotEnd): void {
    this.#end = end;
  }

  #stage(estimate: { readonly records: number; readonly bytes: number }): Loading {
    const state = this.#state;
    if (state.answers === "at once") return new PromptLoading(state, estimate);
    return new LateLoading(state, this.#calls!, estimate, {
      failed: (error) => {
        this.#failLater(error);
      },
      abortFailed: () => undefined,
      swapped: (error) => {
        if (error !== null) this.#failLater(error);
        else {
          this.#phase = "done";
          this.#close();
        }
      },
    });
  }

  #failLater(error: HawserError): void {
    if (this.failure === null) this.#fail(error);
  }
}

/** The file is not what was written, or the state says so of what is in it. */
function isDamage(error: unknown): error is HawserError {
  if (error instanceof DiskError)
    return error.code === "ERR_DISK_DAMAGED" || error.code === "ERR_DISK_READ";
  return error instanceof StoreError && error.code === "ERR_STORE_CHUNK";
}
