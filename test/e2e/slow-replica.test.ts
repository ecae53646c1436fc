/** One replica behind a 1 MB/s line beside a fast one: neither the fast one nor the memory suffers. */
import { expect, test } from "vitest";
import { converge, count } from "../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { until } from "../tools/wait.ts";

const MB = 1_000_000;
const BACKLOG = 8 * MB;
/** What may pile up: the backlog, a hold of 4 backlogs, one output of 4 MiB, and the heap's slack. */
const MEMORY_BOUND = 5 * BACKLOG + 5 * MB + 96 * MB;
const WRITTEN = 320 * MB;

test("e2e: slow replica: 1 MB/s beside a fast one => the fast one has it all, memory bounded", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", String(BACKLOG));
  const proxy = await fleet.proxy(primary);
  const fast = await fleet.replica(primary);
  const slow = await fleet.replica(proxy);
  await fill(primary, { keys: 1000 });
  await converge([primary, fast, slow]);
  proxy.down.set({ bytesPerSecond: MB });

  await writeLog(primary, 16 * MB);
  const base = await primary.residentBytes();
  let most = base;
  for (let written = 0; written < WRITTEN; written += 8 * MB) {
    await writeLog(primary, 8 * MB);
    most = Math.max(most, await primary.residentBytes());
    expect(await primary.call("WAIT", 1, 30_000)).toBeGreaterThanOrEqual(1);
  }
  const { position, links, counters } = await primary.status();
  const [fastLink, slowLink] = [fast, slow].map((replica) =>
    links.find((link) => link.clientPort === replica.port),
  );
  expect(fastLink?.applied).toBe(position.offset);
  expect(fastLink?.state).toBe("streaming");
  expect(slowLink?.lagBytes ?? Infinity).toBeGreaterThan(100 * MB);
  expect(most - base).toBeLessThan(MEMORY_BOUND);
  expect(count(counters, "sync_partial_ok")).toBe(0);

  proxy.heal();
  await converge([primary, fast, slow]);
  expect(fast.findAll("welcomed")).toHaveLength(1);
});

test("e2e: slow replica: stopped reading altogether => the others go on, it comes back equal", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "2mb");
  const proxy = await fleet.proxy(primary);
  const fast = await fleet.replica(primary);
  const stalled = await fleet.replica(proxy);
  await fill(primary, { keys: 200 });
  await converge([primary, fast, stalled]);
  proxy.down.stall();
  await writeLog(primary, 40 * MB);
  await converge([primary, fast]);
  const link = (await primary.status()).links.find((one) => one.clientPort === stalled.port);
  expect(link?.outputBytes).toBeLessThanOrEqual(4 * 1024 * 1024 + 64 * 1024);
  proxy.down.resume();
  await until(async () => count((await primary.status()).counters, "sync_full") === 3, {
    what: "a snapshot for the overtaken replica",
    describe: () => primary.status(),
  });
  await converge([primary, fast, stalled]);
});
