/** When PING is due on a link, and the way there and back. */
import { expect, test } from "vitest";
import { Heartbeat } from "../../../src/primary/heartbeat.ts";

test("asked for => due until it was said, with or without the wish for an ACK", () => {
  const heartbeat = new Heartbeat(5);
  expect([heartbeat.isDue, heartbeat.pingMs, heartbeat.ackMs]).toEqual([false, 5, -1]);
  heartbeat.ask();
  expect([heartbeat.isDue, heartbeat.isAckWanted]).toEqual([true, false]);
  heartbeat.askForAck();
  heartbeat.ask();
  expect([heartbeat.isDue, heartbeat.isAckWanted]).toEqual([true, true]);
  heartbeat.pinged(7);
  expect([heartbeat.isDue, heartbeat.isAckWanted, heartbeat.pingMs]).toEqual([false, false, 7]);
});

test("an echo counts once, and never of a PING that was not said", () => {
  const heartbeat = new Heartbeat(0);
  heartbeat.pinged(10);
  heartbeat.acknowledged(10_001, 12);
  expect([heartbeat.ackMs, heartbeat.echoUs, heartbeat.roundTripMs]).toEqual([12, 0, -1]);
  heartbeat.acknowledged(10_000, 13);
  expect([heartbeat.ackMs, heartbeat.echoUs, heartbeat.roundTripMs]).toEqual([13, 10_000, 3]);
  heartbeat.acknowledged(10_000, 90);
  expect([heartbeat.ackMs, heartbeat.roundTripMs]).toEqual([90, 3]);
});
