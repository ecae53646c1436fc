/**
 * What an ACK changes. ACKs ahead of what was sent are protocol errors, as what is durable
 * and is not any more; ACKs behind are stale and change nothing but the clocks.
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import { WireError } from "../errors.ts";
import type { Ack } from "../wire/messages.ts";
import type { Link } from "./link.ts";

type StreamAck = Extract<Ack, { mode: "streaming" }>;
type RestoreAck = Extract<Ack, { mode: "restoring" }>;

/**
 * Applies an ACK to its link. Throws WireError ERR_WIRE_STATE when it claims the impossible.
 * @returns the replica streams after a ship that was not over: it has swapped; or a copy is whole
 */
export function acceptAck(link: Link, ack: Ack, nowMs: number): boolean {
  link.heartbeat.acknowledged(ack.echo, nowMs);
  if (ack.mode === "streaming") return acceptStreaming(link, ack, nowMs);
  acceptRestoring(link, ack, nowMs);
  return false;
}

function acceptRestoring(link: Link, ack: RestoreAck, nowMs: number): void {
  const ship = link.currentShip;
  // Why ignored: it may cross with the WELCOME of another ship.
  if (ship?.snapshot?.id !== ack.snapshotId) return;
  const before = ship.ackedChunk;
  if (!ship.acked(ack.nextChunk, ack.room))
    throw new WireError(
      "ERR_WIRE_STATE",
      `ACK of chunk ${ack.nextChunk}, sent up to ${ship.nextChunk}`,
    );
  if (ship.ackedChunk > before) link.movement.progressed(nowMs);
}

function acceptStreaming(link: Link, ack: StreamAck, nowMs: number): boolean {
  // To a copy END is all there is to acknowledge.
  if (link.isCopy) return link.ship?.state === "finishing";
  // A ship was begun meanwhile: its old position says nothing any more.
  if (link.state.kind !== "streaming") return false;
  const news = link.flow.acknowledged(ack.received, ack.applied, ack.room, ack.durable);
  if (news === "stale") return false;
  link.store?.confirmed(ack.durable);
  if (news === "moved") link.movement.progressed(nowMs);
  return link.state.finishing !== null;
}
