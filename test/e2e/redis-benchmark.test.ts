/** redis-benchmark against a primary with replicas: it completes, and all ends are equal. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { useFleet } from "../tools/fleet.ts";
import { describeWithRedis, redisBenchmark } from "../tools/redis-tools.ts";

describeWithRedis("e2e: redis-benchmark", () => {
  test("e2e: -t set,get -P 64 with a replica => completes, digests equal by the stream", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const replica = await fleet.replica(primary);
    await converge([primary, replica]);
    const said = await redisBenchmark(
      primary.port,
      ..."-t set,get -P 64 -n 400000 -r 100000 -q".split(" "),
    );
    expect(said).toMatch(/SET: .*requests per second/);
    expect(said).toMatch(/GET: .*requests per second/);
    expect(said).not.toMatch(/error/i);
    const { counters, records } = await converge([primary, replica]);
    expect(records).toBeGreaterThan(90_000);
    expect(count(counters[0]!, "sync_full")).toBe(1);
    expect((await primary.info()).number("total_commands_processed")).toBeGreaterThan(800_000);
  });

  test("e2e: every command it knows of ours, two replicas, a small backlog => equal", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary("--backlog", "1mb");
    const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
    const tests = "ping_inline,ping_mbulk,set,get,incr,mset";
    await redisBenchmark(
      primary.port,
      ..."-P 16 -n 100000 -r 10000 -d 300 -q".split(" "),
      "-t",
      tests,
    );
    const { counters } = await converge([primary, ...replicas]);
    expect(count(counters[0]!, "stream_bytes_sent")).toBeGreaterThan(0);
  });
});
