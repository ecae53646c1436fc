/**
 * Waiting for a condition, with a failure text that says what was seen last.
 *
 * Owns: polling. Does not own: what is waited for.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  /** What is waited for, as the failure text shall say it. */
  readonly what: string;
  /** Default 30 s: generous, because it is never what a test measures. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Seen state for the failure text; asked once, after the timeout. */
  readonly describe?: () => unknown;
}

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/**
 * Polls until `condition` gives something truthy, and returns it. A throw counts as "not yet".
 * @throws Error with `what`, the last value, the last error and what `describe` says
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Truthy<T>> {
  const { what, timeoutMs = 30_000, everyMs = 20 } = options;
  const startedAt = performance.now();
  let lastValue: unknown;
  let lastError: unknown = null;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      lastValue = value;
      lastError = null;
    } catch (error) {
      lastError = error;
    }
    const waited = performance.now() - startedAt;
    if (waited >= timeoutMs) {
      const parts = [`timed out after ${Math.round(waited)} ms waiting for: ${what}`];
      parts.push(
        lastError === null
          ? `last value: ${show(lastValue)}`
          : `last error: ${errorText(lastError)}`,
      );
      if (options.describe) parts.push(`seen: ${show(await attempt(options.describe))}`);
      throw new Error(parts.join("\n  "), { cause: lastError ?? undefined });
    }
    await sleep(everyMs);
  }
}

/** Resolves to `promise`, or rejects with a text that names `what`. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = 30_000): Promise<T> {
  const timer = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`timed out after ${timeoutMs} ms waiting for: ${what}`);
  });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    timer.abort();
  }
}

async function attempt(describe: () => unknown): Promise<unknown> {
  try {
    return await describe();
  } catch (error) {
    return `(could not be described: ${errorText(error)})`;
  }
}

/** Short text of anything, for failure messages. */
export function show(value: unknown): string {
  if (typeof value === "string") return value;
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" ? inner.toString() : inner,
  ) as string | undefined;
  if (text === undefined) return String(value);
  return text.length > 4000 ? `${text.slice(0, 4000)}... (${text.length} characters)` : text;
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
