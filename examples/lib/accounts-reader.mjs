/** The thread that reads snapshots of accounts-state.mjs: a connection for each, open until it is closed. */
import { parentPort } from "node:worker_threads";
import Database from "better-sqlite3";

const snapshots = new Map();

function answer({ snapshot, open, after }) {
  if (open !== undefined) {
    const db = new Database(open, { readonly: true });
    db.exec("BEGIN");
    const rows = db.prepare("SELECT * FROM accounts WHERE id > ? ORDER BY id LIMIT 1000").raw();
    snapshots.set(snapshot, { db, rows });
    return rows.all(""); // What a transaction sees is fixed by its first read.
  }
  const { db, rows } = snapshots.get(snapshot);
  if (after !== undefined) return rows.all(after);
  snapshots.delete(snapshot);
  db.close();
  return null;
}

parentPort.on("message", (question) => parentPort.postMessage(answer(question)));
