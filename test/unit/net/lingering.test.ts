/** How long, and how many, sockets may wait for the other end's end. */
import { Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lingering } from "../../../src/net/lingering.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

test("the other end does not close => destroyed after 10 s", () => {
  const lingering = new Lingering();
  const socket = new Socket();
  lingering.add(socket);
  lingering.add(socket);
  vi.advanceTimersByTime(9_999);
  expect(socket.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(socket.destroyed).toBe(true);
});

test("one more than 200 => the one that ended first is destroyed, one for each more", () => {
  const lingering = new Lingering();
  const sockets = Array.from({ length: 203 }, () => new Socket());
  for (const socket of sockets.slice(0, 200)) lingering.add(socket);
  const gone = (): number[] =>
    sockets.flatMap((socket, index) => (socket.destroyed ? [index] : []));
  expect(gone()).toEqual([]);
  for (const socket of sockets.slice(200)) lingering.add(socket);
  expect(gone()).toEqual([0, 1, 2]);
});

test("closed meanwhile => it counts no more, and its clock stops", () => {
  const lingering = new Lingering();
  const [first, ...others] = Array.from({ length: 201 }, () => new Socket());
  lingering.add(first!);
  first!.emit("close");
  expect(vi.getTimerCount()).toBe(0);
  for (const socket of others) lingering.add(socket);
  expect(others.some((socket) => socket.destroyed)).toBe(false);
});

test("a socket that is gone already => nothing", () => {
  const lingering = new Lingering();
  const socket = new Socket();
  socket.destroy();
  lingering.add(socket);
  expect(vi.getTimerCount()).toBe(0);
});
