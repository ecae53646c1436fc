/** A LevelDB: classic-level, nothing synced, as it comes. */
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { shipped } from "../lib/shipped.ts";
import type { OpenSubject } from "./subject.ts";

const { levelState } = await shipped("adapters/level");

export async function levelDatabase(dir: string): Promise<OpenSubject> {
  const db = new ClassicLevel(join(dir, "level"));
  await db.open();
  const state = levelState(db);
  return {
    state,
    plain: async (entries) => {
      if (entries.length === 1) await db.put(...entries[0]!);
      else await db.batch(entries.map(([key, value]) => ({ type: "put", key, value })));
    },
    through: (node, entries) => node.write(entries.map(([key, value]) => state.put(key, value))),
    close: () => db.close(),
  };
}
