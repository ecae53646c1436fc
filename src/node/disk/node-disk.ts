/**
 * The data directory of a process's node: recovered into the state in slices of the loop, then the log
 * goes on in it.
 *
 *   open()   what is there -> recovery -> what the node is told -> a log file begins at the end, synced
 *            (on a node that reclaims under the name before: reclaiming.ts)
 *   stop()   all that was handed over is synced
 *
 * Owns: slices, progress, what the log says of a recovery, the threads beside the log. Does not own: the
 * lock (directory-lock.ts), recovery (disk-recovery.ts), what is handed over (log/disk/disk-store.ts).
 * Tested in: test/e2e/recovery.test.ts.
 */
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { DiskError } from "../../errors.ts";
import type { DiskTrouble } from "../../log/disk/disk-log-messages.ts";
import { DiskStore } from "../../log/disk/disk-store.ts";
import { generationName, generationNumbers } from "../../log/disk/generation-names.ts";
import type { LogName } from "../../log/history.ts";
import { logFileName } from "../../log/disk/log-file-names.ts";
import type { Manifest, Missing } from "../../log/disk/manifest.ts";
import { writeManifest } from "../../log/disk/manifest-file.ts";
import { oldestLog } from "../../log/disk/oldest-log.ts";
import type { FsyncPolicy } from "../../log/disk/sync-policy.ts";
import type { Watermarks } from "../../log/log-store.ts";
import type { Journal } from "../../primary/journal.ts";
import type { Threads } from "../../threads.ts";
import { chainStart } from "../../wire/frame.ts";
import { randomId } from "../../wire/id.ts";
import type { FoundLog, LogOnDisk, RecoveryStatus } from "../api.ts";
import type { NodeCore } from "../core.ts";
import type { LiveSettings } from "../options.ts";
import { askedBefore } from "../lead-round.ts";
import { recoverMarked } from "../marked-start.ts";
import { StoreCheckpoints } from "./checkpoint-disk.ts";
import { CheckpointThread } from "./checkpoint-thread.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import { tellFork, tellTrouble } from "./disk-lines.ts";
import { DiskReading, type KeepSettings } from "./disk-reading.ts";
import { DiskRecovery, type KeptPlace, type RecoveredNode, type Strayed } from "./disk-recovery.ts";
import type { Judged, Start } from "./disk-start.ts";
import { FsTree } from "./fs-folder.ts";
import { LogThread, type LogThreadEvents } from "./log-thread.ts";
import { anew, checkStrayed } from "./marked-log.ts";
import { planReclaim } from "./reclaim-plan.ts";
import { incompleteText, recoveryText } from "./recovery-text.ts";

/** The loop is held for so long, ms; then others have a turn. */
const SLICE_MS = 4;
/** Between two lines of progress in the log, ms. */
const TELL_MS = 2_000;
/** A log file has about so many bytes. */
const FILE_BYTES = 64 * 1024 * 1024;
/** A clock that is further back than this is told of, ms. */
const CLOCK_BACK_MS = 60_000;

export interface NodeDiskOptions {
  readonly dir: string;
  /** --fsync as it is now. */
  readonly policy: () => FsyncPolicy;
  /** --accept-loss. */
  readonly acceptLoss: boolean;
  /** --reclaim; below 0 when nobody said it. */
  readonly reclaimMs: number;
  /** --log-keep and the backlog as they are now. */
  readonly keep: KeepSettings;
  /** --checkpoint-rate as it is now. */
  readonly checkpointRate: () => number;
  readonly threads: Threads;
  /** The disk takes nothing, or has failed for good, or (null) is well again. */
  readonly onTrouble: (trouble: DiskTrouble | null) => void;
}

/** A state that keeps its own data. */
export interface KeptState extends KeptPlace {
  /** It has a mark from here on, if the node leads. */
  markLed(): Promise<void>;
}

/** The disk of a node with these settings; null without a directory, and with one that keeps no state. */
export function diskOf(
  settings: LiveSettings,
  threads: Threads,
  journal: Journal,
  onTrouble: NodeDiskOptions["onTrouble"],
): NodeDisk | null {
  const { dir, persist, acceptLoss, reclaimMs } = settings;
  if (dir === "" || persist !== "yes") return null;
  return new NodeDisk(
    {
      dir,
      threads,
      acceptLoss,
      reclaimMs,
      policy: () => settings.fsync,
      keep: settings,
      checkpointRate: () => settings.checkpointRate,
      onTrouble,
    },
    journal,
  );
}

