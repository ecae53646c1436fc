/** An LMDB: lmdb, committed and flushed later, as it comes. */
import { join } from "node:path";
import { open } from "lmdb";
import { shipped } from "../lib/shipped.ts";
import type { ReplicatedState } from "../../src/index.ts";
import type { OpenSubject } from "./subject.ts";

const { lmdbState } = await shipped("adapters/lmdb");

export function lmdbDatabase(dir: string): OpenSubject {
  const db = open<string, string>({ path: join(dir, "lmdb") });
  const state = lmdbState(db);
  return {
    // What transact() hands on is not asked here.
    state: state as unknown as ReplicatedState,
    plain: (entries) =>
      db.transaction(() => {
        for (const [key, value] of entries) void db.put(key, value);
      }),
    through: (node, entries) => node.write(entries.map(([key, value]) => state.put(key, value))),
    close: () => db.close(),
  };
}
