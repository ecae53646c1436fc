/**
 * The smallest state of one's own: a Map in this process, with a record for each entry, that keeps its mark
 * beside it. What it keeps is in `disk`, which another state may be opened with, as a next process would.
 *
 *   record   key \0 value, or the key alone: deleted
 */
import type {
  Batch,
  Frozen,
  Mark,
  Part,
  Records,
  ReplicatedState,
  Staging,
  StateDurability,
} from "../../src/bridge/seam.ts";

export interface ToyDisk {
  map: Map<string, string>;
  mark: Mark | null;
}

export interface ToyOptions {
  readonly durability?: StateDurability;
  /** Answers in a later microtask, or later still; at once without it. */
  readonly later?: () => Promise<void>;
  /** Records of one part; default 3. */
  readonly partRecords?: number;
  readonly withTokens?: boolean;
  readonly format?: ReplicatedState["format"];
}

export const newDisk = (entries: Iterable<readonly [string, string]> = []): ToyDisk => ({
  map: new Map(entries),
  mark: null,
});

export const setRecord = (key: string, value: string): Buffer => Buffer.from(`${key}\0${value}`);
export const deleteRecord = (key: string): Buffer => Buffer.from(key);

export class ToyState implements ReplicatedState {
  readonly format: ReplicatedState["format"];
  readonly durability: StateDurability;
  readonly disk: ToyDisk;
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  /** The next call of this name fails, before or after it was done. */
  fails: { readonly call: string; readonly isDone: boolean } | null = null;
  running = 0;
  private readonly options: ToyOptions;

  constructor(disk: ToyDisk = newDisk(), options: ToyOptions = {}) {
    this.disk = disk;
    this.options = options;
    this.durability = options.durability ?? "process";
    this.format = options.format ?? { name: "toy", version: 1 };
  }

  get map(): Map<string, string> {
    return this.disk.map;
  }

  /** Does it, at once or later; never while another call runs. */
  private call<T>(name: string, run: () => T): T | Promise<T> {
    this.asked.push(name);
    if (this.running > 0) throw new Error(`${name} while another call runs`);
    const { later } = this.options;
    const work = (): T => {
      const fails = this.fails?.call === name ? this.fails : null;
      if (fails !== null) this.fails = null;
      if (fails?.isDone === false) throw new Error(`${name} failed`);
      const done = run();
      if (fails !== null) throw new Error(`${name} failed`);
      return done;
    };
    if (later === undefined) return work();
    this.running += 1;
    return later().then(() => {
      this.running -= 1;
      return work();
    });
  }

  open(): { readonly mark: Mark | null; readonly empty: boolean } {
    return { mark: this.disk.mark, empty: this.map.size === 0 };
  }

  apply(batch: Batch): void | Promise<void> {
    return this.call("apply", () => {
      change(this.map, batch);
      this.disk.mark = batch.end;
    });
  }

  mark(): Mark | null | Promise<Mark | null> {
    return this.call("mark", () => this.disk.mark);
  }

  freeze(): Frozen | Promise<Frozen> {
    return this.call("freeze", () => {
      const records = [...this.map]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => setRecord(key, value));
      return this.frozen(records);
    });
  }

  private frozen(records: readonly Buffer[]): Frozen {
    const { partRecords = 3, withTokens = false } = this.options;
    const { asked } = this;
    function* parts(from: number): Iterable<Part> {
      for (let at = from; at < records.length; at += partRecords) {
        const part = { records: records.slice(at, at + partRecords) };
        asked.push(`part ${at}`);
        yield withTokens ? { ...part, token: Buffer.from(String(at + partRecords)) } : part;
      }
    }
    return {
      records: records.length,
      bytes: records.reduce((sum, { length }) => sum + length, 0),
      read: (after) => parts(after === null ? 0 : Number(Buffer.from(after).toString())),
      pinned: () => records.length,
      close: () => void asked.push("close frozen"),
    };
  }

  stage(): Staging | Promise<Staging> {
    return this.call("stage", () => {
      const map = new Map<string, string>();
      return {
        load: (records) => this.call("load", () => change(map, records)),
        commit: (end) =>
          this.call("commit", () => {
            this.disk.map = map;
            this.disk.mark = end;
          }),
        abort: () => this.call("abort", () => undefined),
      };
    });
  }
}

function change(map: Map<string, string>, records: Records): void {
  for (const record of records) {
    const at = record.indexOf(0);
    if (at < 0) map.delete(record.toString());
    else map.set(record.toString("utf8", 0, at), record.toString("utf8", at + 1));
  }
}
