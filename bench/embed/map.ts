/** A Map: plainly, one whose values are copied; through a node, write() of records. Its own set() is map-set.ts's. */
import { shipped } from "../lib/shipped.ts";
import type { OpenSubject } from "./subject.ts";

const { keyValueCodec, mapState } = await shipped("adapters/map");
const { putRecord } = await shipped("adapters/key-value-records");

export function mapOfBytes(): OpenSubject {
  const state = mapState(keyValueCodec);
  const plain = new Map<string, Buffer>();
  return {
    state,
    plain: (entries) => {
      for (const [key, value] of entries) plain.set(key, Buffer.from(value));
    },
    through: (node, entries) =>
      node.write(entries.map(([key, value]) => putRecord(Buffer.from(key), Buffer.from(value)))),
    close: () => undefined,
  };
}
