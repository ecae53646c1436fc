/**
 * Profiles: one word for what a network is like, several defaults. Every value can be set alone.
 *
 * lan is what option-table.ts has as defaults; the others say what they change.
 * Owns: values. Does not own: precedence (options.ts), meaning (option-table.ts).
 */

export type Profile = "lan" | "wan" | "edge";

export type ProfileOption =
  | "window"
  | "ship-window"
  | "ring-slots"
  | "chunk"
  | "silence"
  | "stall"
  | "handshake-timeout"
  | "backoff-max";

/** Options that a profile sets. */
export const PROFILE_OPTIONS: readonly ProfileOption[] = [
  "window",
  "ship-window",
  "ring-slots",
  "chunk",
  "silence",
  "stall",
  "handshake-timeout",
  "backoff-max",
];

export const PROFILES: Readonly<Record<Profile, Readonly<Record<ProfileOption, string>>>> = {
  lan: {
    window: "64mb",
    "ship-window": "4mb",
    "ring-slots": "16",
    chunk: "256kb",
    silence: "60s",
    stall: "30s",
    "handshake-timeout": "10s",
    "backoff-max": "15s",
  },
  // Long round trips: more in flight keeps them full; pauses of the path are no faults yet.
  wan: {
    window: "64mb",
    "ship-window": "32mb",
    "ring-slots": "16",
    chunk: "256kb",
    silence: "120s",
    stall: "60s",
    "handshake-timeout": "20s",
    "backoff-max": "30s",
  },
  // Thin, wireless, small machines: little memory, little lost by a cut, patience.
  edge: {
    window: "1mb",
    "ship-window": "1mb",
    "ring-slots": "8",
    chunk: "64kb",
    silence: "300s",
    stall: "120s",
    "handshake-timeout": "30s",
    "backoff-max": "60s",
  },
};

/** What the profile says about an option, if anything. */
export function profileValue(profile: Profile, name: string): string | undefined {
  return (PROFILES[profile] as Readonly<Record<string, string | undefined>>)[name];
}
