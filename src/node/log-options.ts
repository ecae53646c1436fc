/**
 * What a node's log is given: limits that settings change at any time, what stands behind it, who takes its
 * free memory.
 *
 * Owns: that object. Does not own: what the limits do (log/retention.ts), the settings.
 */
import type { BacklogOptions } from "../log/backlog.ts";
import type { SpareMemory } from "../log/log-memory.ts";
import type { LogStore } from "../log/log-store.ts";

/** Read whenever the log is trimmed. */
export interface LogSettings {
  readonly backlogBytes: number;
  readonly backlogTtlMs: number;
}

/** `store` is null for a log in memory alone. */
export function logOptions(
  settings: LogSettings,
  store: LogStore | null,
  spare: SpareMemory | null,
): BacklogOptions {
  return {
    get sizeBytes() {
      return settings.backlogBytes;
    },
    get ttlMs() {
      return settings.backlogTtlMs;
    },
    clock: Date.now,
    spare,
    ...(store === null ? {} : { store }),
  };
}
