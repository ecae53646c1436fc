/**
 * What a data directory has becomes the state of a node: the newest checkpoint that is whole, then the log
 * from there, through the receiving and applying of a replica; then the log is judged and repaired.
 *
 *   checkpoint ---- damaged: the older one, or the log from its start ----+
 *       |                                                                 |
 *       v   <-------------------------------------------------------------+
 *    replay --all files are read--> repair --> done
 *
 * A state that keeps its own data has no checkpoint: the log is replayed from its mark (log-from-mark.ts). One
 * without a mark that is empty is the log from its beginning. Where neither can be, `strayed` says why, and
 * there is no result.
 *
 *   the one batch behind the mark is refused      it is
 *   and the mark is exact (KeptPlace)             a draft that was not taken back: nobody was told of it. A
 *                                                 second recovery cuts it off (`cutsDraft`)
 *   else                                          an error, whenever it is tried
 *
 * In steps of a block or a slice, so that the loop is answerable meanwhile. A state that answers later
 * makes it wait; `onFree` is called when it can go on.
 *
 * Expiry is what it is on a replica: a key goes when the log says so. The clock of the newest batch comes
 * back with it (Backlog.newestClockMs).
 *
 * Pure but for DiskFolders. Owns: which checkpoint is used, what is written to the manifest meanwhile.
 * Does not own: the verdict and repairs (log/disk/), the role that comes next (node/role-moves.ts).
 */
import type { MarkedPlace } from "../../bridge/mark.ts";
import { DiskError, StoreError } from "../../errors.ts";
import { checkpointName } from "../../log/disk/checkpoint-writer.ts";
import { type DiskFile, type DiskFolder, leaveFailed } from "../../log/disk/files.ts";
import type { LogHead } from "../../log/disk/frames.ts";
import { type BatchSink, NO_SINK } from "../../log/disk/log-file-scan.ts";
import { logFileName, logFileNumbers } from "../../log/disk/log-file-names.ts";
import { readLogHead } from "../../log/disk/log-head.ts";
import { type BatchPlace, LogRecovery, type Recovered } from "../../log/disk/log-recovery.ts";
import type { Repair } from "../../log/disk/log-repair.ts";
import type { CheckpointEntry, Manifest, Missing } from "../../log/disk/manifest.ts";
import { writeManifest } from "../../log/disk/manifest-file.ts";
import { claimsOf, type LogStart, type Verdict } from "../../log/disk/verdict.ts";
import { type LogName, NO_RANK } from "../../log/history.ts";
import { StateCalls } from "../../replica/calls.ts";
import { differenceOf } from "../../replica/node-batch.ts";
import type { StateFormat, StateTarget } from "../../store/state.ts";
import {
  type Id,
  type Lineage,
  NO_SYNC,
  type Position,
  type Rank,
  type SnapshotBegin,
  type SyncState,
} from "../../wire/messages.ts";
import type { NodeRecord } from "../../wire/node-record.ts";
import { CheckpointLoad, type Step } from "./checkpoint-load.ts";
import { QUARANTINE_BYTES_MAX } from "../../log/disk/quarantine.ts";
import type { DataDirectory } from "./data-directory.ts";
import { type FoundMark, LogFromMark } from "./log-from-mark.ts";
import { LogReplay, type RecoveringLog } from "./log-replay.ts";

export interface DiskRecoveryParts {
  /** Where the manifest is. */
  readonly root: DiskFolder;
  readonly directory: DataDirectory;
  readonly state: StateTarget & StateFormat;
  readonly log: RecoveringLog;
  /** A state that answers later has: step() can go on. */
  readonly onFree: () => void;
  /** What a state has by itself; null when it is kept by checkpoints. */
  readonly kept?: KeptPlace | null;
  /** What is behind the mark is a draft that the state refuses: it is not applied, and cut off. */
  readonly cutsDraft?: boolean;
}

/** The place of a state that keeps its own data; null when it has no mark. */
export interface KeptPlace {
  readonly place: MarkedPlace | null;
  readonly empty: boolean;
  /** The state is where its mark says since the process ended: nothing that it answered is lost. */
  readonly isExact?: boolean;
}

/** Why a state and a log do not fit together. */
export interface Strayed {
  /** `unmarked`: there is data without a mark; `lost`: there is none, and the log has not its beginning. */
  readonly why: Exclude<FoundMark, "in"> | "unmarked" | "lost";
  /** There was a state once, by this log. */
  readonly hadState: boolean;
  /** Beyond the mark the log is missing that was synced. */
  readonly lacks: boolean;
  readonly manifest: Manifest;
}

