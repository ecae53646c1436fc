/**
 * A Level database with replicas, and what is in it already: writes go through the node, reads through the
 * state, or through the database as ever. A replica that comes back goes on where it was, by the mark that it has beside its data.
 *
 *   node examples/replicate-level.mjs
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { levelState, replicate } from "hawser";

const place = await mkdtemp(join(tmpdir(), "hawser-level-"));

const db = new ClassicLevel(join(place, "primary"));
await db.put("greeting", "hello");

const state = levelState(db);
const primary = await replicate(state, { listen: 0 });
const of = `127.0.0.1:${primary.port}`;

const copyDb = new ClassicLevel(join(place, "replica"));
let copy = levelState(copyDb);
let replica = await replicate(copy, { of });
await replica.synced();
console.log("greeting:", await copy.get("greeting"));

// One write, whole or not at all, here and there.
const at = await primary.write([state.put("greeting", "hello again"), state.put("from", "Level")]);
await replica.reached(at);
console.log("greeting:", await copy.get("greeting"));

// What it reads is what it changes: nothing else is written meanwhile.
await primary.update(async (log) => {
  const visits = Number((await state.get("visits")) ?? 0);
  log(state.put("visits", String(visits + 1)));
});

// It misses something, and needs no copy of the whole for it.
await replica.close();
await primary.write(state.put("missed", "not for long"));
copy = levelState(copyDb);
replica = await replicate(copy, { of });
replica.on("resync", ({ change }) => console.log("full sync", change));
await replica.synced();
console.log("missed:", await copy.get("missed"), "visits:", await copy.get("visits"));

await replica.close();
await primary.close();
await Promise.all([db.close(), copyDb.close()]);
await rm(place, { recursive: true });
