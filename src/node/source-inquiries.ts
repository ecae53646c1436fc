/**
 * All sources of a seeding node asked side by side, each over a socket of its own, by client or
 * replication port.
 *
 * Owns: the connections of one round. Does not own: one question (replica/inquiry.ts), when (seeding.ts).
 * Tested in: test/e2e/seeding.test.ts.
 */
import { performance } from "node:perf_hooks";
import { Inquiry } from "../replica/inquiry.ts";
import { randomId } from "../wire/id.ts";
import type { Address } from "../net/address.ts";
import type { SeedAnswer } from "./seed-choice.ts";
import { CLIENT_PORT_PROBE } from "./target-probe.ts";
import { SessionSocket } from "./upstream-socket.ts";

/** A source that has not answered by then counts as unreachable in this round. */
const ANSWER_MS = 5_000;

/** Asks every source once; `done` is called once, within ANSWER_MS, in a later turn. */
export function askSources(
  sources: readonly Address[],
  password: string,
  done: (answers: readonly SeedAnswer[]) => void,
): void {
  const asked = sources.map((source) => askOne(source, password));
  void Promise.all(asked).then(done);
}

function askOne(source: Address, password: string): Promise<SeedAnswer> {
  return new Promise((resolve) => {
    const socket = new SessionSocket(() => source, CLIENT_PORT_PROBE);
    const inquiry = new Inquiry({
      shell: socket,
      password,
      randomId,
      timeoutMs: ANSWER_MS,
      onAnswer: (state, error) => {
        socket.close();
        resolve({ source, state, error });
      },
    });
    socket.attach(inquiry);
    inquiry.start(performance.now());
  });
}
