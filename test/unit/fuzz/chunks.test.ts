/** Damaged snapshot chunks under the loader: refused by its own error, and memory stays bounded. */
import { expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { Store } from "../../../src/store/store.ts";
import { Random } from "../../tools/random.ts";
import * as model from "../store/model.ts";
import { damage } from "./tools.ts";

const ROUNDS = 3_000;

function payloads(seed: number): { chunks: Buffer[]; records: number } {
  const random = new Random(seed);
  const store = new Store(model.TINY);
  for (let n = 0; n < 40; n++) {
    const value = random.bytes(random.pick([0, 5, 40, 900]));
    const bytes = model.setRecord(Buffer.from(`key${n}`), value, n % 3);
    store.apply(bytes, 0, bytes.length);
  }
  const snapshot = store.freeze();
  const { payloads: chunks, records } = model.readChunks(snapshot, 400);
  snapshot.close();
  return { chunks, records };
}

test("damaged chunks => StoreError, or a state that holds only whole records", () => {
  const random = new Random(1);
  const [one, two] = [payloads(1), payloads(2)];
  const store = new Store(model.TINY);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const staged = store.stage({ records: one.records, bytes: 0 });
    const victim = random.between(0, one.chunks.length);
    try {
      one.chunks.forEach((chunk, n) => {
        const bytes = n === victim ? damage(random, chunk, random.pick(two.chunks)) : chunk;
        staged.load(bytes, 0, bytes.length);
      });
      staged.finish({ records: one.records });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      expect(error.code).toMatch(/^ERR_STORE_(CHUNK|FULL)$/);
      refused += 1;
    }
    staged.discard();
  }
  // Flips inside keys and values cannot be seen here: sums are compared before.
  expect(refused).toBeGreaterThan(ROUNDS / 2);
  expect(store.stats().arenaSegments).toBe(new Store(model.TINY).stats().arenaSegments);
});
