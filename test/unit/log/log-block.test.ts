/** A block: as a log segment, but for where it begins and ends. */
import { expect, test } from "vitest";
import { LogBlock } from "../../../src/log/log-block.ts";
import { BATCH_HEAD_BYTES } from "../../../src/wire/frame.ts";
import { batch, batchesFrom, makeBacklog } from "./tools.ts";

const log = makeBacklog();
batch(log, 200);
const [whole] = batchesFrom(log, 0);

test("a batch that goes on behind the block => its end, beyond the block", () => {
  const block = new LogBlock(whole!.subarray(0, 90), 500, { recycle: () => undefined });
  expect([block.start, block.end, block.batchEnd(0)]).toEqual([500, 590, 200]);
  expect(() => block.batchEnd(90 - BATCH_HEAD_BYTES + 1)).toThrow(/ends inside a head/);
});

test("nobody reads it any more => its memory goes back, once", () => {
  const back: number[] = [];
  const bytes = Buffer.from(whole!);
  const block = new LogBlock(bytes, 0, { recycle: (memory) => void back.push(memory.length) });
  block.retain();
  block.retain();
  block.release();
  expect(back).toEqual([]);
  block.release();
  expect(back).toEqual([200]);
});

test("empty => a place without bytes", () => {
  const block = LogBlock.empty(700);
  block.retain();
  expect([block.start, block.end, block.next]).toEqual([700, 700, null]);
  block.release();
});
