/** A child of test/e2e/full-lmdb.test.ts: writes to an LMDB as a state until its file may not grow, and on. */
import { open } from "lmdb";
import { lmdbState, replicate } from "../../dist/index.js";

const WRITES = 12;
const ENTRIES = 200;

const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(String(error)));
const db = open({ path: process.argv[2], eventTurnBatching: false });
const state = lmdbState(db);
const node = await replicate(state);
const outcomes = [];
const positions = [];
for (let n = 0; n < WRITES; n++) {
  const records = Array.from({ length: ENTRIES }, (_, i) =>
    state.put(`${n} ${i}`, "v".repeat(300)),
  );
  outcomes.push(
    await node.write(records).then(
      () => "ok",
      ({ message }) => message,
    ),
  );
  positions.push(node.position.offset);
}
// Rejections are told a turn later.
await new Promise((resolve) => setTimeout(resolve, 100));
const entries = db.getCount({ start: "" });
console.log(JSON.stringify({ outcomes, positions, entries, unhandled }));
process.exit(0);
