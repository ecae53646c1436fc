/** `hawser verify` against real nodes: equal at one position while writes go on. */
import { expect, test } from "vitest";
import type { NamedReport } from "../../src/daemon/verify.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { converge } from "../../tools/converge.ts";

test("e2e: verify under load => a line for each replica, equal, exit code 0", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  await fill(primary, { keys: 20_000 });
  await converge([primary, ...replicas]);
  const writer = await RespClient.connect(primary.port);
  fleet.defer(() => writer.close());
  let writing = true;
  let written = 0;
  const load = (async () => {
    for (; writing; written++) await writer.call("SET", `load:${written % 5000}`, written);
  })();
  const { code, stdout, stderr } = await runHawser(["verify", `127.0.0.1:${primary.port}`]);
  writing = false;
  await load;
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(written).toBeGreaterThan(100);
  for (const { port } of replicas)
    expect(stdout).toMatch(new RegExp(`replica +127\\.0\\.0\\.1:${port} +equal +\\d+ records`));
});

test("e2e: verify --json with a stopped replica => no_answer for it, exit code 1", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  await fill(primary, { keys: 1000 });
  await converge([primary, ...replicas]);
  replicas[1]!.pause();
  const run = await runHawser(["verify", String(primary.port), "--json", "--timeout=500ms"]);
  expect(run.code).toBe(1);
  const report = JSON.parse(run.stdout) as NamedReport;
  expect(report.records).toBe(1000);
  const verdicts = report.replicas.map(({ clientPort, verdict }) => [clientPort, verdict]);
  expect(verdicts.sort()).toEqual(
    [
      [replicas[0]!.port, "equal"],
      [replicas[1]!.port, "no_answer"],
    ].sort(),
  );
});

test("e2e: verify with nothing to compare, or nobody to ask => exit code 1; misused => 2", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const alone = await runHawser(["verify", String(primary.port)]);
  expect(alone.code).toBe(1);
  expect(alone.stdout).toContain("nothing was compared");
  await primary.kill();
  const gone = await runHawser(["verify", String(primary.port)]);
  expect(gone.code).toBe(1);
  expect(gone.stderr).toContain(`127.0.0.1:${primary.port}`);
  const misused = await runHawser(["verify", "--timeout", "soon"]);
  expect(misused.code).toBe(2);
  expect(misused.stderr).toContain("--timeout");
});
