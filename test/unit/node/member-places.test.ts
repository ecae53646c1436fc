/** Where stores were linked from last, and which one has come in another's place. */
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { MemberPlaces, NOWHERE, placeOf } from "../../../src/node/member-places.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const at = (host: string, replPort: number) => ({ host, clientPort: replPort - 10_000, replPort });

test("another store comes from where one was => that one, once", () => {
  const places = new MemberPlaces();
  expect(places.came(id(1), at("a", 16_380))).toEqual([]);
  expect(places.came(id(2), at("b", 16_380))).toEqual([]);
  expect(places.came(id(3), at("a", 16_380))).toEqual([id(1)]);
  expect(places.came(id(3), at("a", 16_380))).toEqual([]);
  expect(places.came(id(3), at("b", 16_380))).toEqual([id(2)]);
});

test("without a port nobody can say that it is the same place", () => {
  const places = new MemberPlaces();
  const nameless = { host: "a", clientPort: 0, replPort: 0 };
  places.came(id(1), nameless);
  expect(places.came(id(2), nameless)).toEqual([]);
});

test("the last place, before what is remembered, before nothing", () => {
  const places = new MemberPlaces();
  const told = [{ storeId: id(1), host: "old", port: 7 }];
  expect(places.of(id(1), told)).toEqual({ host: "old", clientPort: 0, replPort: 7 });
  places.came(id(1), at("a", 16_380));
  expect(places.of(id(1), told)).toEqual(at("a", 16_380));
  expect(places.of(id(2), told)).toEqual(NOWHERE);
});

test("of more than may be linked the oldest is forgotten", () => {
  const places = new MemberPlaces();
  for (let n = 0; n <= LIMITS.linksMax; n++) places.came(id(n), at("a", 20_000 + n));
  expect([places.of(id(0), []), places.of(id(1), [])]).toEqual([NOWHERE, at("a", 20_001)]);
});

test("a host that was not announced is where the connection comes from", () => {
  const ports = { clientPort: 1, replPort: 2 };
  expect(placeOf({ host: "", ...ports }, "[::1]:5000").host).toBe("::1");
  expect(placeOf({ host: "x\ny", ...ports }, "[::1]:5000").host).not.toContain("\n");
});
