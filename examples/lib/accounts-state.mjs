/**
 * Accounts in SQLite (better-sqlite3 12) as a replicated state, with a schema of its own: records say what
 * happened, not which row has which bytes. docs/guides/replicate-your-own-store.md goes through it.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

const [SET, MOVE, CLOSE] = [1, 2, 3];
const HEAD = 9;

/** What happens, a number, and an id or two. A snapshot is `set` alone; a move fails when there is too little. */
export const record = {
  set: (id, balance) => encoded(SET, balance, id),
  move: (from, to, amount) => encoded(MOVE, amount, `${from}\0${to}`),
  close: (id) => encoded(CLOSE, 0, id),
};

function encoded(what, number, ids) {
  const bytes = Buffer.allocUnsafe(HEAD + Buffer.byteLength(ids));
  bytes[0] = what;
  bytes.writeDoubleLE(number, 1);
  bytes.write(ids, HEAD);
  return bytes;
}

const TABLE = `(id TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))
  STRICT, WITHOUT ROWID`;
const PART = 1000;

export class AccountsState {
  format = { name: "example-accounts", version: 1 };
  durability = "process"; // What is committed outlives the process; sync() is for the machine.
  #replaced = 0;
  #snapshots = 0;
  #reader;
  #asked = Promise.resolve();

  constructor(db) {
    this.db = db;
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL");
    db.exec(`CREATE TABLE IF NOT EXISTS accounts ${TABLE};
      CREATE TABLE IF NOT EXISTS hawser (row INTEGER PRIMARY KEY, mark BLOB, syncs INTEGER);
      INSERT OR IGNORE INTO hawser VALUES (1, NULL, 0);`);
    this.keep = db.prepare("UPDATE hawser SET mark = ?");
    this.set = db.prepare("INSERT OR REPLACE INTO accounts VALUES (?, ?)");
    this.add = db.prepare("UPDATE accounts SET balance = balance + ? WHERE id = ?");
    this.remove = db.prepare("DELETE FROM accounts WHERE id = ?");
    this.all = db.transaction((change) => change()); // Made once: that costs more than a small change.
  }

  open() {
    const left = "SELECT name FROM sqlite_schema WHERE name GLOB 'accounts_*'";
    for (const name of this.db.prepare(left).pluck().all()) this.db.exec(`DROP TABLE ${name}`);
    const some = this.db.prepare("SELECT 1 FROM accounts LIMIT 1").get();
    return { mark: this.mark(), empty: some === undefined };
  }

  mark() {
    return this.db.prepare("SELECT mark FROM hawser").pluck().get();
  }

  /** Throws when the record could never be applied. Whether it can be now, the tables say. */
  check(bytes, from, to) {
    const [what, ids] = [bytes[from], from + HEAD];
    const isWhole = ids < to && what >= SET && what <= CLOSE;
    const number = isWhole ? bytes.readDoubleLE(from + 1) : -1;
    const middle = what === MOVE ? bytes.subarray(ids, to).indexOf(0) : 1;
    const hasIds = middle > 0 && (what !== MOVE || ids + middle < to - 1);
    if (!hasIds || !Number.isSafeInteger(number) || number < 0)
      throw new Error(`no change of accounts: ${bytes.toString("latin1", from, to)}`);
  }

  /** The records and the mark, or nothing: one transaction. */
  apply(batch) {
    this.all(() => {
      batch.each((bytes, from, to) => {
        this.check(bytes, from, to);
        const number = bytes.readDoubleLE(from + 1);
        const ids = bytes.toString("utf8", from + HEAD, to);
        if (bytes[from] === SET) this.set.run(ids, number);
        else if (bytes[from] === CLOSE) this.remove.run(ids);
        else this.move(...ids.split("\0"), number);
      });
      this.keep.run(batch.end);
    });
  }

  move(from, to, amount) {
    if (this.add.run(-amount, from).changes + this.add.run(amount, to).changes < 2)
      throw new Error(`${from} or ${to} is no account`);
  }

  /** `run` changes the tables itself; its changes and the mark are one transaction. */
  async transact(run) {
    this.db.exec("BEGIN IMMEDIATE");
    try {
      this.keep.run(await run(this));
      this.db.exec("COMMIT");
    } catch (error) {
      if (this.db.inTransaction) this.db.exec("ROLLBACK");
      throw error;
    }
  }

  /** A thread reads, with a connection for each snapshot that has a read transaction open. */
  async freeze() {
    const snapshot = ++this.#snapshots;
    await this.#ask({ snapshot, open: this.db.name });
    const rowsAfter = (id) => this.#ask({ snapshot, after: id });
    return {
      async *read(after) {
        let id = after === null ? "" : Buffer.from(after).toString();
        for (let rows = await rowsAfter(id); rows.length > 0; rows = await rowsAfter(id)) {
          id = rows.at(-1)[0];
          yield { records: rows.map((row) => record.set(...row)), token: Buffer.from(id) };
        }
      },
      close: () => this.#ask({ snapshot }),
    };
  }

  /** One question at a time, so that answers are in order. */
  #ask(question) {
    this.#reader ??= new Worker(new URL("accounts-reader.mjs", import.meta.url));
    this.#asked = this.#asked.then(async () => {
      this.#reader.ref();
      this.#reader.postMessage(question);
      const [answer] = await once(this.#reader, "message");
      this.#reader.unref(); // It keeps no process alive that has nothing else to do.
      return answer;
    });
    return this.#asked;
  }

  /** A second table. A commit renames both; the old one is emptied in slices, as DROP holds the loop. */
  stage() {
    const { db } = this;
    const [next, old] = [`accounts_next${this.#replaced}`, `accounts_old${this.#replaced++}`];
    db.exec(`CREATE TABLE ${next} ${TABLE}`);
    const add = db.prepare(`INSERT OR REPLACE INTO ${next} VALUES (?, ?)`);
    return {
      load: db.transaction((records) => {
        for (const each of records) add.run(each.toString("utf8", HEAD), each.readDoubleLE(1));
      }),
      commit: (end) => {
        this.all(() => {
          db.exec(`ALTER TABLE accounts RENAME TO ${old}`);
          db.exec(`ALTER TABLE ${next} RENAME TO accounts`);
          this.keep.run(end);
        });
        this.#drop(old);
      },
      abort: () => this.#drop(next),
    };
  }

  #drop(table) {
    if (!this.db.open) return; // The next open() finds it.
    const some = `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} LIMIT ${PART})`;
    const isBusy = this.db.inTransaction || this.db.prepare(some).run().changes > 0;
    if (isBusy) setImmediate(() => this.#drop(table));
    else this.db.exec(`DROP TABLE ${table}`);
  }

  /** A synced commit syncs SQLite's log up to there. The mark stays as it is. */
  sync() {
    this.db.pragma("synchronous = FULL");
    this.db.exec("UPDATE hawser SET syncs = syncs + 1");
    this.db.pragma("synchronous = NORMAL");
  }

  async close() {
    await this.#reader?.terminate();
  }
}
