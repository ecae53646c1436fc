/**
 * Which files of a data directory count, while a node runs: the manifest, and what is removed by it.
 *
 *   call         in this order
 *   name         the manifest names a log file that has begun. It is the first call
 *   publish      rename the checkpoint; sync the folder; the manifest names it, synced; the third one goes
 *   retain       the manifest names the first log file that is still needed; then older ones are removed
 *   begin        a folder with a number above every other one. Its files do not count yet
 *   publish of   what the old one has behind the fork is copied; ... the manifest names the generation,
 *   its first      synced: from here on it counts; then the old folder is removed
 *   makeRoom     on a full disk, one step at each call: copies of what was cut off; log below the newest
 *                  checkpoint; the older checkpoint
 *
 * A crash at any point leaves files that the manifest names, whole, and perhaps others, which the next
 * start removes. What cannot be removed now is left to it.
 *
 * Pure but for a DiskTree. Owns: the manifest's file while the node runs. Does not own: writing log files
 * and checkpoints, which log files are needed (file-retention.ts), what a start makes of them.
 */
import assert from "node:assert/strict";
import { checkpointName } from "./checkpoint-writer.ts";
import { copyFork, type ForkCopy } from "./fork-copy.ts";
import { firstToKeep, type KeptFile, type RetentionNeeds } from "./file-retention.ts";
import { type DiskFolder, type DiskTree, leaveFailed } from "./files.ts";
import { generationName, generationNumbers } from "./generation-names.ts";
import { logFileName, logFileNumbers } from "./log-file-names.ts";
import { readLogHead } from "./log-head.ts";
import { ASIDE } from "./log-repair.ts";
import { CHECKPOINTS_MAX, type CheckpointEntry, type Manifest } from "./manifest.ts";
import { writeManifest } from "./manifest-file.ts";
import { QUARANTINE } from "./quarantine.ts";
import { keepReserve, withReserve } from "./reserve.ts";
import { UNFINISHED } from "./small-files.ts";

/** What retention needs to know besides the files. */
export type LogNeeds = Pick<RetentionNeeds, "end" | "keepBytes" | "reading">;

export class Catalog {
  readonly #tree: DiskTree;
  /** What the manifest says, or will once it is written. */
  #manifest: Manifest;
  /** The generation that the manifest on the disk names; 0 before there is one. */
  #named = 0;
  #folder: DiskFolder;
  /** From here on the generation that counts has log that nobody else has; -1 for none. */
  #fork = -1;
  /** Log files of the generation from `firstLog` on. */
  #files: KeptFile[] = [];

