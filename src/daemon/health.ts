/**
 * `hawser status --check`: whether all is as it should be with a node and with those that follow it, one
 * reason a line.
 *
 *   exit 0   nothing to say
 *   exit 1   degraded: it answers, and each line is a reason
 *   exit 2   down: it does not answer, or not as a node of this version does
 *
 * Owns: the reasons, in the order in which they are told. Does not own: asking (status.ts), figures (node/status.ts).
 * Tested in: test/unit/daemon/health.test.ts.
 */
import { counted } from "./counted.ts";
import { escapeText } from "../node/logger.ts";
import { formatAddress } from "../net/address.ts";
import type { LinkStatus, NodeStatus } from "../node/api.ts";

export const CHECK_EXIT = { ok: 0, degraded: 1, down: 2 } as const;

/** A replica says something each second. */
const SILENT_MS = 5_000;

interface Check {
  /** The first word of its lines, and its name in the manual. */
  readonly name: string;
  /** What is wrong, a line each. */
  readonly of: (status: NodeStatus) => readonly string[];
}

const when = (holds: boolean, text: string): readonly string[] => (holds ? [text] : []);

/** Of the node itself, and of its way to the root: such a node is degraded, whatever its replicas are. */
const OWN: readonly Check[] = [
  {
    name: "fenced",
    of: ({ fenced }) => when(fenced !== "", `it is fenced: ${escapeText(fenced)}`),
  },
  {
    name: "recovering",
    of: ({ recovery }) => when(recovery !== null, "it recovers its state from the disk"),
  },
  {
    name: "disk",
    of: ({ disk }) =>
      disk === null || disk.trouble === "" ? [] : [`its disk: ${escapeText(disk.trouble)}`],
  },
  {
    name: "log",
    of: ({ disk }) =>
      when(
        disk !== null && disk.incompleteTo !== null,
        "its disk lost log that was synced, and it has not got it back yet",
      ),
  },
  {
    name: "upstream",
    of: ({ upstream }) =>
      upstream === null || upstream.state === "streaming"
        ? []
        : [`it does not stream from its upstream: ${upstream.state}`],
  },
  {
    name: "root",
    of: ({ upstream }) =>
      upstream?.state !== "streaming" || upstream.rootLink === "up"
        ? []
        : [`the root has been away for ${seconds(upstream.rootDownForMs)}`],
  },
];

/** And what else is not as it should be. */
const AROUND: readonly Check[] = [
  {
    name: "reclaiming",
    of: ({ reclaiming }) =>
      when(reclaiming !== "", `it does not lead yet: ${escapeText(reclaiming)}`),
  },
  {
    name: "failover",
    of: ({ failover }) =>
      when(failover !== "no-failover", `a planned failover goes on: ${escapeText(failover)}`),
  },
  {
    name: "members",
    of: ({ sync }) =>
      when(
        sync !== null && sync.leads && sync.goodMembers < sync.copies,
        `it refuses writes: good are ${counted(sync?.goodMembers ?? 0, "member")} besides it, and ${sync?.copies ?? 0} have to confirm`,
      ),
  },
  {
    name: "noreplicas",
    of: ({ near }) =>
      when(
        near.lacksReplicas,
        `it refuses writes: near is ${counted(near.goodReplicas, "replica")}, fewer than min-replicas-to-write`,
      ),
  },
  {
    name: "stale",
    of: ({ near }) =>
      when(
        near.isStale,
        `it refuses reads: ${near.staleMs < 0 ? "nobody knows how old its state is" : `its state may be ${near.staleMs} ms old`}`,
      ),
  },
  {
    name: "paced",
    of: ({ writePace }) =>
      when(writePace >= 0, `writers are held to ${writePace} bytes of log per second`),
  },
  { name: "replica", of: ({ links }) => links.flatMap(linkReasons) },
  {
    name: "parked",
    of: ({ parked }) => {
      // Of who only streamed the log is kept, without a snapshot.
      const count = parked.filter(({ snapshotId }) => snapshotId !== "").length;
      return when(count > 0, `${counted(count, "replica")} went away in the middle of a sync`);
    },
  },
  {
    name: "quarantined",
    of: ({ quarantined }) =>
      when(
        quarantined > 0,
        `${counted(quarantined, "replica")} may not try to sync again yet, after syncs that failed`,
      ),
  },
];

/** All names, in the order of the lines: the manual has each. */
export const CHECK_NAMES: readonly string[] = [...OWN, ...AROUND].map(({ name }) => name);

/** Why this node is not what it should be, "" when all is right: the first reason of its own. */
export function degradedBecause(status: NodeStatus): string {
  for (const { of } of OWN) {
    const [first] = of(status);
    if (first !== undefined) return first;
  }
  return "";
}

/** Every reason, `name: what` each; none when all is as it should be. */
export function reasonsOf(status: NodeStatus): readonly string[] {
  return [...OWN, ...AROUND].flatMap(({ name, of }) =>
    of(status).map((text) => `${name}: ${text}`),
  );
}

function linkReasons(link: LinkStatus): readonly string[] {
  const who = escapeText(formatAddress({ host: link.host, port: link.clientPort }));
  if (link.state !== "streaming") return [`${who} does not stream: ${link.state}`];
  const { lastAckAgoMs } = link;
  return when(lastAckAgoMs > SILENT_MS, `${who} has said nothing for ${seconds(lastAckAgoMs)}`);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
