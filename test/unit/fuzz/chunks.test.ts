/** Damaged snapshot chunks under the loader: refused by its own error, and memory stays bounded. */
import { expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { Store } from "../../../src/store/store.ts";
import { Random } from "../../../tools/random.ts";
import * as model from "../store/model.ts";
import { corpus, trying } from "./corpus.ts";
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

/** Loads these chunks as a whole snapshot; @returns whether it was refused. */
function refuses(store: Store, chunks: readonly Buffer[], records: number): boolean {
  const staged = store.stage({ records, bytes: 0 });
  try {
    for (const bytes of chunks) staged.load(bytes, 0, bytes.length);
    staged.finish({ records });
    return false;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expect(error.code).toMatch(/^ERR_STORE_(CHUNK|FULL)$/);
    return true;
  } finally {
    staged.discard();
  }
}

test.each(corpus("chunks"))(
  "corpus: %s => as its name says, no memory left behind",
  (name, chunk) => {
    const store = new Store(model.TINY);
    expect(refuses(store, [chunk], 1)).toBe(name !== "one-record.hex");
    expect(store.stats().arenaSegments).toBe(new Store(model.TINY).stats().arenaSegments);
  },
);

test("damaged chunks => StoreError, or a state that holds only whole records", async () => {
  const random = new Random(1);
  const [one, two] = [payloads(1), payloads(2)];
  const store = new Store(model.TINY);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const victim = random.between(0, one.chunks.length);
    const bytes = damage(random, one.chunks[victim]!, random.pick(two.chunks));
    const chunks = one.chunks.with(victim, bytes);
    if (await trying("chunks", bytes, () => refuses(store, chunks, one.records))) refused += 1;
  }
  // Flips inside keys and values cannot be seen here: sums are compared before.
  expect(refused).toBeGreaterThan(ROUNDS / 2);
  expect(store.stats().arenaSegments).toBe(new Store(model.TINY).stats().arenaSegments);
});