  /**
   * The manifest is written with the first log file that is named.
   * @param manifest of the generation that is written
   * @throws {DiskError} when the heads of its log files cannot be read
   */
  constructor(tree: DiskTree, manifest: Manifest) {
    this.#tree = tree;
    this.#manifest = manifest;
    this.#folder = tree.make(generationName(manifest.generation));
    for (const number of logFileNumbers(this.#folder, manifest.firstLog)) this.#learn(number);
  }

  /** What is written now. */
  get manifest(): Manifest {
    return this.#manifest;
  }

  /** Its folder. */
  get folder(): DiskFolder {
    return this.#folder;
  }

  /** A start would find the generation that is written now: before, nothing in it is durable. */
  get counts(): boolean {
    return this.#named === this.#manifest.generation;
  }

  /** Log files that can be read, oldest first. */
  get files(): readonly KeptFile[] {
    return this.#files;
  }

  // --- what is written ----------------------------------------------------------------------------

  /** A log file has its name, synced. @throws {DiskError} when the manifest cannot be written */
  name(number: number): void {
    this.#learn(number);
    const { lastLog } = this.#manifest;
    this.#change({ lastLog: Math.max(lastLog, number) });
  }

  /** The log is durable up to `durable`: what was missing below it is there again. @throws {DiskError} */
  closeGap(durable: number): void {
    const { incompleteTo } = this.#manifest;
    if (typeof incompleteTo === "number" && durable >= incompleteTo)
      this.#change({ incompleteTo: null });
  }

  /**
   * A checkpoint of this generation, whole and synced, counts from now on. The log is durable up to it.
   * `onFork` is told what is kept of the log that goes with the generation before, if some of it is nobody else's.
   * @throws {DiskError} then it does not count
   */
  publish(entry: CheckpointEntry, onFork: (copy: ForkCopy | null) => void = () => undefined): void {
    assert(this.#named > 0, "a checkpoint before the first log file has a name");
    const { checkpoints, lastLog } = this.#manifest;
    this.#learn(entry.log);
    const file = this.#files.find(({ number }) => number === entry.log);
    assert(file?.start === entry.position.offset, "a checkpoint where no log file begins");
    this.#nameCheckpoint(entry.log);
    // Why not two of one file: a checkpoint that is written again at the same end takes its place.
    const older = checkpoints.filter(({ log }) => log !== entry.log);
    if (!this.counts && this.#fork >= 0) onFork(this.#keepFork());
    this.#adopt({
      ...this.#manifest,
      lastLog: Math.max(lastLog, entry.log),
      checkpoints: [entry, ...older].slice(0, CHECKPOINTS_MAX),
    });
    for (const { log } of older.slice(CHECKPOINTS_MAX - 1)) this.#remove(checkpointName(log));
  }

  /**
   * A generation that takes the place of this one with its first checkpoint; its log files begin with
   * number `firstLog`. What the generation that counts has from `fork` on (-1: nothing) is nobody else's.
   * @throws {DiskError} then it may be asked for again
   */
  begin(firstLog: number, fork = -1): void {
    assert(this.#named > 0, "two generations without a manifest would be nobody's");
    const { generation, directoryId } = this.#manifest;
    const next = Math.max(generation, ...generationNumbers(this.#tree)) + 1;
    const folder = this.#tree.make(generationName(next));
    // Another that did not count yet: what the one that does is left by stays what it was.
    if (this.counts) this.#fork = fork;
    else this.#removeGeneration(generation);
    this.#folder = folder;
    this.#files = [];
    this.#manifest = {
      directoryId,
      generation: next,
      firstLog,
      lastLog: 0,
      checkpoints: [],
      incompleteTo: null,
    };
  }

  /** Before the manifest names the generation that takes its place: a crash in here does it again. */
  #keepFork(): ForkCopy | null {
    const fork = this.#fork;
    this.#fork = -1;
    const generation = this.#named;
    const { directoryId } = this.#manifest;
    const folder = this.#tree.folder(generationName(generation));
    return copyFork(folder, this.#tree.make(QUARANTINE), { directoryId, generation }, fork);
  }

  // --- what goes ----------------------------------------------------------------------------------

  /** Removes log files that nobody needs. @returns whether one went. @throws {DiskError} */
  retain(needs: LogNeeds, isDiskFull = false): boolean {
    const { firstLog, checkpoints } = this.#manifest;
    if (!this.counts || this.#files.length === 0) return false;
    const first = firstToKeep({
      ...needs,
      isDiskFull,
      files: this.#files,
      checkpoints: checkpoints.map(({ log }) => log),
    });
    if (first <= Math.max(firstLog, this.#files[0]!.number)) return false;
    this.#change({ firstLog: first });
    const gone = this.#files.filter(({ number }) => number < first);
    this.#files = this.#files.filter(({ number }) => number >= first);
    for (const { number } of gone) this.#remove(logFileName(number));
    return gone.length > 0;
  }

  /** The disk is full: something goes. @returns false when there is nothing that may. @throws {DiskError} */
  makeRoom(needs: LogNeeds): boolean {
    return this.#dropCopies() || this.retain(needs, true) || this.#dropOlderCheckpoint();
  }

  /** There is a reserve for the next time, as far as there is room. @throws {DiskError} */
  keepRoom(): void {
    keepReserve(this.#tree.root);
  }

  #dropCopies(): boolean {
    const copies = this.#tree.folders().includes(QUARANTINE) ? this.#tree.folder(QUARANTINE) : null;
    const copied = copies?.list() ?? [];
    const aside = this.#folder.list().filter((name) => name.endsWith(ASIDE));
    for (const name of copied) copies!.remove(name);
    for (const name of aside) this.#folder.remove(name);
    return copied.length + aside.length > 0;
  }

  #dropOlderCheckpoint(): boolean {
    const [newest, older] = this.#manifest.checkpoints;
    if (newest === undefined || older === undefined) return false;
    this.#change({ checkpoints: [newest] });
    this.#remove(checkpointName(older.log));
    return true;
  }

  // --- the manifest -------------------------------------------------------------------------------

  /** A generation that does not count yet is written down when it does. */
  #change(change: Partial<Manifest>): void {
    const changed = { ...this.#manifest, ...change };
    if (this.counts || this.#named === 0) this.#adopt(changed);
    else this.#manifest = changed;
  }

  #adopt(manifest: Manifest): void {
    withReserve(this.#tree.root, () => {
      writeManifest(this.#tree.root, manifest);
    });
    const old = this.#named;
    this.#manifest = manifest;
    this.#named = manifest.generation;
    if (old !== 0 && old !== manifest.generation) this.#removeGeneration(old);
  }

  #nameCheckpoint(log: number): void {
    const name = checkpointName(log);
    this.#folder.rename(name + UNFINISHED, name);
    this.#folder.sync();
  }

  /** Where a log file begins: its head says so. */
  #learn(number: number): void {
    if (this.#files.some((file) => file.number === number)) return;
    const { directoryId, generation } = this.#manifest;
    const file = this.#folder.open(logFileName(number));
    try {
      const read = readLogHead(file, number, { directoryId, generation });
      // A damaged one below the used checkpoint is no reason not to go on: nobody reads it.
      if (read !== null) this.#files.push({ number, start: read.head.start.offset });
    } finally {
      file.close();
    }
  }

  #remove(name: string): void {
    leaveFailed(() => {
      this.#folder.remove(name);
    });
  }

  #removeGeneration(generation: number): void {
    leaveFailed(() => {
      this.#tree.removeFolder(generationName(generation));
    });
  }
}
