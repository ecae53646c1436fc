/** A verification's snapshot: closed when its own sum is there, however long replicas take. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { awaitTurn } from "../../../src/node/await-turn.ts";
import { Verifier } from "../../../src/node/verifier.ts";
import type { FrozenState } from "../../../src/store/state.ts";
import { Harness, id } from "../primary/feeder-harness.ts";

const OWN = { records: 1, sum: "00".repeat(8), buckets: new Uint32Array(512) };
const POSITION = { history: id(1), offset: 0, chain: 0 };

/** A frozen state that sums when it is told. */
class SlowState {
  closed = 0;
  readonly waiting: { readonly done: () => void; readonly fail: (error: Error) => void }[] = [];
  digest(): Promise<typeof OWN> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ done: () => resolve(OWN), fail: reject });
    });
  }
  close(): void {
    this.closed += 1;
  }
}

function verifying(timeoutMs: number) {
  const state = new SlowState();
  const harness = new Harness();
  const replica = harness.stream();
  const verifier = new Verifier((holds, ms) => awaitTurn(harness.turn, holds, ms));
  const freeze = (): FrozenState => state as unknown as FrozenState;
  const report = verifier.run(harness.feeder, POSITION, { freeze }, timeoutMs);
  return { state, harness, replica, verifier, report, closed: () => state.closed };
}

test("own sum done, a replica hangs => the snapshot is closed while the answer is waited for", async () => {
  const { state, harness, replica, verifier, report, closed } = verifying(60_000);
  let over = false;
  void report.then(() => (over = true));
  await turn();
  expect([closed(), over]).toEqual([0, false]);
  state.waiting[0]!.done();
  await turn();
  expect([closed(), over]).toEqual([1, false]);
  await harness.turns();
  const { verifyId } = replica.last("verify")!;
  verifier.onAnswer(replica.link, {
    type: "digest",
    verifyId,
    records: OWN.records,
    sum: OWN.sum,
    buckets: [...OWN.buckets],
  });
  harness.turn.end(harness.nowMs);
  expect((await report).replicas).toMatchObject([{ verdict: "equal", buckets: [] }]);
});

test("own sum fails => the snapshot is closed, and the error is told", async () => {
  const { state, report, closed } = verifying(60_000);
  const failed = expect(report).rejects.toThrow("as if");
  state.waiting[0]!.fail(new Error("as if"));
  await failed;
  expect(closed()).toBeGreaterThan(0);
});
