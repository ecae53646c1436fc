/**
 * A session's stream: batches into the log as they arrive, and from there into the state.
 *
 *   batchHead, batchBytes, batchEnd -> log (received) -> step(): records -> state, batch -> log (visible)
 *
 * Invariant: the state is the log up to `next` plus what of the batch after it is applied, unless it is
 * torn (apply.ts).
 * Owns: the chain of what was received, marks, batches that arrive damaged. Does not own: when an ACK
 * is due (ack-clock.ts), the connection (session.ts), applying them (apply.ts, run-applier.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import type * as m from "../wire/messages.ts";
import type { NodeRecord } from "../wire/node-record.ts";
import { Applier } from "./apply.ts";
import type { Applying } from "./applying.ts";
import { Damage } from "./damage.ts";
import type { SessionLife } from "./life.ts";
import { Mark } from "./mark.ts";
import { differenceOf } from "./node-batch.ts";
import { reportDamaged, reportNodeBatchDiffers } from "./reports.ts";
import { RunApplier, type RunEvents } from "./run-applier.ts";

export class Streaming {
  readonly applier: Applying;
  /** Chain at the end of the last completely received batch. */
  receivedChain: number;
  private readonly life: SessionLife;
  private readonly mark: Mark;
  private readonly damage = new Damage();

  constructor(life: SessionLife, later: Omit<RunEvents, "atBatch" | "stopAt" | "onNodeBatch">) {
    const { log, state, options, onVerify } = life.deps;
    this.life = life;
    this.mark = new Mark(onVerify);
    const atBatch = (): void => this.mark.look(log.next);
    const stopAt = (): number => this.mark.offset;
    this.applier =
      state.answers === "at once"
        ? new Applier(log, state, options, atBatch, this.onNodeBatch)
        : new RunApplier(log, state, life.calls!, options, {
            ...later,
            atBatch,
            stopAt,
            onNodeBatch: this.onNodeBatch,
          });
    this.receivedChain = log.chain;
  }

  private readonly onNodeBatch = (record: NodeRecord): void => {
    const { deps } = this.life;
    const why = differenceOf(record, deps.log, deps.node);
    if (why !== null) reportNodeBatchDiffers(deps, why);
    deps.node.onSyncRule(record.sync);
  };

  /** What HELLO asks for instead of the stream. */
  get shipWanted(): m.ShipWanted {
    return this.applier.torn ? "torn" : this.damage.shipWanted;
  }

  /** An upstream is followed from now on; `isSame`: the one that was followed before. */
  start(isSame: boolean): void {
    // What another has stored is its own.
    if (!isSame) this.damage.forget();
    this.applier.retry();
  }

  /** The log was written by others, or cut, or replaced. */
  resetToLog(): void {
    this.applier.reset();
    this.receivedChain = this.life.deps.log.chain;
  }

  /** A snapshot was swapped in at `offset`, and the log was reset to it. */
  swapped(offset: number): void {
    this.resetToLog();
    this.damage.passed(offset);
  }

  /** The state failed at something else than a batch, and may be anywhere. */
  tear(): void {
    this.applier.tear();
  }

  /** The connection is over. */
  leave(): void {
    this.mark.clear();
  }

  /** WELCOME: the stream goes on where the log ends, after so many bytes of the next batch. */
  begin(skipBytes: number): void {
    const { life } = this;
    const { log } = life.deps;
    const decoder = life.decoder!;
    life.move({ kind: "streaming" });
    // What the state refused may go now: each connection tries it once.
    this.applier.retry();
    decoder.expect(log.tail - log.partialBytes, this.receivedChain);
    if (skipBytes === 0) log.dropIncoming();
    else if (skipBytes === log.partialBytes)
      decoder.resumeBatch(log.bytes, log.partialAt, log.partialBytes);
    else throw new WireError("ERR_WIRE_BODY", `WELCOME skips ${skipBytes} bytes`);
  }

  batchHead(head: Buffer, at: number, length: number): void {
    const { state, deps } = this.life;
    if (state.kind !== "streaming")
      throw new WireError("ERR_WIRE_STATE", `a batch while ${state.kind}`);
    deps.log.receiveHead(head, at, length);
  }

  batchEnd(): void {
    const { deps, decoder } = this.life;
    deps.log.receiveEnd();
    this.receivedChain = decoder!.chain;
    this.damage.passed(decoder!.offset);
  }

  onVerify(message: m.Verify): void {
    const { kind } = this.life.state;
    if (kind !== "streaming") throw new WireError("ERR_WIRE_STATE", `a VERIFY while ${kind}`);
    this.mark.set(message);
  }

  /** What arrived breaks the protocol: perhaps the upstream has a batch that is damaged. */
  onWireFault(error: WireError): void {
    const { deps, state, decoder } = this.life;
    if (error.code === "ERR_WIRE_CHAIN") deps.log.dropIncoming();
    if (state.kind === "streaming" && this.damage.failed(decoder!.offset, error))
      reportDamaged(deps, this.damage.offset, error.message);
  }
}
