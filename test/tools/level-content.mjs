/** What the conformance suite is given of a Level of texts, wherever that is kept. */
import { levelState } from "../../dist/adapters/level.js";
import { deleteRecord, putRecord } from "../../dist/adapters/key-value-records.js";

/** The state of a database that was made for it, as the suite takes one. */
export function madeOver(db) {
  const state = levelState(db);
  return { state: Object.assign(state, { db }), end: () => db.close() };
}

export const LEVEL = {
  async content({ db }) {
    const all = await db.iterator().all();
    return all
      .filter(([key]) => !key.startsWith("!hawser!"))
      .map(([key, value]) => `${key}=${value}`);
  },
  examples: {
    write: (key, value) => putRecord(Buffer.from(`key ${key}`), Buffer.from(`value ${value}`)),
    remove: (key) => deleteRecord(Buffer.from(`key ${key}`)),
    clear: () => Buffer.from([3]),
    writeBytes: putRecord,
    refused: [Buffer.alloc(0), Buffer.from([0]), Buffer.from([1, 9, 0, 0, 0]), Buffer.from([3, 3])],
  },
};
