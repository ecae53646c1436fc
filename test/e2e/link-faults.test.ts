/** The wire between primary and replica misbehaves in mid-stream: both ends agree again afterwards. */
import { describe, expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon } from "../../tools/processes.ts";
import type { FaultProxy } from "../../tools/proxy.ts";
import { Random } from "../../tools/random.ts";
import { until, within } from "../../tools/wait.ts";

const MB = 1_000_000;

interface Scene {
  readonly primary: Daemon;
  readonly replica: Daemon;
  readonly proxy: FaultProxy;
}

async function scene(...flags: string[]): Promise<Scene> {
  const fleet = useFleet();
  const primary = await fleet.primary(...flags);
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy, ...flags);
  await fill(primary, { keys: 200 });
  await converge([primary, replica]);
  return { primary, replica, proxy };
}

/** Equal again, without another full sync, after so many partial ones. */
async function healed({ primary, replica }: Scene, partial: number): Promise<void> {
  await primary.call("SET", "after", "healing");
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(partial);
}

/** The link came back by its `times`-th partial resync. */
async function resumed({ primary, replica }: Scene, times: number): Promise<void> {
  await until(
    async () => {
      const { counters } = await primary.status();
      const { upstream } = await replica.status();
      return count(counters, "sync_partial_ok") === times && upstream?.state === "streaming";
    },
    { what: `partial resync ${times}`, describe: () => replica.status() },
  );
}

describe("e2e: link: ends in mid-stream", () => {
  test.each(["destroy", "reset", "halfClose"] as const)(
    "e2e: link: data direction %s after 1.5 MB => one partial resync",
    async (kind) => {
      const at = await scene();
      const cut = at.proxy.down.cutAfter(1_500_000, kind);
      await writeLog(at.primary, 4 * MB);
      await within(cut, "the cut");
      await healed(at, 1);
    },
  );

  test.each(["destroy", "reset", "halfClose"] as const)(
    "e2e: link: ACK direction %s in mid-frame => one partial resync",
    async (kind) => {
      const at = await scene();
      const cut = at.proxy.up.cutAfter(101, kind);
      await writeLog(at.primary, 4 * MB);
      await within(cut, "the cut");
      await healed(at, 1);
    },
  );

  test("e2e: link: refused for a while => retries, then one partial resync", async () => {
    const at = await scene();
    at.proxy.refusing = true;
    at.proxy.cutAll("reset");
    await until(() => at.proxy.connectionsTotal >= 4, { what: "three more attempts" });
    await writeLog(at.primary, MB);
    at.proxy.heal();
    await healed(at, 1);
  });

  const seed = 20_261;
  test(`e2e: link: 30 cuts at random bytes while writing (seed=${seed}) => 30 partial resyncs`, async () => {
    const at = await scene();
    const random = new Random(seed);
    for (let round = 1; round <= 30; round++) {
      const kind = random.pick(["destroy", "reset"] as const);
      const direction = random.pick([at.proxy.down, at.proxy.down, at.proxy.up]);
      const bytes = random.between(0, direction === at.proxy.up ? 300 : 400_000);
      const cut = direction.cutAfter(bytes, kind);
      await writeLog(at.primary, 500_000, random.between(10, 30_000));
      await within(cut, `cut ${round}: ${direction.name} ${kind} after ${bytes} bytes`);
      await resumed(at, round);
    }
    await healed(at, 30);
  });
});

describe("e2e: link: bytes are changed", () => {
  test.each([0, 17, 5000, 300_000])(
    "e2e: link: one bit of the stream flipped after %i bytes => caught, one partial resync",
    async (bytes) => {
      const at = await scene();
      const flipped = at.proxy.down.flipBitAfter(bytes, 3);
      await writeLog(at.primary, MB);
      await within(flipped, "the flip");
      await healed(at, 1);
      const { lastError } = (await at.replica.status()).upstream!;
      expect(lastError).toBe("");
    },
  );

  test("e2e: link: one bit of the ACKs flipped => caught, one partial resync", async () => {
    const at = await scene();
    const flipped = at.proxy.up.flipBitAfter(21, 5);
    await writeLog(at.primary, MB);
    await within(flipped, "the flip");
    await healed(at, 1);
    const { counters } = await at.primary.status();
    expect(count(counters, "link_drops_protocol")).toBe(1);
  });
});

describe("e2e: link: slow, lumpy, asymmetric", () => {
  test("e2e: link: one byte at a time both ways, from the handshake on => equal, no reconnect", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    await fill(primary, { keys: 20 });
    const proxy = await fleet.proxy(primary);
    proxy.set({ oneByteWrites: true });
    const replica = await fleet.replica(proxy);
    await converge([primary, replica]);
    await fill(primary, { keys: 40, seed: 2 });
    await converge([primary, replica]);
    expect(proxy.connectionsTotal).toBe(1);
  });

  test("e2e: link: 40 ms and 40 ms of jitter each way => equal, no reconnect", async () => {
    const at = await scene();
    at.proxy.set({ delayMs: 40, jitterMs: 40 });
    await writeLog(at.primary, 3 * MB);
    await healed(at, 0);
    expect(at.proxy.connectionsTotal).toBe(1);
  });

  test("e2e: link: ACKs at 200 bytes/s, data at full speed => equal, no reconnect", async () => {
    const at = await scene();
    at.proxy.up.set({ bytesPerSecond: 200 });
    await writeLog(at.primary, 3 * MB);
    await at.primary.call("WAIT", 1, 5_000);
    at.proxy.up.set({ bytesPerSecond: Infinity });
    await healed(at, 0);
  });

  test("e2e: link: data stalled for a while => nothing lost, no reconnect", async () => {
    const at = await scene();
    at.proxy.down.stall();
    await writeLog(at.primary, 20 * MB);
    const link = (await at.primary.status()).links[0]!;
    expect(link.lagBytes).toBeGreaterThan(10 * MB);
    expect(await at.primary.call("WAIT", 1, 100)).toBe(0);
    at.proxy.down.resume();
    await healed(at, 0);
  });

  test("e2e: link: ACKs stalled => WAIT says so, the data arrives, no reconnect", async () => {
    const at = await scene();
    at.proxy.up.stall();
    await writeLog(at.primary, 3 * MB);
    await until(
      async () =>
        (await at.replica.status()).position.offset === (await at.primary.status()).position.offset,
      { what: "the data" },
    );
    expect(await at.primary.call("WAIT", 1, 100)).toBe(0);
    at.proxy.up.resume();
    expect(await at.primary.call("WAIT", 1, 10_000)).toBe(1);
    await healed(at, 0);
  });

  test("e2e: link: blackhole in one direction, then reset => one partial resync", async () => {
    const at = await scene();
    at.proxy.down.blackhole();
    await writeLog(at.primary, 3 * MB);
    await until(() => at.proxy.down.bytesLost > 2 * MB, { what: "the bytes to vanish" });
    at.proxy.down.resume();
    await healed(at, 1);
  });

  test("e2e: link: window of 64 KiB and a slow line => flow control, equal, no reconnect", async () => {
    const at = await scene("--window", "64kb");
    at.proxy.down.set({ bytesPerSecond: 8 * MB });
    await writeLog(at.primary, 6 * MB, 1000);
    await healed(at, 0);
  });
});