/** What came back. */
export interface RecoveredNode {
  /** There is a state; else this node never had one. */
  readonly hasState: boolean;
  /** Where the log ends. */
  readonly position: Position;
  /** With which rank its history was led. */
  readonly rank: Rank;
  readonly lineage: Lineage;
  /** By whom writes are confirmed. */
  readonly sync: SyncState;
  /** Of the file to begin at the position. */
  readonly nextNumber: number;
  /** As it is on the disk now. */
  readonly manifest: Manifest;
  /** Up to where the log was proven, and is no more; null when nothing is missing. */
  readonly incompleteTo: Missing | null;
  readonly verdict: Verdict;
  readonly repair: Repair;
  /** Number of the log file that the log ends in; 0 for none. */
  readonly lastLog: number;
  /** The checkpoint that was used; null for the log from its start. */
  readonly checkpoint: CheckpointEntry | null;
  /** Checkpoints that are damaged, and why. */
  readonly damaged: readonly string[];
  /** In the checkpoint, and applied from the log. */
  readonly records: number;
  /** Node batches that say something else than the head of their file, and what. */
  readonly differing: readonly string[];
  /** Of those, from the log. */
  readonly replayed: number;
}

export interface RecoveryProgress {
  readonly totalBytes: number;
  readonly loadedBytes: number;
  readonly records: number;
}

export class DiskRecovery {
  result: RecoveredNode | null = null;
  /** Set instead of a result. */
  strayed: Strayed | null = null;
  readonly #parts: DiskRecoveryParts;
  readonly #calls: StateCalls | null;
  readonly #replay: LogReplay;
  /** Checkpoints that were not tried, newest first. */
  readonly #left: CheckpointEntry[];
  readonly #damaged: { readonly log: number; readonly why: string }[] = [];
  readonly #differing: string[] = [];
  #manifest: Manifest;
  #load: CheckpointLoad | null = null;
  #used: CheckpointEntry | null = null;
  /** How the one that was used begins. */
  #begun: SnapshotBegin | null = null;
  /** As the newest node batch says that was read; null before one was. */
  #sync: SyncState | null = null;
  #log: LogRecovery | null = null;
  /** For a state with a mark: what is before it is passed over. */
  #fromMark: LogFromMark | null = null;
  /** Number of the log file that was read first. */
  #firstRead = 0;
  #isRead = false;
  #totalBytes = 0;
  /** Of checkpoints that are over with. */
  #loadedBytes = 0;
  readonly #formerAnswer: ((error: Error | null) => void) | null;

  constructor(parts: DiskRecoveryParts) {
    const { state, log, onFree, directory } = parts;
    this.#parts = parts;
    this.#manifest = directory.manifest;
    this.#left = [...this.#manifest.checkpoints];
    this.#formerAnswer = state.answers === "later" ? state.onAnswer : null;
    // Nothing is frozen meanwhile: no rest between two calls.
    this.#calls =
      state.answers === "at once" ? null : new StateCalls(state, (run) => run(), onFree);
    this.#replay = new LogReplay(log, state, this.#calls, this.#onNodeBatch);
  }

  /** All that was read is applied before more is: the newest head is that of its file. */
  readonly #onNodeBatch = (record: NodeRecord): void => {
    const { start, rank, lineage } = this.#log!.head!;
    const name = { history: start.history, rank, lineage };
    const why = differenceOf(record, this.#parts.log, name);
    if (why !== null) this.#differing.push(why);
    this.#sync = record.sync;
  };

  /** Which log the batch is in that is applied now. */
  get name(): LogName | null {
    const head = this.#log?.head ?? null;
    if (head === null) return null;
    const { start, rank, lineage } = head;
    return { history: start.history, rank, lineage };
  }

