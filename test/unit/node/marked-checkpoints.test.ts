/** A checkpoint of a state that keeps its own data: a sync, and nothing to read. */
import { expect, test } from "vitest";
import { MarkedSource } from "../../../src/node/marked-checkpoints.ts";

function frozen() {
  let answer: { synced: () => void; failed: (why: Error) => void } | null = null;
  const source = new MarkedSource({
    format: { name: "toy", version: 1 },
    sync: () =>
      new Promise((synced, failed) => {
        answer = { synced, failed };
      }),
  });
  const snapshot = source.freeze();
  const told: string[] = [];
  const reader = snapshot.read(0, {
    ready: () => told.push("ready"),
    failed: (why) => told.push(why),
  });
  return { answer: () => answer!, snapshot, reader, told };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("no chunk, and the totals once the state is synced", async () => {
  const { answer, reader, told } = frozen();
  await turn();
  expect([reader.take(), reader.totals, told]).toEqual([null, null, []]);
  answer().synced();
  await turn();
  expect([reader.take(), reader.totals, told]).toEqual([
    null,
    { chunks: 0, records: 0 },
    ["ready"],
  ]);
});

test("a sync that fails => failed; closed before => closed, and nothing afterwards", async () => {
  const failing = frozen();
  failing.answer().failed(new Error("no disk"));
  await turn();
  await turn();
  expect(failing.told).toEqual(["no disk"]);
  const closing = frozen();
  closing.snapshot.close();
  closing.answer().synced();
  await turn();
  expect([closing.told, closing.reader.totals]).toEqual([["closed"], null]);
});
