/** lmdb, for the conformance suite: in the tests, and in the process that it kills. */
import { join } from "node:path";
import { open } from "lmdb";
import { deleteRecord, putRecord } from "../../dist/adapters/key-value-records.js";
import { lmdbState } from "../../dist/adapters/lmdb.js";

export default {
  make(place) {
    const env = open({ path: join(place, "data"), encoding: "binary", keyEncoding: "binary" });
    const state = lmdbState(env);
    return { state: Object.assign(state, { env }), end: () => env.close() };
  },
  content: ({ env }) =>
    [...env.getRange({ start: Buffer.from([3]) })].map(
      ({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`,
    ),
  examples: {
    write: (key, value) => putRecord(Buffer.from(`key ${key}`), Buffer.from(`value ${value}`)),
    remove: (key) => deleteRecord(Buffer.from(`key ${key}`)),
    clear: () => Buffer.from([3]),
    writeBytes: (key, value) =>
      key.length === 0 || key.length > 1956 ? null : putRecord(key, value),
    refused: [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.from([1, 9, 0, 0, 0]),
      putRecord(Buffer.alloc(0), Buffer.alloc(1)),
    ],
    async transacted(env, key, value) {
      await env.put(Buffer.from(`key ${key}`), Buffer.from(`value ${value}`));
    },
  },
};
