/** Which replica is to lead: by TO, or the furthest that streams. */
import { expect, test } from "vitest";
import {
  addressOf,
  chooseTarget,
  NO_REPLICAS,
  NO_SUCH_REPLICA,
  NOT_ONLINE,
  type TargetLink,
} from "../../../src/node/failover-target.ts";

function link(host: string, confirmed = 0, kind = "streaming", replPort = 7412): TargetLink {
  const address = { host, clientPort: 7402, replPort };
  return {
    remote: "127.0.0.1:50000",
    hello: { storeId: host || "none", address },
    state: { kind },
    finishing: null,
    confirmed,
  };
}

test("nothing said => the furthest of those that stream", () => {
  const [a, b, c] = [link("a", 10), link("b", 30), link("c", 90, "shipping")];
  expect(chooseTarget([a, b, c], null)).toEqual({ link: b, refusal: null });
  expect(chooseTarget([], null).refusal).toBe(NO_REPLICAS);
  expect(chooseTarget([c], null).refusal).toBe(NOT_ONLINE);
});

test.each([
  ["a", 7402],
  ["A", 7402],
  ["a", 7412],
  ["127.0.0.1", 7402],
  ["localhost", 7402],
])("TO %s %d => by what it announced, or where it connects from", (host, port) => {
  const a = link("a");
  expect(chooseTarget([link("b", 9, "shipping"), a], { host, port }).link).toBe(a);
});

test.each([
  ["b", 7402, NO_SUCH_REPLICA],
  ["a", 7403, NO_SUCH_REPLICA],
])("TO %s %d => refused", (host, port, why) => {
  expect(chooseTarget([link("a")], { host, port }).refusal).toBe(why);
});

test("a full sync is under way, or its swap is not confirmed; no replication port => refused", () => {
  const to = { host: "a", port: 7402 };
  expect(chooseTarget([link("a", 0, "shipping")], to).refusal).toBe(NOT_ONLINE);
  expect(chooseTarget([{ ...link("a"), finishing: {} }], to).refusal).toBe(NOT_ONLINE);
  expect(chooseTarget([link("a", 0, "streaming", 0)], to).refusal).toMatch(/no replication port/);
});

test("where it is: what it announced, else where it connects from", () => {
  expect(addressOf(link("a"))).toEqual({ host: "a", port: 7412 });
  expect(addressOf(link(""))).toEqual({ host: "127.0.0.1", port: 7412 });
});