  get progress(): RecoveryProgress {
    const loading = (this.#load?.readBytes ?? 0) + (this.#log?.readBytes ?? 0);
    return {
      totalBytes: this.#totalBytes,
      loadedBytes: Math.min(this.#totalBytes, this.#loadedBytes + loading),
      records: (this.#used?.records ?? 0) + this.#replay.records,
    };
  }

  /**
   * Does the next bit of it. @throws {DiskError} what cannot be recovered, naming the file; then it can be
   * tried again, with the same outcome
   * @throws {HawserError} what the state failed with
   */
  step(): Step {
    if (this.result !== null || this.strayed !== null) return "done";
    if (this.#log === null) return this.#stepCheckpoint();
    const applied = this.#replay.step();
    if (applied !== "done") return applied;
    if (!this.#isRead) {
      this.#isRead = !this.#log.step();
      return "more";
    }
    this.#replay.end();
    const { cutsDraft = false } = this.#parts;
    this.#conclude(this.#log, this.#log.finish(cutsDraft ? this.#draft : null));
    return "done";
  }

  /** What step() threw may be about a draft: `cutsDraft` may help. */
  mayBeDraft(error: unknown): boolean {
    const isRefusal = error instanceof StoreError && error.code === "ERR_STORE_REFUSED";
    return isRefusal && this.#parts.kept?.isExact === true && this.#fromMark?.count === 1;
  }

  /** @throws {DiskError} when more is behind the mark than a draft */
  get #draft(): BatchPlace {
    const { behind = null, count = 0 } = this.#fromMark ?? {};
    if (behind !== null && count === 1 && behind.file === this.#log!.files.done - 1) return behind;
    throw new DiskError(
      "ERR_DISK_DAMAGED",
      "dir: the state refuses what its log has behind its mark; nothing was changed",
    );
  }

  /** For one that is not done. */
  abandon(): void {
    this.#leaveState();
    this.#load?.abandon();
    this.#log?.abandon();
  }

  // --- the checkpoint -----------------------------------------------------------------------------

  #stepCheckpoint(): Step {
    const load = this.#load;
    if (load === null) {
      this.#chooseStart();
      return "more";
    }
    const step = load.step();
    if (step !== "done") return step;
    this.#loadedBytes += load.readBytes;
    this.#load = null;
    const entry = this.#left.shift()!;
    if (load.failure === null) {
      this.#begun = load.begun;
      this.#begin(entry);
    } else this.#damaged.push({ log: entry.log, why: load.failure.message });
    return "more";
  }

  #chooseStart(): void {
    const { folder } = this.#parts.directory;
    const { state, kept = null } = this.#parts;
    if (kept !== null) {
      this.#beginAt(kept);
      return;
    }
    const [entry] = this.#left;
    if (entry === undefined) {
      this.#begin(null);
      return;
    }
    this.#totalBytes = this.#loadedBytes + sizesFrom(folder, entry);
    try {
      this.#load = new CheckpointLoad(folder, entry, state, this.#calls);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#damaged.push({ log: entry.log, why: error.message });
      this.#left.shift();
    }
  }

  // --- a state that keeps its own data ------------------------------------------------------------

  #beginAt({ place, empty }: KeptPlace): void {
    if (place === null) {
      const head = this.#headOf(this.#manifest.firstLog);
      if (!empty) this.#stray("unmarked");
      else if (head === null || head.start.offset > 0) this.#stray("lost");
      else this.#begin(null);
      return;
    }
    const number = this.#fileOf(place.offset);
    const head = number === null ? null : this.#headOf(number);
    if (number === null || head === null) {
      this.#stray("before");
      return;
    }
    const sink = this.#parts.cutsDraft === true ? NO_SINK : this.#replay;
    const fileAt = (): LogRecovery["place"] => this.#log!.place;
    this.#fromMark = new LogFromMark(place, head.start.chain, sink, fileAt);
    this.#parts.log.begin(place.offset, place.chain);
    this.#read(number, head.start, this.#fromMark);
  }

  /** The log file that `offset` is in, if any is; of those whose head can be read. */
  #fileOf(offset: number): number | null {
    const numbers = logFileNumbers(this.#parts.directory.folder, this.#manifest.firstLog);
    const at = numbers.findLast((number) => {
      const head = this.#headOf(number);
      return head !== null && head.start.offset <= offset;
    });
    return at ?? null;
  }

  #stray(why: Strayed["why"], lacks = false): void {
    const numbers = logFileNumbers(this.#parts.directory.folder, this.#manifest.firstLog);
    const hadState = numbers.some((number) => (this.#headOf(number)?.rank.term ?? 1) > 0);
    this.#leaveState();
    this.strayed = { why, hadState, lacks, manifest: this.#manifest };
  }

  #conclude(log: LogRecovery, recovered: Recovered): void {
    const { end, chain, kind, proven } = recovered.verdict;
    const found = this.#fromMark?.found(end, chain, log.head) ?? "in";
    if (found === "in") this.result = this.#finish(log, recovered);
    else {
      const { offset } = this.#parts.kept!.place!;
      this.#stray(found, kind === "incomplete" && proven > offset);
    }
  }

  // --- the log ------------------------------------------------------------------------------------

  /** From a checkpoint on, or from where the log begins. */
  #begin(entry: CheckpointEntry | null): void {
    const start = entry?.position ?? this.#startOfLog();
    this.#used = entry;
    this.#parts.log.begin(start.offset, start.chain);
    this.#read(entry?.log ?? this.#manifest.firstLog, start, this.#replay);
  }

  /** Log files from number `first` on, which begins at `start`. */
  #read(first: number, start: LogStart, sink: BatchSink): void {
    const { folder, quarantine } = this.#parts.directory;
    const { directoryId, generation, checkpoints } = this.#manifest;
    this.#firstRead = first;
    if (this.#used === null) this.#totalBytes = this.#loadedBytes + sizesFrom(folder, null, first);
    this.#log = new LogRecovery({
      folder,
      quarantine,
      quarantineBytesMax: QUARANTINE_BYTES_MAX / 2,
      directoryId,
      generation,
      start,
      claims: claimsOf(this.#manifest, first),
      sink,
      rememberIncomplete: (to, end, last) => {
        const left = checkpoints.filter(({ position }) => position.offset <= end);
        this.#write({ ...this.#manifest, incompleteTo: to, lastLog: last, checkpoints: left });
      },
    });
  }

  /** Where the log begins that is the state from nothing. @throws {DiskError} when it is not there */
  #startOfLog(): { readonly offset: number; readonly chain: number } {
    const { firstLog } = this.#manifest;
    const head = this.#headOf(firstLog);
    if (head !== null && head.start.offset === 0) return head.start;
    const damaged = this.#damaged.map(({ why }) => why.replace(/^\w+: /, ""));
    const name = logFileName(firstLog);
    const why =
      head === null ? `${name} is missing, or its head is damaged` : `${name} is not the beginning`;
    throw new DiskError(
      "ERR_DISK_DAMAGED",
      `--dir: no whole checkpoint, and no log from its beginning (${[...damaged, why].join("; ")}); nothing was changed. Put the files back, or start with another --dir and take the state from a replica (--seed-from) or a backup`,
    );
  }

