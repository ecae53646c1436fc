/** The `lag` event of a primary: told once for each mark that a replica crosses, and when it came back. */
import { expect, test } from "vitest";
import { type NodeEvents, Primary } from "../../../src/index.ts";
import { WirePeer } from "../../tools/wire-peer.ts";
import { until } from "../../../tools/wait.ts";

const KIB = 1024;

/** A replica that has all there is, and applies what a test says it has applied. */
async function follower(primary: Primary): Promise<WirePeer> {
  const peer = await WirePeer.connect(primary.replPort);
  peer.say(peer.hello({ position: primary.position, hasData: true }));
  expect((await peer.hears("welcome")).decision).toBe("continue");
  return peer;
}

test("the lag crosses 50 % and 80 % of the backlog, comes back, crosses again => each is told once", async () => {
  const primary = await Primary.open({ backlogBytes: 64 * KIB });
  primary.set("key", "value");
  await until(() => primary.position.offset > 0, { what: "a position" });
  const told: NodeEvents["lag"][] = [];
  primary.on("lag", (happened) => told.push(happened));
  const peer = await follower(primary);
  const applies = (offset: number): void =>
    peer.say({
      type: "ack",
      mode: "streaming",
      received: offset,
      applied: offset,
      durable: 0,
      room: 1 << 20,
      echo: 0,
    });
  const sent = (): number => primary.status().links[0]!.sent;
  const tells = (count: number): Promise<unknown> =>
    until(() => told.length === count, { what: `${count} events`, describe: () => told });
  const start = primary.position.offset;
  applies(start);

  primary.set("key", Buffer.alloc(40 * KIB));
  await tells(1);
  primary.set("key", Buffer.alloc(14 * KIB));
  await tells(2);
  const end = primary.position.offset;
  await until(() => sent() === end, { what: "all to be sent" });
  applies(end);
  await tells(3);
  primary.set("key", Buffer.alloc(40 * KIB));
  await tells(4);

  expect(told.map(({ percent }) => percent)).toEqual([63, 85, 0, 63]);
  expect(told.map(({ lagBytes }) => lagBytes)[1]).toBe(end - start);
  expect(told[2]).toMatchObject({ lagBytes: 0, secondsLeft: -1 });
  const { replicaId } = primary.status().links[0]!;
  expect(new Set(told.map((each) => each.replicaId))).toEqual(new Set([replicaId]));
  peer.socket.destroy();
  await primary.close();
});