export class NodeDisk {
  readonly store: DiskStore;
  /** The recovery under way; null before and after. */
  recovery: DiskRecovery | null = null;
  readonly #options: NodeDiskOptions;
  readonly #journal: Journal;
  readonly #tree: FsTree;
  readonly #reading: DiskReading;
  #core: NodeCore | null = null;
  #thread: LogThread | null = null;
  #startedAtMs = 0;
  #toldAtMs = 0;
  #onFree: () => void = () => undefined;
  #isStopped = false;
  #policy: FsyncPolicy;
  #isRef = true;
  #checkpoint: CheckpointThread | null = null;
  #found: FoundLog | null = null;
  #missing: Missing | null = null;
  #kept: KeptState | null = null;
  #strayed: Strayed | null = null;

  constructor(options: NodeDiskOptions, journal: Journal) {
    this.#options = options;
    this.#policy = options.policy();
    this.#journal = journal;
    this.#tree = new FsTree(options.dir);
    this.store = new DiskStore({
      name: () => this.#name(),
      onRestart: (offset) => {
        // Why not missing any more: the log is another one, which its generation has from its start.
        this.#missing = null;
        this.#core?.checkpointer?.replaced(offset);
      },
      onForkKept: (copy) => tellFork(this.#journal, copy),
      onTrouble: (trouble) => {
        tellTrouble(this.#journal, trouble, this.store);
        options.onTrouble(trouble);
      },
    });
    this.#reading = new DiskReading(this.store, options.dir, journal, options.threads);
  }

  /** --fsync may be another one. */
  settingsChanged(): void {
    const policy = this.#options.policy();
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.store.setPolicy(policy);
  }

  /** Whether its threads keep the process alive; they do at first. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    this.#thread?.setRef(isRef);
    this.#checkpoint?.setRef(isRef);
    this.#reading.setRef(isRef);
  }

  /** How it stands with the log. */
  logOnDisk(watermarks: Watermarks): LogOnDisk {
    const { trouble, timesBehind } = this.store;
    return {
      fsync: this.#options.policy(),
      watermarks,
      trouble: trouble?.message ?? "",
      timesBehind,
      found: this.#found,
      incompleteTo: this.#incompleteTo(watermarks.durable),
    };
  }

  /** As the manifest has it: what is durable again is not missing (log/disk/catalog.ts). */
  #incompleteTo(durable: number): number | null {
    const missing = this.#missing;
    if (missing === null || (missing !== "unknown" && durable >= missing)) return null;
    return missing === "unknown" ? -1 : missing;
  }

  get status(): RecoveryStatus | null {
    if (this.recovery === null) return null;
    return { startedAtMs: this.#startedAtMs, ...this.recovery.progress };
  }

  /**
   * The node has what is in the directory, and its log goes on there. `kept`: what the state has by itself,
   * when it keeps its own data.
   * @returns what was in it; null when it was stopped meanwhile
   * @throws {DiskError} naming the file, and what to do
   */
  async open(core: NodeCore, kept: KeptState | null = null): Promise<"nothing" | "whole" | null> {
    this.#core = core;
    this.#kept = kept;
    const directory = openDataDirectory(this.#tree, randomId);
    this.#thread = this.#bootThread();
    try {
      return await this.#open(core, directory, this.#thread);
    } catch (error) {
      await this.#thread.abandon();
      throw error;
    }
  }

  async #open(
    core: NodeCore,
    directory: DataDirectory,
    thread: LogThread,
  ): Promise<"nothing" | "whole" | null> {
    const found = directory.isNew ? null : await this.#recover(core, directory);
    if (this.#wasStopped()) return null;
    const start = this.#start(core, directory, found);
    // Why before the log: a start that finds a log and a state without a mark does not know the two together.
    await this.#kept?.markLed();
    if (this.#wasStopped()) return null;
    await this.#begin(core, thread, start.manifest, start.number);
    if (this.#wasStopped()) return null;
    core.roles.opened(start.holds);
    return start.holds;
  }

  /** What the node is told of what was found. */
  #start(core: NodeCore, { manifest }: DataDirectory, found: RecoveredNode | null): Start {
    const strayed = this.#strayed;
    if (strayed !== null) return this.#startStrayed(core, strayed);
    if (found === null) return this.#startWithoutLog(core, manifest);
    const { manifest: counts, plan } = this.#judge(found, core);
    const { nextNumber: number } = found;
    if (!found.hasState) {
      core.backlog.begin(0, chainStart(core.identity.history));
      core.roles.recoveredNothing();
      return { manifest: counts, number, holds: "nothing" };
    }
    const { rank, lineage, verdict } = found;
    const wasComplete = core.identity.wasComplete && verdict.kind === "whole";
    core.completeness.recovered(wasComplete, counts.incompleteTo);
    core.identity.isIntact = counts.incompleteTo === null;
    core.identity.adopt({ history: found.position.history, rank, lineage }, null);
    core.identity.recovered(found.sync);
    if (plan !== null) core.reclaim(plan);
    core.roles.recovered();
    return { manifest: counts, number, holds: "whole" };
  }

  /** @throws {DiskError} when it may not lead with what the state has */
  #startStrayed(core: NodeCore, strayed: Strayed): Start {
    const { now } = core.roles;
    const leads = now.kind === "recovering" && now.then.kind === "leading";
    checkStrayed(strayed, leads, this.#options.acceptLoss);
    const offset = this.#kept?.place?.offset ?? -1;
    this.#journal("warn", "log_begins_anew", { why: strayed.why, offset });
    const generations = generationNumbers(this.#tree);
    return this.#startWithoutLog(core, anew(strayed.manifest, generations));
  }

  /** The log begins where the state is, in a generation of `manifest`. */
  #startWithoutLog(core: NodeCore, manifest: Manifest): Start {
    const place = this.#kept?.place ?? null;
    if (place === null) {
      core.backlog.begin(0, chainStart(core.identity.history));
      core.roles.recoveredNothing();
    } else recoverMarked(core, place);
    return { manifest, number: 1, holds: place === null ? "nothing" : "whole" };
  }

  #wasStopped(): boolean {
    return this.#isStopped;
  }

  /** All that was handed over is on the disk then. @returns why it is not, else null */
  async stop(): Promise<DiskError | null> {
    this.#isStopped = true;
    this.#onFree();
    await this.#thread?.abandon();
    const failure = await new Promise<DiskError | null>((resolve) => {
      this.store.stop(resolve);
    });
    await this.#reading.stop();
    return failure;
  }

  /** Term 0 is of a log that nobody has led: its node never had a state. */
  #name(): LogName {
    const { history, rank, lineage } = this.#core!.identity;
    return { history, rank, lineage };
  }

  // --- recovery -----------------------------------------------------------------------------------

  async #recover(core: NodeCore, directory: DataDirectory): Promise<RecoveredNode | null> {
    this.#startedAtMs = Date.now();
    this.#toldAtMs = this.#startedAtMs;
    const recovery =
      (await this.#tryRecovery(core, directory, false)) ??
      (await this.#tryRecovery(core, directory, true))!;
    const { result } = recovery;
    this.#strayed = recovery.strayed;
    if (result !== null) this.#tell(result);
    return result;
  }

  /** Null: what it has to do without is a draft. Rejects with what cannot be recovered */
  async #tryRecovery(
    core: NodeCore,
    directory: DataDirectory,
    cutsDraft: boolean,
  ): Promise<DiskRecovery | null> {
    const recovery = new DiskRecovery({
      root: this.#tree.root,
      directory,
      state: core.state,
      log: core.backlog,
      onFree: () => this.#onFree(),
      kept: this.#kept,
      cutsDraft,
    });
    this.recovery = recovery;
    try {
      while (!(await this.#slice(recovery)));
      return recovery;
    } catch (error) {
      recovery.abandon();
      if (!cutsDraft && recovery.mayBeDraft(error)) return null;
      throw error;
    } finally {
      this.recovery = null;
    }
  }

  /** True when it is done, or nobody wants it any more. */
  async #slice(recovery: DiskRecovery): Promise<boolean> {
    if (this.#isStopped) {
      recovery.abandon();
      return true;
    }
    const untilMs = performance.now() + SLICE_MS;
    let step = recovery.step();
    while (step === "more" && performance.now() < untilMs) step = recovery.step();
    this.#tellProgress();
    if (step === "done") return true;
    await new Promise<void>((resolve) => {
      if (step === "waits") this.#onFree = resolve;
      else setImmediate(resolve);
    });
    return false;
  }

  /** What of the manifest counts now. @throws {DiskError} when this node is to lead and lacks something */
  #judge(found: RecoveredNode, core: NodeCore): Judged {
    const { incompleteTo, manifest, verdict, lastLog, position } = found;
    const { now } = core.roles;
    this.#missing = incompleteTo;
    const { reclaimMs } = this.#options;
    const { roles, identity, sources } = core;
    const plan = planReclaim(roles, identity, found, reclaimMs, askedBefore(core), sources);
    if (incompleteTo === null) return { manifest, plan };
    const file = logFileName(Math.max(lastLog, 1));
    const text = incompleteText(file, verdict);
    this.#journal("error", "log_incomplete", { why: text });
    if (now.kind !== "recovering" || now.then.kind !== "leading") return { manifest, plan };
    if (!this.#options.acceptLoss) {
      if (plan === null) throw new DiskError("ERR_DISK_DAMAGED", text);
      return { manifest, plan };
    }
    const whole = { ...manifest, incompleteTo: null };
    writeManifest(this.#tree.root, whole);
    this.#missing = null;
    this.#journal("warn", "loss_accepted", { offset: position.offset, file });
    // What is accepted as lost is not missing any more; all are waited for, who may have some of it.
    return { manifest: whole, plan: plan === null ? null : { ...plan, refusalOf: () => null } };
  }

  // --- what the log says --------------------------------------------------------------------------

  #tellProgress(): void {
    const nowMs = Date.now();
    const { status } = this;
    if (status === null || nowMs - this.#toldAtMs < TELL_MS) return;
    this.#toldAtMs = nowMs;
    this.#journal("info", "recovering", { progress: recoveryText(status, nowMs) });
  }

  #tell(found: RecoveredNode): void {
    const { verdict, repair, position, checkpoint, damaged, differing, lastLog } = found;
    const { records, replayed } = found;
    for (const why of damaged) this.#journal("error", "checkpoint_damaged", { why });
    for (const why of differing) this.#journal("error", "node_batch_differs", { why });
    if (repair.cutBytes > 0)
      this.#journal("warn", "log_cut", {
        file: logFileName(lastLog),
        offset: verdict.end,
        kind: verdict.reason,
        verdict: verdict.kind,
        cut_bytes: repair.cutBytes,
        copied_bytes: repair.copiedBytes,
        files_aside: repair.filesAside,
      });
    this.#tellClock();
    const ms = Date.now() - this.#startedAtMs;
    this.#found = { replayed, cutBytes: repair.cutBytes, ms };
    this.#journal("info", "recovered", {
      records,
      replayed,
      history: position.history,
      offset: position.offset,
      checkpoint: checkpoint?.position.offset ?? -1,
      clean: verdict.clean,
      ms,
    });
  }

  #tellClock(): void {
    const aheadMs = this.#core!.backlog.newestClockMs - Date.now();
    if (aheadMs > CLOCK_BACK_MS) this.#journal("warn", "clock_behind_log", { ms: aheadMs });
  }

  // --- the log goes on ----------------------------------------------------------------------------

  #bootThread(): LogThread {
    const { store } = this;
    const { dir, threads } = this.#options;
    const events: LogThreadEvents = {
      heard: (message) => {
        store.hear(message);
      },
      looked: () => {
        store.looked();
      },
    };
    return new LogThread(dir, events, threads);
  }

  async #begin(
    core: NodeCore,
    thread: LogThread,
    manifest: Manifest,
    number: number,
  ): Promise<void> {
    if (this.#isStopped) return;
    const policy = (this.#policy = this.#options.policy());
    const { store } = this;
    const { position } = core;
    const name = this.#name();
    thread.start({ manifest, number, position, name, fileBytes: FILE_BYTES, policy });
    thread.setRef(this.#isRef);
    const folder = this.#tree.folder(generationName(manifest.generation));
    const oldest = oldestLog(folder, manifest, number, position.offset);
    store.begin(thread, position.offset, this.#reading.back(manifest.directoryId, oldest));
    await thread.begun;
    if (!this.#wasStopped()) this.#makeCheckpoints(core, manifest, oldest.offset);
  }

  // --- checkpoints --------------------------------------------------------------------------------

  #makeCheckpoints(core: NodeCore, manifest: Manifest, since: number): void {
    const pathOf = (generation: number): string =>
      join(this.#options.dir, generationName(generation));
    const { threads } = this.#options;
    const disk = new StoreCheckpoints(
      this.store,
      pathOf,
      () => this.reviewKept(),
      (data, events) => {
        this.#checkpoint = new CheckpointThread(data, events, threads);
        this.#checkpoint.setRef(this.#isRef);
        return this.#checkpoint;
      },
    );
    const newest = manifest.checkpoints[0] ?? null;
    this.reviewKept();
    core.makeCheckpointer(disk, this.#options.checkpointRate, newest, since).start();
  }

  /** What replicas need of the log is told before log files may go: a checkpoint lets them. */
  reviewKept(): void {
    const { feeder } = this.#core!;
    this.#reading.review(this.#options.keep, feeder.readingFrom);
  }
}
