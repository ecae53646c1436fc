/**
 * The clocks of a link (D6): handshake, silence, stall, wait. One timeout for everything misfires
 * during long transfers; each of these watches one thing.
 *
 *   handshake    greeting or handshake for longer than handshakeMs
 *   silence      nothing received for silenceMs (replicas say ACK every second)
 *   stall        bytes wait, the socket took none and the replica received none for stallMs, or everything that was sent has
 *                been received (or a chunk is loaded) and nothing has moved for stallMs
 *   wait         the feeder did not get to the replica's offset within waitMs
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import type { CloseReason } from "./link-state.ts";
import type { Link } from "./link.ts";

export interface Late {
  readonly reason: CloseReason;
  readonly detail: string;
}

/** Why the link must end now, or null. */
export function judgeClocks(link: Link, nowMs: number): Late | null {
  const { options } = link.owner;
  const silentMs = nowMs - link.movement.receivedMs;
  const { state } = link;
  if (state.kind === "greeting" || state.kind === "handshake") {
    const sinceMs = nowMs - link.movement.connectedAtMs;
    return sinceMs < options.handshakeMs
      ? null
      : late("handshake_timeout", `no HELLO for ${Math.round(sinceMs)} ms`);
  }
  if (silentMs >= options.silenceMs)
    return late("silence", `nothing received for ${Math.round(silentMs)} ms`);
  if (link.output.bytes > 0) link.lookAtSocket(nowMs);
  // Why both: the kernel takes more only when a third of its buffer is free, which on a slow line
  // is a megabyte a minute; what arrives at the other end shows that bytes flow.
  const takenAgoMs = nowMs - Math.max(link.movement.takenMs, link.progressMs);
  if (link.output.bytes > 0 && takenAgoMs >= options.stallMs)
    return late("stall_socket", `${link.output.bytes} bytes wait for ${Math.round(takenAgoMs)} ms`);
  const movedAgoMs = nowMs - link.progressMs;
  if (owesProgress(link) && movedAgoMs >= options.stallMs)
    return late("stall_apply", `received and not applied for ${Math.round(movedAgoMs)} ms`);
  if (state.kind === "waiting" && nowMs - state.sinceMs >= options.waitMs)
    return late("wait_timeout", `this node did not reach ${state.offset}`);
  return null;
}

/** The replica has everything that was sent, and has not applied it. */
function owesProgress(link: Link): boolean {
  if (link.output.bytes > 0) return false;
  if (link.state.kind === "streaming")
    return link.received === link.sent && link.applied < link.sent;
  const { ship } = link;
  // After END nothing but its word is missing: a copy that does not give it would pin the snapshot.
  if (ship?.state === "finishing") return true;
  return ship?.state === "sending" && ship.inFlightBytes > 0;
}

function late(reason: CloseReason, detail: string): Late {
  return { reason, detail };
}
