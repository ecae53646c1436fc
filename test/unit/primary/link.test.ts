/** A link's states have their own ship; nobody else assigns what a link is made of. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Link } from "../../../src/primary/link.ts";
import { Ship } from "../../../src/primary/ship.ts";
import { Harness, id } from "./feeder-harness.ts";
import { helloWith } from "../../../tools/hello.ts";
import { encode } from "../../../src/wire/codec.ts";
import { batch } from "../log/tools.ts";

const OTHER = { history: id(77), offset: 0, chain: 0 };

/** A replica whose ship is queued, or sent as a whole. */
async function shipped(isSent: boolean): Promise<{ h: Harness; link: Link; ship: Ship }> {
  const h = new Harness(isSent ? {} : { shipGatherMs: 1_000 });
  batch(h.log, 200);
  const peer = h.connect();
  peer.hello({ position: OTHER });
  const ship = peer.link.ship!;
  await h.turns();
  return { h, link: peer.link, ship };
}

test("a ship begins, its END goes out, the replica swaps", async () => {
  const { h, link, ship } = await shipped(true);
  expect([link.state.kind, link.ship, link.finishing, link.currentShip]).toEqual([
    "streaming",
    null,
    ship,
    ship,
  ]);
  h.nowMs = 7;
  expect([link.swapped(7), link.currentShip, link.sync.shippedAtMs]).toEqual([ship, null, 7]);
  expect([link.swapped(9), link.sync.shippedAtMs]).toEqual([null, 7]);
});

test("queued => it is the state's; the end of the link takes it", async () => {
  const { link, ship } = await shipped(false);
  expect([link.state.kind, link.ship, link.finishing, link.currentShip]).toEqual([
    "shipping",
    ship,
    null,
    ship,
  ]);
  link.close("peer_closed", "gone");
  expect([link.state, link.currentShip]).toEqual([{ kind: "closed", reason: "peer_closed" }, null]);
});

test("a new ship before the swap => the old one is over, and has to catch up again", async () => {
  const { link, ship } = await shipped(true);
  link.sync.gotNear();
  const next = new Ship(link.id, 9);
  link.beginShip(next, 9);
  expect([ship.state, link.currentShip, link.sync.caughtUp, link.confirmed]).toEqual([
    "done",
    next,
    false,
    -1,
  ]);
});

test("refused, what is behind HELLO in the same read breaks the protocol => refused once", () => {
  const h = new Harness();
  const peer = h.connect();
  const hello = encode(helloWith({ position: OTHER, format: { name: "other", version: 1 } }));
  const bytes = Buffer.concat([hello, Buffer.alloc(40, 0xff)]);
  peer.link.onBytes(bytes, 0, bytes.length, 0);
  expect([peer.heard, peer.ended]).toEqual([["greeting", "reject"], "end"]);
  expect(peer.last("reject")!.code).toBe("format");
});

/** A field that others may assign: neither readonly nor private. */
const ASSIGNABLE =
  /^ {2}(?!readonly |private |static |get |set |return |constructor)\w+[?!]?(: [^()]*?)? ?(=(?!>)|;)/gm;

test.each(["link", "link-sync", "flow", "heartbeat", "movement", "output", "holds", "ship"])(
  "%s.ts: no public field that may be assigned",
  (name) => {
    const path = new URL(`../../../src/primary/${name}.ts`, import.meta.url);
    const text = readFileSync(path, "utf8");
    const classes = [...text.matchAll(/^export class [\s\S]*?^}/gm)].map(([whole]) => whole);
    expect(classes.length).toBeGreaterThan(0);
    expect(classes.flatMap((each) => each.match(ASSIGNABLE) ?? [])).toEqual([]);
  },
);
