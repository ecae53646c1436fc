/**
 * Giving memory back when snapshots pin too much of it: one snapshot is dropped, with all that use
 * it, and only if that helps. A snapshot that pins nothing stays, and so does one whose release would not help: a
 * verification's snapshot is none of ours, and two that pin the same memory are no use one by one.
 *
 *   all of ours together would free less than is needed   nothing is dropped
 *   one alone frees what is needed                        that one; of several one that is only parked,
 *                                                         then one of copies, then the one with the
 *                                                         most to do
 *   else                                                  the one that frees most, one of copies if that
 *                                                         frees anything; then it is asked again
 *
 * The replica comes back at once: it has done nothing wrong.
 * Owns: the choice. Does not own: when (pacing.ts, the memory limit of the client port).
 */
import type { FeederDeps, Pinned } from "./deps.ts";
import type { Counters } from "./journal.ts";
import type { Link } from "./link.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { Parked, Parking } from "./parking.ts";

/** What giving memory back needs of the owner. */
export interface ReliefOwner {
  readonly deps: Pick<FeederDeps, "journal" | "source">;
  readonly counters: Counters;
  readonly links: readonly Link[];
  readonly parking: Parking;
  /** Ends a sync; its replica has to wait before the next one if the fault is its own. */
  giveUp(link: Link, why: string, nowMs: number, isItsFault?: boolean): void;
}

/** A snapshot and who uses it. */
interface Candidate {
  readonly snapshot: OpenSnapshot;
  readonly links: Link[];
  readonly parked: Parked[];
  /** Bytes that it alone would give back. */
  freesBytes: number;
}

/**
 * Lets go of one snapshot, if that is a way to get `neededBytes` back.
 * @returns whether it did
 */
export function relieve(
  owner: ReliefOwner,
  pinned: Pinned,
  neededBytes: number,
  nowMs: number,
): boolean {
  const candidates = candidatesOf(owner);
  if (candidates.length === 0) return false;
  const { source } = owner.deps;
  const all = candidates.map(({ snapshot }) => snapshot.frozen);
  if (source.reclaimableBytes(all) < Math.max(1, neededBytes)) return false;
  for (const each of candidates) each.freesBytes = source.reclaimableBytes([each.snapshot.frozen]);
  letGo(owner, choose(candidates, neededBytes), pinned, nowMs);
  return true;
}

function candidatesOf(owner: ReliefOwner): Candidate[] {
  const found = new Map<OpenSnapshot, Candidate>();
  const of = (snapshot: OpenSnapshot): Candidate => {
    const made = found.get(snapshot) ?? { snapshot, links: [], parked: [], freesBytes: 0 };
    found.set(snapshot, made);
    return made;
  };
  for (const place of owner.parking.list())
    if (place.snapshot !== null) of(place.snapshot).parked.push(place);
  for (const link of owner.links) {
    const snapshot = link.currentShip?.snapshot ?? null;
    if (snapshot !== null) of(snapshot).links.push(link);
  }
  return [...found.values()];
}

function choose(candidates: readonly Candidate[], neededBytes: number): Candidate {
  const enough = candidates.filter(({ freesBytes }) => freesBytes >= Math.max(1, neededBytes));
  const idle = enough.find(({ links }) => links.length === 0);
  if (idle !== undefined) return idle;
  const copied = enough.find(isOfCopies);
  if (copied !== undefined) return copied;
  if (enough.length > 0) return most(enough, ({ links }) => Math.max(...links.map(bytesLeft)));
  // Of equals the newest: what it pins the older ones pin too, and not the other way round.
  const newestFirst = candidates.toSorted((a, b) => b.snapshot.offset - a.snapshot.offset);
  const copies = newestFirst.filter((each) => isOfCopies(each) && each.freesBytes > 0);
  return most(copies.length > 0 ? copies : newestFirst, ({ freesBytes }) => freesBytes);
}

/** Nobody uses it that counts. */
function isOfCopies({ links, parked }: Candidate): boolean {
  return parked.length === 0 && links.every((link) => link.isCopy);
}

/** The first of those with the largest value. */
function most(candidates: readonly Candidate[], of: (each: Candidate) => number): Candidate {
  return candidates.reduce((best, each) => (of(each) > of(best) ? each : best));
}

function bytesLeft(link: Link): number {
  return link.ship?.bytesLeft(link.hold?.rate.chunkBytes ?? 1) ?? 0;
}

function letGo(owner: ReliefOwner, chosen: Candidate, pinned: Pinned, nowMs: number): void {
  owner.counters.bump("snapshots_dropped_for_memory");
  for (const { replicaId } of chosen.parked) {
    owner.parking.forget(replicaId);
    owner.deps.journal("warn", "parked_snapshot_dropped", {
      replica: replicaId,
      pinned_bytes: pinned.bytes,
      cap_bytes: pinned.capBytes,
      frees_bytes: chosen.freesBytes,
    });
  }
  const why = `its snapshot pins memory: ${pinned.bytes} bytes, ${pinned.capBytes} allowed`;
  for (const link of chosen.links) owner.giveUp(link, why, nowMs, false);
}
