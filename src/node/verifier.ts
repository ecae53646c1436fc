/**
 * Verification: whether replicas hold exactly what the primary holds, at one position, while writes
 * go on.
 *
 *   primary   freeze at position p, VERIFY(p) into every stream after exactly p bytes
 *   replica   has applied exactly p: freeze, sum in the worker, DIGEST
 *   primary   its own sum, the answers side by side
 *
 * Owns: running verifications and their answers. Does not own: sums (store/state.ts).
 */
import { hostOf } from "../net/address.ts";
import { LIMITS } from "../limits.ts";
import type { Feeder } from "../primary/feeder.ts";
import type { Link } from "../primary/link.ts";
import type { Session } from "../replica/session.ts";
import type { Digest, FrozenState, StateSource } from "../store/state.ts";
import { randomId } from "../wire/id.ts";
import { printable } from "../wire/text.ts";
import type { DigestAnswer, Id, Position, Verify } from "../wire/messages.ts";

/** Buckets that fit into one DIGEST. */
const BUCKETS = 512;

/** Resolves when `holds()` or after `timeoutMs`; looked at when an answer came or a link ended. */
export type Until = (holds: () => boolean, timeoutMs: number) => Promise<unknown>;

export interface ReplicaVerdict {
  readonly replicaId: Id;
  readonly remote: string;
  readonly host: string;
  readonly clientPort: number;
  /** It proved that it knows the replication password. Where it did not, host and port are only what it says. */
  readonly authenticated: boolean;
  readonly verdict: "equal" | "differs" | "no_answer";
  readonly records: number;
  readonly sum: string;
  /** Numbers of the key buckets whose sums differ. */
  readonly buckets: readonly number[];
}

export interface VerifyReport {
  readonly position: Position;
  readonly seed: Id;
  readonly bucketCount: number;
  readonly records: number;
  readonly sum: string;
  readonly replicas: readonly ReplicaVerdict[];
}

export class Verifier {
  readonly #until: Until;
  /** Answers of the verification under way, by verify id and link. */
  readonly #answers = new Map<Id, Map<Link, DigestAnswer>>();
  /** Questions of the upstream that are being answered. */
  #answering = 0;

  constructor(until: Until) {
    this.#until = until;
  }

  /** A replica answered; answers nobody waits for are dropped. */
  onAnswer(link: Link, answer: DigestAnswer): void {
    this.#answers.get(answer.verifyId)?.set(link, answer);
  }

  /**
   * Compares all replicas with `state` as it is now, at `position`. Those that are
   * syncing are not asked and count as no answer.
   */
  async run(
    feeder: Feeder,
    position: Position,
    state: Pick<StateSource, "freeze">,
    timeoutMs: number,
  ): Promise<VerifyReport> {
    const message: Verify = {
      type: "verify",
      verifyId: randomId(),
      position,
      buckets: BUCKETS,
      seed: randomId(),
    };
    const got = new Map<Link, DigestAnswer>();
    this.#answers.set(message.verifyId, got);
    const frozen = state.freeze();
    const asked = feeder.verify(message);
    const connected = feeder.replicas;
    try {
      const own = await frozen.digest({ seed: message.seed, buckets: BUCKETS });
      // Why here: a replica that hangs must not pin memory that others' ships then have to give back.
      frozen.close();
      await this.#until(() => asked.every((link) => link.isClosed || got.has(link)), timeoutMs);
      const authenticated = feeder.options.replPassword !== "";
      const replicas = connected.map((link) => ({
        ...verdictOf(link, own, got.get(link)),
        authenticated,
      }));
      const { records, sum } = own;
      return { position, seed: message.seed, bucketCount: BUCKETS, records, sum, replicas };
    } finally {
      frozen.close();
      this.#answers.delete(message.verifyId);
    }
  }

  /** One more question may be answered: each pins a snapshot until it is. */
  get mayAnswer(): boolean {
    return this.#answering < LIMITS.verifiesMax;
  }

  /** The replica's side: `frozen` is the state at the message's position. */
  async answer(session: Session, message: Verify, frozen: FrozenState): Promise<void> {
    this.#answering += 1;
    try {
      const { seed, buckets } = message;
      const digest = await frozen.digest({ seed, buckets });
      session.answerVerify({
        type: "digest",
        verifyId: message.verifyId,
        records: digest.records,
        sum: digest.sum,
        buckets: [...digest.buckets],
      });
    } finally {
      this.#answering -= 1;
      frozen.close();
    }
  }
}

function verdictOf(
  link: Link,
  own: Digest,
  answer: DigestAnswer | undefined,
): Omit<ReplicaVerdict, "authenticated"> {
  const { hello } = link;
  const who = {
    replicaId: hello?.storeId ?? "",
    remote: link.remote,
    host: printable(hello?.address.host ?? "") || hostOf(link.remote),
    clientPort: hello?.address.clientPort ?? 0,
  };
  if (answer === undefined)
    return { ...who, verdict: "no_answer", records: -1, sum: "", buckets: [] };
  const { records, sum } = answer;
  const equal = sum === own.sum && records === own.records;
  const buckets: number[] = [];
  for (let i = 0; i < own.buckets.length; i++)
    if (own.buckets[i] !== answer.buckets[i]) buckets.push(i);
  return { ...who, verdict: equal ? "equal" : "differs", records, sum, buckets };
}
