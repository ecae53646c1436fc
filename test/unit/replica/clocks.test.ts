/** How long each state of a session may last. */
import { describe, expect, test } from "vitest";
import { lateBecause } from "../../../src/replica/clocks.ts";
import { SESSION_DEFAULTS } from "../../../src/replica/options.ts";

describe("clocks", () => {
  const { handshakeMs, silenceMs } = SESSION_DEFAULTS;
  const late = (state: Parameters<typeof lateBecause>[0], received: number, now: number) =>
    lateBecause(state, received, SESSION_DEFAULTS, now);

  test("dialling and handshake have one clock, an open connection another, waiting none", () => {
    const nonce = "0".repeat(32);
    expect(late({ kind: "connecting", sinceMs: 5 }, 0, handshakeMs + 4)).toBeNull();
    expect(late({ kind: "connecting", sinceMs: 5 }, 0, handshakeMs + 5)).toContain("connecting");
    expect(late({ kind: "handshake", sinceMs: 5, nonce }, 0, handshakeMs + 5)).toContain(
      "handshake",
    );
    expect(late({ kind: "streaming" }, 7, silenceMs + 6)).toBeNull();
    expect(late({ kind: "streaming" }, 7, silenceMs + 7)).toContain("nothing received");
    expect(late({ kind: "restoring", begin: null }, 7, silenceMs + 7)).toContain(
      "nothing received",
    );
    expect(late({ kind: "retrying", atMs: 0 }, 0, 1e9)).toBeNull();
  });
});
