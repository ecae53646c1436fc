/** `hawser status --events`: the memory of events, for people and for programs. */
import { expect, test } from "vitest";
import type { KeptEvent } from "../../src/node/event-log.ts";
import { converge } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

test("e2e: status --events after a cut => why it ended, how it went on, both positions", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await fill(primary, { keys: 100 });
  const { offset } = await converge([primary, replica]);
  proxy.cutAll("reset");
  await until(() => primary.find("resume", { case: "continue" }), { what: "the replica back" });
  await converge([primary, replica]);
  const at = `127.0.0.1:${primary.port}`;
  const { code, stdout } = await runHawser(["status", at, "--events"]);
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  const { replicaId } = await replica.status();
  const who = `replica ${replicaId.slice(0, 8)}`;
  const closed = lines.find((line) => line.includes("link_closed"));
  expect(closed).toContain(who);
  expect(closed).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /);
  expect(closed).toMatch(/socket_error|peer_closed/);
  expect(closed).toContain(`applied=${offset}`);
  const resumed = lines.find((line) => line.includes(" resume ") && line.includes("continue"));
  expect(resumed).toContain(who);
  expect(resumed).toContain(String(offset));
  const json = await runHawser(["status", at, "--events", "--json"]);
  const events = JSON.parse(json.stdout) as KeptEvent[];
  expect(events.length).toBeGreaterThanOrEqual(lines.length);
  expect(events.map((event) => event.timeMs)).toEqual(
    [...events.map((event) => event.timeMs)].sort((a, b) => a - b),
  );
  const misused = await runHawser(["status", at, "--events", "--watch"]);
  expect(misused.code).toBe(2);
});
