/** Replicas are told of each other: who is in the list, and that nobody is told twice. */
import { expect, test } from "vitest";
import { TellingPeers, type ToldLink } from "../../../src/node/telling-peers.ts";
import type { PeersTold } from "../../../src/wire/messages.ts";

function link(name: string, port: number, host = ""): ToldLink & { readonly said: PeersTold[] } {
  const said: PeersTold[] = [];
  return {
    hello: { storeId: name, address: { host, clientPort: 1, replPort: port } },
    remote: "10.0.0.9:4711",
    said,
    sayBetween: (message) => said.push(message),
  };
}

test("everybody hears of all that can be asked, once, and again when that has changed", () => {
  const telling = new TellingPeers();
  const [a, b, mute] = [link("a", 5), link("b", 6, "named"), link("c", 0)];
  expect(telling.tell([a, mute])).toBe(true);
  expect(telling.tell([a, mute])).toBe(false);
  expect(a.said).toEqual([{ type: "peers", peers: [{ storeId: "a", host: "10.0.0.9", port: 5 }] }]);
  expect(mute.said).toEqual(a.said);
  expect(telling.tell([a, mute, b])).toBe(true);
  const all = [
    { storeId: "a", host: "10.0.0.9", port: 5 },
    { storeId: "b", host: "named", port: 6 },
  ];
  for (const each of [a, b, mute]) expect(each.said.at(-1)).toEqual({ type: "peers", peers: all });
  expect(b.said).toHaveLength(1);
  expect(telling.tell([])).toBe(false);
});
