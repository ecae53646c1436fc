/** Standard output and error whose reader went away. */
import { expect, test } from "vitest";
import { useFleet } from "../tools/fleet.ts";
import { MAIN, ManagedProcess } from "../../tools/processes.ts";
import { encodeRequest, RawResp } from "../tools/raw-resp.ts";
import { until } from "../../tools/wait.ts";

test("e2e: lost readers: of the log => the node serves and replicates on, and stops as always", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--log-level", "debug");
  primary.loseReaders();
  for (let i = 0; i < 20; i++) {
    // Each is logged when it comes, when it is dropped and when it is gone.
    const bad = await RawResp.connect(primary.port);
    await bad.untilClosed(Buffer.from("*x\r\n"));
  }
  const replica = await fleet.replica(primary);
  await primary.call("SET", "k", "v");
  expect(await primary.call("WAIT", "1", "10000")).toBe(1);
  expect(await replica.call("GET", "k")).toEqual(Buffer.from("v"));
  expect(primary.exit).toBeNull();
  const witness = await RawResp.connect(primary.port);
  expect(await witness.replies(encodeRequest(["PING"]))).toBe("+PONG\r\n");
  witness.close();
  expect(await primary.stop()).toEqual({ code: 0, signal: null });
});

test("e2e: lost readers: `hawser status --watch | head` => it ends, without a stack", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const args = [MAIN, "status", `127.0.0.1:${primary.port}`, "--watch"];
  const status = await ManagedProcess.spawn(process.execPath, args, { name: "status" });
  fleet.defer(() => status.kill());
  await until(() => (status.stdout === "" ? null : true), { what: "a page" });
  status.loseOutput();
  expect(await status.ended(20_000)).toEqual({ code: 0, signal: null });
  expect(status.errorLines).toEqual([]);
});
