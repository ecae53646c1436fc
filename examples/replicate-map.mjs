/**
 * A Map that other processes have a copy of: a change is a call of the Map's own interface, and is on its way
 * when that returns.
 *
 *   node examples/replicate-map.mjs
 */
import { mapState, replicate } from "hawser";

// In one process, with what it has already:
const prices = mapState(undefined, [["apple", { cents: 40 }]]);
const primary = await replicate(prices, { listen: 0 });

// In another, here in the same:
const copy = mapState();
const replica = await replicate(copy, { of: `127.0.0.1:${primary.port}` });
await replica.synced();
console.log("a copy of what was there:", [...copy]);

prices.set("pear", { cents: 55 });
prices.delete("apple");
await replica.reached(primary.position);
console.log("and of what came later:", [...copy]);

try {
  copy.set("plum", { cents: 30 });
} catch (error) {
  console.log("a replica is read:", error.code);
}

// The primary goes, and the replica takes over.
await primary.close();
await replica.promote();
copy.set("plum", { cents: 30 });
console.log("promoted:", copy.size, "entries");
await replica.close();
