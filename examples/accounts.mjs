/**
 * A store of your own: accounts in SQLite, with records that say what happened ("move 30 from ann to bob"), and
 * a replica of it in a second file. The state is examples/lib/accounts-state.mjs.
 *
 *   node examples/accounts.mjs
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { replicate } from "hawser";
import { AccountsState, record } from "./lib/accounts-state.mjs";

const folder = mkdtempSync(join(tmpdir(), "hawser-accounts-"));
const open = (name) => new AccountsState(new Database(join(folder, name)));
const show = (name, { db }) => {
  const rows = db
    .prepare("SELECT id || ' has ' || balance FROM accounts ORDER BY id")
    .pluck()
    .all();
  console.log(`${name}: ${rows.join(", ")}`);
};

const [here, there] = [open("primary.db"), open("replica.db")];
const primary = await replicate(here);
await primary.write([record.set("ann", 100), record.set("bob", 0)]);

const replica = await replicate(there, { of: `127.0.0.1:${primary.port}` });
await replica.synced();
show("the replica", there);

await primary.write(record.move("ann", "bob", 30));
// Your own SQL, and a record that does the same: one transaction.
await primary.transact(({ db }, log) => {
  db.prepare("UPDATE accounts SET balance = balance + 5 WHERE id = 'ann'").run();
  const balance = db.prepare("SELECT balance FROM accounts WHERE id = 'ann'").pluck().get();
  log(record.set("ann", balance));
});
// Nobody has so much: nothing is changed, here or there.
await primary.write(record.move("ann", "bob", 1000)).catch(() => console.log("refused"));

await replica.reached(primary.position);
show("the primary", here);
show("the replica", there);

await replica.close();
await primary.close();
for (const { db } of [here, there]) db.close();
rmSync(folder, { recursive: true });
