/**
 * What happens on a node, as typed events for whoever embeds one: a few for each connection, sync and
 * role, none for each record.
 *
 *   a part of the node --> journal line --+--> the log (logger.ts)
 *                                         +--> the memory of events (event-log.ts)
 *                                         +--> FROM_LINE --> listeners, at the end of the turn
 *
 * The parts tell what happened once, as a line; FROM_LINE says which line is which event. Listeners are
 * called when the turn is over (emitter.ts).
 * Owns: the events, which line is which. Does not own: the lines (who writes them), listeners.
 * Tested in: test/unit/embed/events.test.ts, test/unit/embed/lag.test.ts.
 */
import type { Fields, Level } from "../primary/journal.ts";
import type { Id, Position } from "../wire/messages.ts";
import type { SessionStateName } from "./api.ts";
import type { CheckpointCause } from "./checkpointer.ts";

/** The events of a node by name, and what a listener is given. */
export interface NodeEvents {
  /** This node is a primary or a replica now; `upstream` is whom it follows, "" on a primary. */
  role: { readonly role: "primary" | "replica"; readonly upstream: string };
  /**
   * This node led, and somebody leads with a higher rank: it takes no writes any more. Ranks as "3.0"; `leader` is
   * where that one listens for replicas, "" when only a replica told of it.
   */
  fenced: { readonly rank: string; readonly byRank: string; readonly leader: string };
  /** A replica's connection to its upstream is in another state; `why` the last one ended, or "". */
  state: { readonly state: SessionStateName; readonly why: string };
  /** A replica has all that its upstream had said it has: once for each connection. */
  synced: { readonly position: Position };
  /**
   * A replica of this node is so far behind, in percent of the backlog (50 and 80 are told of), or 0: it
   * has caught up. `secondsLeft` until it falls off the backlog, at the present rates; -1 not to be said.
   */
  lag: {
    readonly replicaId: Id;
    readonly percent: number;
    readonly lagBytes: number;
    readonly secondsLeft: number;
  };
  /**
   * A full sync began, ended, or was given up: of the replica `replicaId` of this node, or, when that is
   * "", of this node itself. One that is cut and goes on begins again.
   */
  resync: {
    readonly change: "began" | "ended" | "given_up";
    readonly replicaId: Id;
    readonly why: string;
  };
  /** A replica is connected to this node and was welcomed, or its connection ended. */
  link: {
    readonly change: "attached" | "gone";
    readonly replicaId: Id;
    readonly remote: string;
    readonly why: string;
  };
  /** This node refused a replica, an upstream refused this node, or this node the upstream. */
  refused: { readonly by: "this_node" | "upstream"; readonly why: string };
  /**
   * A checkpoint of this node's state began, counts, or failed; `position` of the state in it, null when it
   * failed before it had one. `bytes` are an estimate while it begins, `ms` is 0 then; `why` it failed, or "".
   */
  checkpoint: {
    readonly change: "began" | "done" | "failed";
    readonly cause: CheckpointCause;
    readonly position: Position | null;
    readonly bytes: number;
    readonly ms: number;
    readonly why: string;
  };
  /** Something failed that should not: the log line of that name says more. */
  error: { readonly what: string; readonly why: string };
}

/** The name of an event. */
export type NodeEventName = keyof NodeEvents;

/** What it returns means nothing; a promise that rejects counts as a throw. */
export type NodeListener<Name extends NodeEventName> = (happened: NodeEvents[Name]) => unknown;

export type Emit = <Name extends NodeEventName>(name: Name, happened: NodeEvents[Name]) => void;

const CAUSES: Readonly<Record<string, CheckpointCause>> = {
  asked: "asked",
  generation: "generation",
  log: "log",
  stop: "stop",
};

/** Lines that are events; of the others those of level error are `error`. */
const FROM_LINE: Readonly<Record<string, (emit: Emit, fields: Fields) => void>> = {
  role_changed: (emit, { role, upstream }) =>
    emit("role", { role: role === "primary" ? role : "replica", upstream: text(upstream) }),
  fenced: (emit, { rank, by_rank, leader }) => {
    emit("role", { role: "replica", upstream: text(leader) });
    emit("fenced", { rank: text(rank), byRank: text(by_rank), leader: text(leader) });
  },
  restore_begins: (emit) => emit("resync", { change: "began", replicaId: "", why: "" }),
  restored: (emit) => emit("resync", { change: "ended", replicaId: "", why: "" }),
  ship_begins: (emit, { replica }) =>
    emit("resync", { change: "began", replicaId: text(replica), why: "" }),
  ship_done: (emit, { replica }) =>
    emit("resync", { change: "ended", replicaId: text(replica), why: "" }),
  sync_given_up: (emit, { replica, why }) =>
    emit("resync", { change: "given_up", replicaId: text(replica), why: text(why) }),
  replica_lags: (emit, { replica, percent_of_backlog, lag_bytes, seconds_left }) =>
    emit("lag", {
      replicaId: text(replica),
      percent: Number(percent_of_backlog),
      lagBytes: Number(lag_bytes),
      secondsLeft: Number(seconds_left),
    }),
  replica_caught_up: (emit, { replica, lag_bytes }) =>
    emit("lag", {
      replicaId: text(replica),
      percent: 0,
      lagBytes: Number(lag_bytes),
      secondsLeft: -1,
    }),
  link_welcomed: (emit, { replica, remote, decision }) =>
    emit("link", {
      change: "attached",
      replicaId: text(replica),
      remote: text(remote),
      why: text(decision),
    }),
  link_closed: (emit, { welcomed, reason, replica, remote, detail }) => {
    if (reason === "rejected") emit("refused", { by: "this_node", why: text(detail) });
    if (welcomed !== true) return;
    const why = `${text(reason)}: ${text(detail)}`;
    emit("link", { change: "gone", replicaId: text(replica), remote: text(remote), why });
  },
  upstream_lost: (emit, { why }) => {
    const said = /^rejected: (.*)$/s.exec(text(why));
    if (said !== null) emit("refused", { by: "upstream", why: said[1]! });
  },
  upstream_refused: (emit, { why }) => emit("refused", { by: "this_node", why: text(why) }),
  checkpoint_begins: (emit, fields) => emit("checkpoint", checkpointOf("began", fields)),
  checkpoint_done: (emit, fields) => emit("checkpoint", checkpointOf("done", fields)),
  checkpoint_failed: (emit, fields) => emit("checkpoint", checkpointOf("failed", fields)),
};

/** A journal line: what it is as an event is emitted. */
export function emitLine(emit: Emit, level: Level, event: string, fields: Fields): void {
  const row = FROM_LINE[event];
  if (row !== undefined) row(emit, fields);
  else if (level === "error")
    emit("error", { what: event, why: text(fields["why"] ?? fields["message"]) });
}

function checkpointOf(
  change: NodeEvents["checkpoint"]["change"],
  { cause, history, offset, chain, bytes, ms = 0, why }: Fields,
): NodeEvents["checkpoint"] {
  const position =
    offset === undefined
      ? null
      : { history: text(history), offset: Number(offset), chain: Number(chain) };
  // The line's own word (checkpointer.ts).
  const known = CAUSES[text(cause)] ?? "asked";
  return { change, cause: known, position, bytes: Number(bytes), ms: Number(ms), why: text(why) };
}

function text(value: string | number | boolean | undefined): string {
  return value === undefined ? "" : String(value);
}
