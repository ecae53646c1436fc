/** Where a replica is on its way from the handshake to the live stream: when a fault strikes. */
import type { Link } from "../../src/primary/link.ts";
import type { SimNode } from "./sim-node.ts";

export const PHASES = [
  "handshake",
  "first",
  "middle",
  "last",
  "swap",
  "catch_up",
  "live",
  "apart",
] as const;

/**
 * first, middle, last: chunks of a snapshot; last: END is out and not answered. swap: swapped in, and
 * the feeder does not know. apart: no connection.
 */
export type Phase = (typeof PHASES)[number];

/** The link that feeds this node now. */
export function linkOf(node: SimNode): Link | undefined {
  const above = node.world.node(node.upstream);
  return above?.feeder.links.find(
    (link) => link.welcomed && link.hello?.instanceId === node.identity.instanceId,
  );
}

export function phaseOf(node: SimNode): Phase {
  const { state, restore } = node.session;
  switch (state.kind) {
    case "handshake":
      return "handshake";
    case "restoring":
      if (restore === null || restore.nextChunk === 0) return "first";
      return linkOf(node)?.finishing == null ? "middle" : "last";
    case "swapping":
      return "swap";
    case "streaming": {
      const link = linkOf(node);
      if (link === undefined) return "live";
      if (link.finishing !== null) return "swap";
      const behind = node.backlog.next < node.session.root.upstreamNext;
      return behind || link.hold !== null ? "catch_up" : "live";
    }
    case "connecting":
    case "retrying":
    case "stopped":
      return "apart";
  }
}
