/** A node's figures: lag before the first ACK, what holds pin, who was refused. */
import { afterEach, expect, test } from "vitest";
import { Keyspace } from "../../../src/node/keyspace.ts";
import { createLogger } from "../../../src/node/logger.ts";
import { linkStatus } from "../../../src/node/status.ts";
import { createNode, type DaemonNode } from "../../../src/node/node.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import type { Feeder } from "../../../src/primary/feeder.ts";
import type { Link } from "../../../src/primary/link.ts";
import { until } from "../../../tools/wait.ts";

const nodes: DaemonNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0).reverse()) await node.stop();
});

async function started(lines: string[], ...args: string[]): Promise<[DaemonNode, number]> {
  const line = readCommandLine([...args, "--port", "0", "--repl-port", "0"], {}, () => "");
  if (line.kind !== "node") throw new Error(line.kind);
  const sink = (text: string) => lines.push(text);
  const node = createNode(line.options, createLogger({ level: "info", format: "json", sink }));
  nodes.push(node);
  await node.open();
  return [node, await node.listen()];
}

function write(node: DaemonNode, count: number, valueBytes = 10): void {
  const keys = new Keyspace(node);
  keys.refresh(Date.now());
  const value = Buffer.alloc(valueBytes, 0x61);
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`key:${i}`);
    keys.set(key, 0, key.length, value, 0, value.length, 0);
  }
  node.turn.appended();
}

const ours = { history: "ours", offset: 700, chain: 0 };
const streaming = { kind: "streaming" };
const shipping = { kind: "shipping" };
const ship = {
  state: "sending",
  snapshot: { offset: 600, frozen: { bytes: 7000 } },
  bytesAcked: 2000,
  queuedAtMs: 0,
};
const queued = { state: "queued", snapshot: null, queuedAtMs: 0 };

test.each([
  ["confirmed", { state: streaming, confirmed: 900, applied: 400 }, 100],
  ["streaming, no ACK yet", { state: streaming, applied: 950 }, 50],
  [
    "shipping: the rest of the snapshot, and the log after it",
    { state: shipping, currentShip: ship },
    5400,
  ],
  ["END is out, the swap is not confirmed", { state: streaming, currentShip: ship }, 5400],
  [
    "all of the snapshot is loaded, the swap is not confirmed",
    { state: streaming, currentShip: { ...ship, bytesAcked: 50_000 } },
    401,
  ],
  ["queued: nobody knows how large it will be", { state: shipping, currentShip: queued }, -1],
  [
    "ahead of us",
    { state: { kind: "waiting" }, hello: { position: { ...ours, offset: 2000 } } },
    0,
  ],
] as const)("lag of a link: %s", (_, given, lagBytes) => {
  const feeder = { backlog: { next: 1000, first: 2000 }, deps: { node: { history: "ours" } } };
  const link = {
    confirmed: -1,
    applied: 0,
    remote: "127.0.0.1:1",
    output: { bytes: 0 },
    heartbeat: { ackMs: -1, roundTripMs: -1 },
    flow: { durable: 0 },
    movement: { connectedAtMs: 0 },
    currentShip: null,
    ...given,
    hello: { address: {}, position: ours, ...("hello" in given ? given.hello : {}) },
  };
  const status = linkStatus(feeder as unknown as Feeder, link as unknown as Link, 0, 0);
  expect(status.lagBytes).toBe(lagBytes);
});

test("backlog.heldBytes => what holds pin, 0 without any", async () => {
  const [primary, port] = await started([], "primary", "--ship-rate", "64kb");
  write(primary, 200, 5000);
  primary.turn.end(performance.now());
  expect(primary.status().backlog).toMatchObject({ first: 0, heldBytes: 0 });
  await started([], "replica", "--of", `127.0.0.1:${port}`);
  const sending = () => primary.status().links[0]?.ship?.state === "sending";
  await until(sending, { what: "a ship under way" });
  const frozenAt = primary.status().position.offset;
  const shipped = primary.status().links[0]!;
  expect(shipped.lagBytes).toBeGreaterThan(900_000 - shipped.ship!.bytesSent);
  write(primary, 100);
  primary.turn.end(performance.now());
  const { backlog, links } = primary.status();
  expect(backlog.heldBytes).toBe(backlog.next - frozenAt);
  expect(backlog.heldBytes).toBeGreaterThan(1000);
  const { bytesTotal, bytesSent } = links[0]!.ship!;
  expect(links[0]?.lagBytes).toBeGreaterThanOrEqual(bytesTotal - bytesSent + backlog.heldBytes);
});

test("a HELLO that is rejected => link_closed names the replica", async () => {
  const lines: string[] = [];
  const [primary, port] = await started(lines, "primary");
  write(primary, 1);
  const [other] = await started([], "primary");
  write(other, 1);
  other.follow("127.0.0.1", port, "none");
  const closed = await until(
    () =>
      lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find((line) => line["event"] === "link_closed"),
    { what: "the rejection" },
  );
  expect(closed).toMatchObject({ reason: "rejected", replica: other.identity.storeId });
});
