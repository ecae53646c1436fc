/** Values of every size and keys of every byte, by the stream and by a snapshot. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { within } from "../../tools/wait.ts";

const MIB = 1024 * 1024;
/** Everything that a large batch must be larger than. */
const TIGHT = ["--backlog", "1mb", "--window", "1mb", "--ship-window", "1mb"];

const sha = (bytes: unknown): string =>
  Buffer.isBuffer(bytes) ? createHash("sha256").update(bytes).digest("hex") : String(bytes);

async function holds(node: Daemon, key: Buffer | string, value: Buffer): Promise<void> {
  expect(sha(await node.call("GET", key)), node.name).toBe(sha(value));
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const ODD: readonly (readonly [key: Buffer, value: Buffer])[] = [
  [Buffer.from("empty value"), Buffer.alloc(0)],
  [Buffer.alloc(0), Buffer.from("value of the empty key")],
  [Buffer.from("a\r\nb\r\n"), Buffer.from("\r\n")],
  [Buffer.from("$3\r\nfoo\r\n"), Buffer.from("*1\r\n")],
  [ALL_BYTES, ALL_BYTES],
  [Buffer.from([0xff, 0xfe, 0]), Buffer.from([0xc0, 0x80])],
  [Buffer.alloc(70_000, "k"), Buffer.from("v")],
];

/** Writes each value and a small one after it; a replica that was there and one that comes later. */
async function onBothPaths(
  entries: readonly (readonly [key: Buffer | string, value: Buffer])[],
  ...flags: string[]
): Promise<void> {
  const fleet = useFleet();
  const primary = await fleet.primary(...flags);
  const streamed = await fleet.replica(primary);
  await converge([primary, streamed]);
  for (const [key, value] of entries) {
    expect(await primary.call("SET", key, value)).toBe("OK");
    await primary.call("SET", "after", sha(key));
    await converge([primary, streamed]);
    await holds(streamed, key, value);
  }
  const shipped = await fleet.replica(primary);
  const { records, counters } = await converge([primary, streamed, shipped]);
  expect(records).toBe(entries.length + 1);
  for (const [key, value] of entries) {
    for (const node of [primary, streamed, shipped]) await holds(node, key, value);
  }
  expect(count(counters[0]!, "sync_full")).toBe(2);
  expect(streamed.findAll("welcomed")).toHaveLength(1);
}

test("e2e: values: empty, binary, CRLF and long keys and values => equal on both paths", () =>
  onBothPaths(ODD));

test("e2e: values: sizes around every boundary => equal on both paths", () => {
  const around = [256, 16 * 1024, 64 * 1024, MIB / 4, MIB, 4 * MIB];
  const sizes = [1, 2, ...around.flatMap((size) => [size - 64, size - 1, size, size + 1])];
  const entries = sizes.map((size) => [`size ${size}`, new Random(size).bytes(size)] as const);
  return onBothPaths(entries, ...TIGHT, "--throttle-max", "100ms");
});

test("e2e: values: 64 MiB, larger than budget, window, cap and backlog => streamed whole", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary(...TIGHT);
  const replica = await fleet.replica(primary, ...TIGHT);
  await converge([primary, replica]);
  const value = new Random(64).bytes(64 * MIB);
  expect(await primary.call("SET", "big", value)).toBe("OK");
  expect(await primary.call("SET", "after", "x")).toBe("OK");
  const { counters } = await converge([primary, replica]);
  await holds(replica, "big", value);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "stream_bytes_sent")).toBeGreaterThan(64 * MIB);
});

test("e2e: values: 64 MiB, link cut twice in its middle => goes on from there, no full sync", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary(...TIGHT);
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy, ...TIGHT);
  await converge([primary, replica]);
  const before = proxy.down.bytes;
  const first = proxy.down.cutAfter(20 * MIB + 12_345);
  const value = new Random(65).bytes(64 * MIB);
  expect(await primary.call("SET", "big", value)).toBe("OK");
  await within(first, "the first cut");
  await within(proxy.down.cutAfter(17 * MIB + 777, "reset"), "the second cut");
  const { counters } = await converge([primary, replica]);
  await holds(replica, "big", value);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(2);
  // A reset also loses what the kernel had not delivered; beginning again would be 100 MiB.
  expect(proxy.down.bytes - before).toBeLessThan(72 * MIB);
});

test("e2e: values: 64 MiB in a ship, cut twice in its middle => resumed, not begun again", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary(...TIGHT);
  const value = new Random(66).bytes(64 * MIB);
  await primary.call("SET", "big", value);
  await primary.call("SET", "small", "x");
  const proxy = await fleet.proxy(primary);
  const first = proxy.down.cutAfter(20 * MIB + 12_345, "reset");
  const replica = await fleet.replica(proxy, ...TIGHT);
  await within(first, "the first cut");
  await within(proxy.down.cutAfter(17 * MIB + 777), "the second cut");
  const { counters } = await converge([primary, replica]);
  await holds(replica, "big", value);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "snapshot_resumes")).toBe(2);
});
