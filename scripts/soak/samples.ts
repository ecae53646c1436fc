/**
 * What a process uses, looked at in a calm: memory, handles, threads, and what replication keeps.
 *
 * Owns: one look at one process. Does not own: what is too much (flatness.ts).
 */
import { readdirSync } from "node:fs";
import type { Cluster } from "./cluster.ts";
import type { Life, Member } from "./member.ts";
import { megabytes, table } from "./tables.ts";

export interface Sample {
  readonly atSeconds: number;
  readonly name: string;
  readonly life: Life;
  readonly role: string;
  readonly residentBytes: number;
  readonly usedBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly handles: number;
  /** Connections of clients, of replicas, to the upstream. */
  readonly connections: number;
  readonly threads: number;
  readonly snapshots: number;
  readonly parked: number;
  readonly heldBytes: number;
  readonly pinnedBytes: number;
  /** Full syncs that it has swapped in. */
  readonly restored: number;
}

export async function sample(cluster: Cluster, atSeconds: number): Promise<Sample[]> {
  return Promise.all(cluster.members.map((member) => look(member, atSeconds)));
}

async function look(member: Member, atSeconds: number): Promise<Sample> {
  const { life } = member;
  const { daemon } = life;
  const info = await daemon.info();
  const status = await daemon.status();
  const upstream = status.upstream === null ? 0 : 1;
  return {
    atSeconds,
    name: daemon.name,
    life,
    role: status.role,
    residentBytes: await daemon.residentBytes(),
    usedBytes: info.number("used_memory"),
    heapBytes: info.number("used_memory_heap"),
    externalBytes: info.number("used_memory_external"),
    handles: readdirSync(`/proc/${daemon.pid}/fd`).length,
    connections: info.number("connected_clients") + status.links.length + upstream,
    threads: readdirSync(`/proc/${daemon.pid}/task`).length,
    snapshots: info.number("snapshots_open"),
    parked: status.parked.length,
    heldBytes: status.backlog.heldBytes,
    pinnedBytes: status.backlog.pinnedBytes,
    restored: info.counter("snapshots_restored"),
  };
}

const HEAD = [
  ...["process", "s", "role", "RSS MB", "state MB", "heap MB", "other MB", "handles", "conns"],
  ...["threads", "snapshots", "parked", "held MB", "pinned MB", "syncs"],
];

export function sampleTable(samples: readonly Sample[]): string {
  const inOrder = [...samples].sort(
    (a, b) => a.name.localeCompare(b.name) || a.atSeconds - b.atSeconds,
  );
  return table(
    HEAD,
    inOrder.map((one) => [
      one.name,
      one.atSeconds.toFixed(0),
      one.role,
      megabytes(one.residentBytes),
      megabytes(one.usedBytes),
      megabytes(one.heapBytes),
      megabytes(one.externalBytes),
      String(one.handles),
      String(one.connections),
      String(one.threads),
      String(one.snapshots),
      String(one.parked),
      megabytes(one.heldBytes),
      megabytes(one.pinnedBytes),
      String(one.restored),
    ]),
  );
}
