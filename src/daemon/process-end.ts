/**
 * Ending the process at once.
 *
 * Why not process.exit() alone: it waits for threads that are inside a call of the system, and a name
 * look-up may be for 20 s. No signal is heard meanwhile. Then a signal to ourselves ends it.
 * Owns: that. Does not own: what has to be done before (main.ts).
 * Tested in: test/e2e/processes.test.ts, test/e2e/stopping.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** A look-up that is about to be answered is waited for: the exit code is the better end. */
const GRACE_MS = 1000;
/** Node does not say when its pool is idle, so it is asked. */
const LOOK_MS = 10;
/** Requests that a thread of the pool works on, as Node names them. */
const POOL_REQUEST = /^(GetAddrInfo|GetNameInfo|FSReq)/;

function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => POOL_REQUEST.test(name));
}

/** Waits for a moment, if that lets the process end with its exit code. */
export async function poolIdle(): Promise<void> {
  const untilMs = performance.now() + GRACE_MS;
  while (isPoolBusy() && performance.now() < untilMs) await sleep(LOOK_MS);
}

/** Ends the process: with `code`, or by SIGTERM when a thread would hold it up. */
export function endNow(code: number): never {
  if (isPoolBusy()) {
    process.removeAllListeners("SIGTERM");
    process.kill(process.pid, "SIGTERM");
  }
  // The first process of a container is spared by its own signals.
  process.exit(code);
}

/** Lets the process end by itself once all is written, or at once when a thread would hold it up. */
export function endAtLeisure(code: number): void {
  process.exitCode = code;
  if (isPoolBusy()) endNow(code);
}
