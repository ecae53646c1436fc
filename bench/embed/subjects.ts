/** The stores that bench/embed knows, by name; each adapter adds a line. */
import { fileOfTexts } from "./file.ts";
import { levelDatabase } from "./level.ts";
import { lmdbDatabase } from "./lmdb.ts";
import { mapOfBytes } from "./map.ts";
import { sqliteAccounts } from "./sqlite.ts";
import type { Subject } from "./subject.ts";

export const SUBJECTS: Readonly<Record<string, Subject>> = {
  level: levelDatabase,
  lmdb: lmdbDatabase,
  sqlite: sqliteAccounts,
  map: mapOfBytes,
  file: fileOfTexts,
};
