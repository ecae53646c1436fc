/**
 * The clocks of a session (D6): dialling and handshake together, and silence while connected
 * (feeders say PING every second when they have nothing else to say).
 */
import type { SessionOptions } from "./options.ts";
import type { SessionState } from "./session-state.ts";

/** Why the connection must end now, or null. */
export function lateBecause(
  state: SessionState,
  lastReceivedMs: number,
  options: SessionOptions,
  nowMs: number,
): string | null {
  switch (state.kind) {
    case "connecting":
    case "handshake":
      return nowMs - state.sinceMs < options.handshakeMs
        ? null
        : `no answer for ${options.handshakeMs} ms (${state.kind})`;
    case "restoring":
    case "swapping":
    case "streaming":
      return nowMs - lastReceivedMs < options.silenceMs
        ? null
        : `nothing received for ${options.silenceMs} ms`;
    case "retrying":
    case "stopped":
      return null;
  }
}
