/**
 * Drafts in a life on a disk that crashes (disk-life.ts): a batch is given to the disk, then to the state, which takes
 * or refuses it, and only then it is in the log or as if it had never been there.
 *
 *   none --begin--> out --written, the state takes it--> none, in the log
 *                    +--the state refuses it, or the disk is in trouble--> back --let go of, durably--> none
 *
 * From `out` on a start may find it, and may not: nobody was told of it. Once it was let go of, no start may.
 *
 * Owns: those steps, what a start may find. Does not own: what is written besides (disk-life.ts).
 */
import type { Backlog } from "../../src/log/backlog.ts";
import type { Draft } from "../../src/log/draft.ts";
import type { DiskStore } from "../../src/log/disk/disk-store.ts";
import { encodeSetHead, setBytes } from "../../src/store/record.ts";
import { BATCH_HEAD_BYTES, RECORD_LENGTH_BYTES } from "../../src/wire/frame.ts";
import type { Random } from "../../tools/random.ts";
import { digestOf, type Boundary, type Truth, type Writer } from "./truth.ts";
import type { NodeState } from "./node-state.ts";

/** A batch that may be there after a death: one that nobody was told of. */
export interface Undecided {
  readonly parent: Boundary;
  readonly offset: number;
  readonly chain: number;
}

/** The process that drafts. */
export interface DraftingProcess {
  readonly backlog: Backlog;
  readonly held: NodeState;
  readonly writer: Writer;
}

export interface DraftLife {
  readonly random: Random;
  readonly truth: Truth;
  undecided: Undecided | null;
  mark(what: string): void;
}

const KEYS = 20;
const VALUE_BYTES_MAX = 400;
const REFUSED = 0.6;
/** So long a state may take, in turns. */
const TURNS_MAX = 6;

export class DiskDrafts {
  readonly #life: DraftLife;
  readonly #process: DraftingProcess;
  readonly #store: DiskStore;
  #draft: Draft | null = null;
  #turns = 0;
  #isTakenBack = false;
  /** Until the disk has let go of it. */
  #isBack = false;
  /** Of the log when the first was drafted. */
  #generation: number | undefined;

  constructor(life: DraftLife, process: DraftingProcess, store: DiskStore) {
    this.#life = life;
    this.#process = process;
    this.#store = store;
  }

  /** Nothing else is written meanwhile. */
  get isBusy(): boolean {
    return this.#draft !== null || this.#isBack;
  }

  /** What the store says is of another time. */
  get isBack(): boolean {
    return this.#isBack;
  }

  /** The log began in another generation, which no checkpoint makes count here: the life is over. */
  get isAstray(): boolean {
    const { generation } = this.#store;
    return this.#isTakenBack && generation?.generation !== this.#generation;
  }

  /** @returns whether it has */
  begin(): boolean {
    const { backlog, writer } = this.#process;
    const { random } = this.#life;
    // The first batch of a history says so, in a batch before it.
    if (writer.begins !== "") return false;
    this.#generation ??= this.#store.generation?.generation;
    const key = `draft${random.between(0, KEYS)}`;
    const valueBytes = random.between(0, VALUE_BYTES_MAX);
    const bytes = setBytes(key.length, valueBytes, 0);
    this.#draft = backlog.draft(1, RECORD_LENGTH_BYTES + bytes, (into, at) => {
      into.writeUInt32LE(bytes, at);
      const keyAt = encodeSetHead(into, at + RECORD_LENGTH_BYTES, key.length, 0);
      into.write(key, keyAt, "latin1");
      into.fill(random.between(0, 256), keyAt + key.length, at + RECORD_LENGTH_BYTES + bytes);
    });
    this.#turns = random.between(0, TURNS_MAX);
    const { end: offset, chain } = this.#draft;
    this.#life.undecided = { parent: writer.at, offset, chain };
    backlog.persistDraft();
    return true;
  }

  /** What comes next, if it is time. */
  step(): void {
    const { backlog } = this.#process;
    if (this.#isBack) {
      if (!this.#isTakenBack || this.isAstray || this.#store.durable < backlog.next) return;
      this.#isBack = this.#isTakenBack = false;
      this.#life.undecided = null;
      this.#life.mark("disk: draft taken back");
      return;
    }
    const draft = this.#draft;
    if (draft === null) return;
    const isThere = this.#store.written >= draft.end;
    if (!isThere && this.#store.trouble === null) return;
    if (this.#turns-- > 0) return;
    this.#draft = null;
    if (!isThere || this.#life.random.fraction() < REFUSED) this.#refuse();
    else this.#take(draft);
  }

  #refuse(): void {
    this.#isBack = true;
    this.#process.backlog.dropDraft(() => {
      this.#isTakenBack = true;
    });
  }

  #take(draft: Draft): void {
    const { backlog, held, writer } = this.#process;
    const { truth } = this.#life;
    held.store.applyRange(draft.bytes, draft.from + BATCH_HEAD_BYTES, draft.to);
    backlog.commitDraft();
    writer.pending.push({ tail: draft.end, digest: digestOf(this.#process) });
    truth.seal(writer, backlog);
    this.#life.undecided = null;
    this.#life.mark("disk: draft published");
  }
}
