/**
 * A process with a node over a file, for tests that kill it: `file-node.ts FILE WRITERS JSON`, options of
 * replicate(). WRITERS writers, each with a key of its own, write one number after another.
 *
 *   stdout    a line of JSON for each: {port}, {wrote: [key, number]}; after SIGUSR2 {map, position, counters}
 *   SIGTERM   it closes the node, and ends by itself
 */
import type * as hawser from "../../src/index.ts";
import { FileState } from "./file-state.ts";

const built = new URL("../../dist/index.js", import.meta.url).href;
const { replicate } = (await import(built)) as typeof hawser;
const [path = "", writers = "0", options = "{}"] = process.argv.slice(2);
const state = new FileState(path);
const node = await replicate(state, JSON.parse(options) as hawser.ReplicateOptions);
const tell = (what: object): boolean => process.stdout.write(`${JSON.stringify(what)}\n`);

async function write(writer: number): Promise<void> {
  const key = `writer ${writer}`;
  for (let n = Number(state.map.get(key) ?? 0) + 1; node.role === "primary"; n++) {
    await node.write(FileState.set(key, String(n)));
    tell({ wrote: [key, n] });
  }
}

process.on("SIGUSR2", () => {
  const { counters } = node.status();
  tell({ map: [...state.map].sort(), position: node.position, counters });
});
process.on("SIGTERM", () => {
  void node.close().then(() => process.removeAllListeners("SIGTERM"));
});
tell({ port: node.port });
// What is refused when it closes is nobody's failure.
for (let n = 0; n < Number(writers); n++) void write(n).catch(() => undefined);
