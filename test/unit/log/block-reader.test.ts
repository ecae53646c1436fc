/** One block is sent while the next is read. */
import { expect, test } from "vitest";
import { BlockReader } from "../../../src/log/block-reader.ts";
import { FakeStore } from "./fake-store.ts";
import { batch, CHAIN_0, makeBacklog } from "./tools.ts";

function stored(): FakeStore {
  const store = new FakeStore(0, CHAIN_0, { blockBytes: 100 });
  const log = makeBacklog({ store });
  for (let n = 0; n < 3; n++) batch(log, 100, n);
  log.persist();
  return store;
}

test("read => asked once, told once; take => the block; readOn => the one after it", () => {
  const store = stored();
  const reader = new BlockReader(store, 0);
  let told = 0;
  const tell = () => (told += 1);
  expect(reader.take()).toBeNull();
  for (let n = 0; n < 3; n++) reader.read(tell);
  expect([store.reads, told]).toEqual([1, 0]);
  store.answer();
  expect([store.reads, told]).toEqual([1, 1]);
  reader.read(tell);
  expect(store.isAsked).toBe(false);
  const first = reader.take()!;
  expect([first.start, first.end, reader.take()]).toEqual([0, 100, null]);
  reader.readOn();
  store.answer();
  const second = reader.take()!;
  expect([second.start, told, reader.failed]).toEqual([100, 2, false]);
  first.release();
  second.release();
  expect(store.blocksOut).toBe(0);
});

test.each(["gone", "damaged"])("%s => failed, told, and not asked again", (how) => {
  const store = stored();
  if (how === "gone") store.drop(100);
  else store.flip(50);
  const reader = new BlockReader(store, 0);
  let told = 0;
  reader.read(() => (told += 1));
  store.answer();
  expect([reader.failed, told, reader.take()]).toEqual([true, 1, null]);
  reader.read(() => (told += 1));
  expect(store.isAsked).toBe(false);
});

test("closed while it reads, or with a block ready => nobody is told, no block is kept", () => {
  const store = stored();
  const fail = () => expect.unreachable("told after close()");
  const reading = new BlockReader(store, 0);
  reading.read(fail);
  reading.close();
  store.answer();
  const ready = new BlockReader(store, 0);
  ready.read(() => undefined);
  store.answer();
  expect(store.blocksOut).toBe(1);
  ready.close();
  expect(store.blocksOut).toBe(0);
});
