/**
 * How much one link is sent in one pump run, by state. Control frames go out only between batches.
 *
 *   streaming   slices of the log segment the cursor is in, up to budget, output cap and window;
 *               behind memory of blocks that the store of the log reads
 *   shipping    SNAPSHOT once, whole CHUNK frames up to the same and the ship window and rate, END
 *   waiting     heartbeats only
 *
 * Owns: the arithmetic of one link. Does not own: rotation over links (pump.ts), the window
 * (flow.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import type { Cursor } from "../log/cursor.ts";
import type { Link } from "./link.ts";
import type { Ship } from "./ship.ts";

/** What a feeding link needs from around it. */
export interface FeedContext {
  readonly nowMs: number;
  /** Says PING on the link, with the node's clocks. */
  ping(link: Link): void;
  /** Chunk bytes that the egress limit allows now. */
  shipTokens(): number;
  takeShipTokens(bytes: number): void;
  /** All chunks are out: says END, moves the link to the stream. */
  finishShip(link: Link, ship: Ship): void;
  /** Says SNAPSHOT. */
  beginShip(link: Link, ship: Ship): void;
  /** The stream goes on with what only the store of the log has: asks for it. */
  readLogStore(cursor: Cursor): void;
  /** The stream goes on where the log does not reach back any more. */
  fellBehind(link: Link): void;
  readonly counters: {
    streamBytes: number;
    /** Of those, what the store of the log had to read. */
    storedBytes: number;
    chunkBytes: number;
    chunks: number;
  };
}

/** Sends up to `budget` bytes; returns how many. One flush at the end. */
export function feed(link: Link, budget: number, context: FeedContext): number {
  let bytes = 0;
  if (link.state.kind === "shipping") bytes = feedShip(link, link.state.ship, budget, context);
  if (link.state.kind === "streaming")
    bytes += feedStream(link, link.state.cursor, budget - bytes, context);
  if (link.state.kind === "waiting") {
    if (link.heartbeat.isDue) context.ping(link);
    if (link.hasToSay) link.sayNow(context.nowMs);
  }
  if (!link.isClosed) link.out.flush();
  return bytes;
}

/** More could be sent at once if the budget allowed. */
export function hasMore(link: Link): boolean {
  if (link.output.bytes >= link.owner.options.outputCapBytes / 2) return false;
  if (link.state.kind === "streaming") {
    const { cursor } = link.state;
    const found = cursor.look();
    return found === "bytes" ? sendLimit(link, cursor) > link.flow.sent : found === "too_old";
  }
  return false;
}

function feedStream(link: Link, cursor: Cursor, budget: number, context: FeedContext): number {
  const { outputCapBytes } = link.owner.options;
  let left = Math.min(budget, outputCapBytes / 2 - link.output.bytes);
  let bytes = 0;
  while (left > 0) {
    const found = cursor.look();
    if (link.heartbeat.isDue && cursor.atBoundary) context.ping(link);
    if (link.mark !== null) link.sayMark(context.nowMs);
    if (link.hasToSay && cursor.atBoundary) link.sayNow(context.nowMs);
    if (found !== "bytes") {
      if (found === "not_in_memory") context.readLogStore(cursor);
      if (found === "too_old") context.fellBehind(link);
      break;
    }
    const slice = sliceBytes(link, cursor, Math.min(cursor.bytesHere, left));
    if (slice <= 0) break;
    if (cursor.isBehindMemory) context.counters.storedBytes += slice;
    sendSlice(link, cursor, slice, context.nowMs);
    bytes += slice;
    left -= slice;
  }
  context.counters.streamBytes += bytes;
  return bytes;
}

/** The next slice: within the window, up to a mark, and to a batch boundary when a PING is due. */
function sliceBytes(link: Link, cursor: Cursor, most: number): number {
  const end = link.mark?.position.offset ?? Number.POSITIVE_INFINITY;
  const slice = Math.min(most, sendLimit(link, cursor) - link.flow.sent, end - link.flow.sent);
  if (!link.heartbeat.isDue || slice <= 0) return slice;
  const cut = cursor.cutAtBoundary(cursor.at + slice) - cursor.at;
  return cut > 0 ? cut : slice;
}

function sendSlice(link: Link, cursor: Cursor, slice: number, nowMs: number): void {
  const { segment, at } = cursor;
  if (link.flow.isIdle) link.movement.progressed(nowMs);
  segment.retain();
  link.give(segment.bytes, at, at + slice, segment, nowMs);
  cursor.advance(slice);
  link.flow.gave(slice);
}

/** Log offset up to which may be sent. */
function sendLimit(link: Link, cursor: Cursor): number {
  return link.flow.limit(link.owner.options.windowBytes, cursor);
}

function feedShip(link: Link, ship: Ship, budget: number, context: FeedContext): number {
  if (link.heartbeat.isDue) context.ping(link);
  const { reading } = ship;
  if (ship.state !== "sending" || reading === null) return 0;
  if (!ship.isAnnounced) context.beginShip(link, ship);
  const { outputCapBytes } = link.owner.options;
  let bytes = 0;
  while (bytes < budget && link.output.bytes < outputCapBytes / 2) {
    if (!mayShip(link, ship) || context.shipTokens() <= 0) break;
    const held = reading.chunkFor(ship);
    if (held === null) break;
    const { from, to } = held;
    if (ship.inFlightBytes === 0) link.movement.progressed(context.nowMs);
    link.give(held.bytes, from, to, held, context.nowMs);
    ship.sent(held);
    context.takeShipTokens(to - from);
    bytes += to - from;
    context.counters.chunks += 1;
  }
  context.counters.chunkBytes += bytes;
  const { totals } = reading;
  // Why room: a replica that still reads what it kept cannot verify; it says when it is done.
  if (totals !== null && ship.nextChunk === totals.chunks && ship.room > 0)
    context.finishShip(link, ship);
  return bytes;
}

/** The ship window and the replica's room; one chunk is always admitted when none is in flight. */
function mayShip(link: Link, ship: Ship): boolean {
  if (ship.inFlightBytes === 0) return ship.room > 0;
  return ship.inFlightBytes < Math.min(ship.room, link.owner.options.shipWindowBytes);
}
