/**
 * Settings by command, and what belongs to one: its default, its variable.
 *
 * Owns: these functions. Does not own: the table (settings.ts).
 * Tested in: test/unit/node/settings.test.ts.
 */
import { SETTINGS, type Profile, type Setting } from "./settings.ts";

/** Those of one command. */
export function settingsOf(command: "primary" | "replica"): readonly Setting[] {
  return SETTINGS.filter(({ of }) => of === "both" || of === command);
}

/** The default of a setting, as it would be written. */
export function defaultOf({ fallback, profiles }: Setting, profile: Profile): string {
  return profile === "lan" ? fallback : (profiles?.[profile] ?? fallback);
}

/** HAWSER_REPL_PORT of repl-port. */
export function variableOf(name: string): string {
  return `HAWSER_${name.replaceAll("-", "_").toUpperCase()}`;
}
