/** The accounts of the SQLite example, for the conformance suite: in the tests, and in the process that it kills. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { AccountsState, record } from "../../examples/lib/accounts-state.mjs";

export default {
  make(place) {
    const db = new Database(join(place, "accounts.db"));
    return { state: new AccountsState(db), end: () => db.close() };
  },
  content: (state) =>
    state.db.prepare("SELECT id || '=' || balance FROM accounts ORDER BY id").pluck().all(),
  examples: {
    write: (key, value) => record.set(`account ${key}`, value),
    remove: (key) => record.close(`account ${key}`),
    refused: [
      record.move("a", "b", -1),
      record.move("a", "", 1),
      record.move("", "b", 1),
      record.set("a", 0.5),
      record.set("", 1),
      Buffer.from([4, ...record.set("a", 1).subarray(1)]),
      record.set("a", 1).subarray(0, 9),
      Buffer.from("{"),
    ],
    transacted: (state, key, value) => void state.set.run(`account ${key}`, value),
  },
};
