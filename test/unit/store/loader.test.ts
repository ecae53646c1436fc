/** Chunks from a peer: what is refused, and that nothing is believed before it is checked. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants } from "./invariants.ts";
import * as m from "./model.ts";

const SLOT = 400;

/** Chunks of a store with small and large, timed and plain records. */
function chunks(): { payloads: Buffer[]; records: number; store: Store } {
  const store = new Store(m.TINY);
  for (let n = 0; n < 60; n++) {
    const bytes = m.setRecord(
      Buffer.from(`key${n}`),
      Buffer.alloc(n === 7 ? 1500 : n, n),
      n % 3 === 0 ? 0 : n,
    );
    store.apply(bytes, 0, bytes.length);
  }
  const snapshot = store.freeze();
  const { payloads, records } = m.readChunks(snapshot, SLOT);
  snapshot.close();
  return { payloads, records, store };
}

test("all chunks => the same content; finish with another count => ERR_STORE_CHUNK", () => {
  const { payloads, records, store } = chunks();
  const loaded = m.loadStore(payloads, records, m.TINY);
  m.expectSame(m.contentOf(loaded), m.contentOf(store));
  expect(loaded.stats().expires).toBe(store.stats().expires);
  checkInvariants(loaded);
  const staged = store.stage({ records, bytes: 0 });
  for (const payload of payloads) staged.load(payload, 0, payload.length);
  expect(() => staged.finish({ records: records + 1 })).toThrow("ERR_STORE_CHUNK");
  staged.discard();
});

test("a chunk cut anywhere => an error at once or at the end, never a read beyond", () => {
  const { payloads, records } = chunks();
  for (let n = 0; n < payloads.length; n++) {
    for (let cut = 0; cut < payloads[n]!.length; cut += 4) {
      const store = new Store(m.TINY);
      const staged = store.stage({ records, bytes: 0 });
      expect(() => {
        payloads.forEach((payload, i) => {
          // In the middle of other bytes, so that a read beyond would find some.
          const framed = Buffer.concat([Buffer.alloc(3, 1), payload, Buffer.alloc(300, 1)]);
          staged.load(framed, 3, 3 + (i === n ? cut : payload.length));
        });
        staged.finish({ records });
      }).toThrow(StoreError);
      staged.discard();
      staged.discard();
      checkInvariants(store);
    }
  }
});

test("any changed bytes => ERR_STORE_CHUNK or a consistent store, no other error", () => {
  const { payloads, records } = chunks();
  const all = Buffer.concat(payloads);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(all.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const bytes = Buffer.from(all);
        for (const [at, to] of changes) bytes[at] = to;
        const store = new Store(m.TINY);
        const staged = store.stage({ records, bytes: 0 });
        try {
          staged.load(bytes, 0, bytes.length);
          staged.finish({ records });
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
          expect((error as StoreError).code).toBe("ERR_STORE_CHUNK");
          staged.discard();
          return;
        }
        store.swap(staged);
        checkInvariants(store);
      },
    ),
    { numRuns: 1500 },
  );
});

test("a key twice, in one chunk or two => ERR_STORE_CHUNK", () => {
  const { payloads, records, store } = chunks();
  const staged = store.stage({ records, bytes: 0 });
  const first = payloads[0]!;
  const twice = Buffer.concat([first, first]);
  expect(() => staged.load(twice, 0, twice.length)).toThrow("a key that the snapshot had before");
  staged.discard();
  const again = store.stage({ records, bytes: 0 });
  again.load(first, 0, first.length);
  expect(() => again.load(first, 0, first.length)).toThrow("a key that the snapshot had before");
  again.discard();
});

test("an announced gigabyte => nothing is allocated for it", () => {
  const store = new Store();
  const staged = store.stage({ records: 2 ** 40, bytes: 2 ** 50 });
  expect(staged.usedBytes).toBeLessThan(20 * 1024 * 1024);
  staged.discard();
  expect(store.usedBytes).toBeLessThan(1024 * 1024);
});

test("swap of a staged store that is not finished, discarded or taken => refused", () => {
  const { payloads, records, store } = chunks();
  const fill = (): ReturnType<Store["stage"]> => {
    const staged = store.stage({ records, bytes: 0 });
    for (const payload of payloads) staged.load(payload, 0, payload.length);
    return staged;
  };
  const open = fill();
  expect(() => store.swap(open)).toThrow("swap of a staged store that is open");
  open.finish({ records });
  expect(() => open.load(payloads[0]!, 0, 10)).toThrow("ERR_STORE_CHUNK");
  store.swap(open);
  expect(() => store.swap(open)).toThrow("taken");
  open.discard(); // Of no effect: the store has it.
  expect(store.size).toBe(records);
  const gone = fill();
  gone.finish({ records });
  gone.discard();
  expect(() => store.swap(gone)).toThrow("discarded");
  checkInvariants(store);
});
