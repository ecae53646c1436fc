/** The toy of the tests: a file that is synced for each batch. Plainly, it syncs for each call. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FileState } from "../../test/tools/file-state.ts";
import type { OpenSubject } from "./subject.ts";

export function fileOfTexts(dir: string): OpenSubject {
  const state = new FileState(join(dir, "state"));
  const file = openSync(join(dir, "plain"), "w");
  return {
    state,
    plain: (entries) => {
      writeSync(file, Buffer.concat(entries.map(([key, value]) => FileState.set(key, value))));
      fsyncSync(file);
    },
    through: (node, entries) =>
      node.write(entries.map(([key, value]) => FileState.set(key, value))),
    close: () => closeSync(file),
  };
}
