/**
 * All sources of a seeding node, all that followed one that reclaims, or all whom a leader tells that it leads:
 * asked side by side, each over a socket of its own, by client or replication port.
 *
 * Owns: the connections of one round. Does not own: one question (replica/inquiry.ts), when (seeding.ts,
 * reclaiming.ts, announcing.ts).
 * Tested in: test/e2e/seeding.test.ts.
 */
import { performance } from "node:perf_hooks";
import { Inquiry, type Said } from "../replica/inquiry.ts";
import { randomId } from "../wire/id.ts";
import type { Address } from "../net/address.ts";
import type { SeedAnswer } from "./seed-choice.ts";
import { CLIENT_PORT_PROBE } from "./target-probe.ts";
import { SessionSocket } from "./upstream-socket.ts";

/** Asks every source once; `done` is called once, within `withinMs`, in a later turn. */
export function askSources(
  sources: readonly Address[],
  password: string,
  withinMs: number,
  done: (answers: readonly SeedAnswer[]) => void,
  announcement: Said | null = null,
): void {
  const asked = sources.map((source) => askOne(source, password, withinMs, announcement));
  void Promise.all(asked).then(done);
}

function askOne(
  source: Address,
  password: string,
  timeoutMs: number,
  announcement: Said | null,
): Promise<SeedAnswer> {
  return new Promise((resolve) => {
    const socket = new SessionSocket(() => source, CLIENT_PORT_PROBE);
    const inquiry = new Inquiry({
      shell: socket,
      password,
      randomId,
      timeoutMs,
      announcement,
      onAnswer: (state, error) => {
        socket.close();
        resolve({ source, state, error });
      },
    });
    socket.attach(inquiry);
    inquiry.start(performance.now());
  });
}