  #headOf(number: number): LogHead | null {
    const { folder } = this.#parts.directory;
    if (!folder.list().includes(logFileName(number))) return null;
    return withFile(folder, logFileName(number), (file) => {
      try {
        return readLogHead(file, number, this.#manifest)?.head ?? null;
      } catch (error) {
        if (error instanceof DiskError) return null;
        throw error;
      }
    });
  }

  // --- the end ------------------------------------------------------------------------------------

  #finish(log: LogRecovery, { verdict, repair, nextNumber }: Recovered): RecoveredNode {
    const isWhole = verdict.kind !== "incomplete";
    this.#tidyManifest(isWhole);
    this.#leaveState();
    const { head } = log;
    const used = this.#used;
    const begun = this.#begun;
    // Why the checkpoint's: the log files behind it may be gone.
    const { rank, lineage } = head ?? begun ?? { rank: NO_RANK, lineage: [] };
    const history: Id = head?.start.history ?? used!.position.history;
    return {
      hasState: rank.term > 0,
      position: { history, offset: verdict.end, chain: verdict.chain },
      rank,
      lineage,
      sync: this.#sync ?? begun?.sync ?? NO_SYNC,
      nextNumber,
      manifest: this.#manifest,
      incompleteTo: this.#manifest.incompleteTo,
      verdict,
      repair,
      lastLog: verdict.last < 0 ? 0 : this.#firstRead + verdict.last,
      checkpoint: used,
      damaged: this.#damaged.map(({ why }) => why),
      records: this.progress.records,
      differing: this.#differing,
      replayed: this.#replay.records,
    };
  }

  /** Its answers are another's again. */
  #leaveState(): void {
    if (this.#formerAnswer !== null && this.#parts.state.answers === "later")
      this.#parts.state.onAnswer = this.#formerAnswer;
  }

  /** What is whole again is not missing any more, and a damaged checkpoint is none. */
  #tidyManifest(isWhole: boolean): void {
    const before = this.#manifest;
    const damaged = new Set(this.#damaged.map((each) => each.log));
    const checkpoints = before.checkpoints.filter((entry) => !damaged.has(entry.log));
    const incompleteTo = isWhole ? null : before.incompleteTo;
    if (checkpoints.length === before.checkpoints.length && incompleteTo === before.incompleteTo)
      return;
    this.#write({ ...before, checkpoints, incompleteTo });
    for (const number of damaged) this.#removeCheckpoint(number);
  }

  #removeCheckpoint(number: number): void {
    // The next start removes what the manifest does not name.
    leaveFailed(() => this.#parts.directory.folder.remove(checkpointName(number)));
  }

  #write(manifest: Manifest): void {
    writeManifest(this.#parts.root, manifest);
    this.#manifest = manifest;
  }
}

/** Bytes that a recovery from a checkpoint, or from the log's beginning, reads. */
function sizesFrom(folder: DiskFolder, entry: CheckpointEntry | null, first = 0): number {
  const names = logFileNumbers(folder, entry?.log ?? first).map(logFileName);
  const sum = names.reduce((bytes, name) => bytes + withFile(folder, name, sizeOf), 0);
  return sum + (entry?.bytes ?? 0);
}

function sizeOf(file: DiskFile): number {
  return file.sizeBytes;
}

function withFile<T>(folder: DiskFolder, name: string, use: (file: DiskFile) => T): T {
  const file = folder.open(name);
  try {
    return use(file);
  } finally {
    file.close();
  }
}
