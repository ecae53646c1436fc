/**
 * What a session tells of its life: log lines with their figures, and the counters beside them.
 *
 * Owns: fields. Does not own: when something happened (session.ts).
 * Tested in: test/unit/replica/hostile-upstream.test.ts.
 */
import { lastWritten, rankText } from "../log/history.ts";
import type { SnapshotBegin, SnapshotEnd, Welcome } from "../wire/messages.ts";
import type { SessionDeps } from "./deps.ts";
import type { Restore } from "./restore.ts";

export function reportWelcomed({ journal, log }: SessionDeps, welcome: Welcome): void {
  journal("info", "welcomed", {
    decision: welcome.decision,
    upstream: welcome.nodeId,
    history: welcome.position.history,
    upstream_offset: welcome.position.offset,
    offset: log.tail,
    skip_bytes: welcome.skipBytes,
    discard_bytes: welcome.discardBytes,
  });
}

export function reportRestoreBegins({ journal }: SessionDeps, begin: SnapshotBegin): void {
  journal("info", "restore_begins", {
    snapshot: begin.snapshotId,
    offset: begin.position.offset,
    chunk: begin.firstChunk,
    records: begin.records,
    bytes: begin.bytes,
  });
}

export function reportRestored(
  { counters, journal }: SessionDeps,
  { begin, startedAtMs }: Restore,
  end: SnapshotEnd,
  nowMs: number,
): void {
  counters.bump("snapshots_restored");
  journal("info", "restored", {
    snapshot: end.snapshotId,
    offset: begin.position.offset,
    records: end.records,
    bytes: end.bytes,
    ms: Math.round(nowMs - startedAtMs),
  });
}

/** What this node has from `fork` on goes for what `begin` is of; -1: nothing does. */
export function reportFork(deps: SessionDeps, begin: SnapshotBegin, fork: number): void {
  if (fork < 0) return;
  const { counters, journal, log, node } = deps;
  const { history, rank, lineage } = node;
  const bytes = log.next - fork;
  const records = log.recordsFrom(fork);
  counters.bump("forks_discarded");
  counters.bump("fork_discarded_records", records);
  counters.bump("fork_discarded_bytes", bytes);
  journal("warn", "fork_discarded", {
    fork,
    records,
    bytes,
    history,
    rank: rankText(lastWritten({ history, rank, lineage, offset: log.next }).rank),
    by_history: begin.position.history,
    by_rank: rankText(begin.rank),
  });
}

/** The batch at `offset` arrives damaged again. */
export function reportDamaged(
  { counters, journal }: SessionDeps,
  offset: number,
  why: string,
): void {
  counters.bump("batches_damaged");
  journal("error", "batch_damaged", { offset, why });
}

/** The node batch at the log's end says something else of its history than the upstream did. */
export function reportNodeBatchDiffers({ counters, journal, log }: SessionDeps, why: string): void {
  counters.bump("node_batches_differ");
  journal("error", "node_batch_differs", { offset: log.next, why });
}

/**
 * Records of a batch were applied, and the next one cannot be: the log's end is not our state.
 * @returns the session's last error
 */
export function reportTorn({ counters, journal, log, onTorn }: SessionDeps, why: string): string {
  counters.bump("states_torn");
  journal("error", "state_torn", { offset: log.next, why });
  onTorn();
  return `${why}; the state is inside a batch, and only a snapshot can replace it`;
}
