/** A HELLO for peers that are made by hand, in tests and benches. */
import { randomId } from "../src/wire/id.ts";
import type { Hello } from "../src/wire/messages.ts";

/** What an empty replica would say, with some fields replaced. */
export function helloWith(changes: Partial<Hello> = {}): Hello {
  const own = randomId();
  return {
    type: "hello",
    version: 1,
    nonce: randomId(),
    proof: "",
    format: { name: "hawser-kv", version: 1 },
    storeId: own,
    instanceId: randomId(),
    nodeId: randomId(),
    clusterId: null,
    incarnation: 1,
    purpose: "follow",
    complete: true,
    address: { host: "127.0.0.1", clientPort: 0, replPort: 0 },
    position: { history: own, offset: 0, chain: 0 },
    rank: { term: 0, run: 0 },
    lineage: [],
    promised: { term: 0, run: 0 },
    hasData: false,
    shipWanted: "no",
    consent: "none",
    partialBytes: 0,
    partialCrc: 0,
    resume: null,
    ...changes,
  };
}
