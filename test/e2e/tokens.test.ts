/** REPL.TOKEN and REPL.WAIT: reading on a replica what was written on the primary, through ioredis. */
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { useFleet } from "../tools/fleet.ts";

const PAGE = readFileSync(
  new URL("../../docs/reference/what-can-be-lost.md", import.meta.url),
  "utf8",
);

function ioredis(fleet: Fleet, node: Daemon): Redis {
  const client = new Redis({ port: node.port, host: "127.0.0.1" });
  client.on("error", () => undefined);
  fleet.defer(() => client.disconnect());
  return client;
}

type ReadAfter = (
  primary: Redis,
  replica: Redis,
  write: (on: Redis) => Promise<unknown>,
  read: (on: Redis) => Promise<unknown>,
) => Promise<unknown>;

test("e2e: tokens: the documented example reads what was written, 200 times over a replica of a replica; a stopped replica => the primary", async () => {
  const fleet = useFleet();
  const [, code] = /^```js\n(async function readAfter[\s\S]*?)^```/m.exec(PAGE)!;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  const readAfter = new Function(`${code}\nreturn readAfter;`)() as ReadAfter;
  const primary = await fleet.primary();
  const middle = await fleet.replica(primary);
  const replica = await fleet.replica(middle);
  await converge([primary, middle, replica]);
  const [writer, reader] = [ioredis(fleet, primary), ioredis(fleet, replica)];
  for (let i = 0; i < 200; i++) {
    const seen = await readAfter(
      writer,
      reader,
      (on) => on.set("n", i),
      (on) => on.get("n"),
    );
    expect(seen).toBe(String(i));
  }
  middle.pause();
  const seen = await readAfter(
    writer,
    reader,
    (on) => on.set("n", "late"),
    (on) => on.get("n"),
  );
  expect(seen).toBe("late");
  expect(await replica.text("GET", "n")).toBe("199");
  middle.resume();
});

test("e2e: tokens: a wait ends with LOST at the promotion that leaves it out, and what led to the log stays", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const first = await fleet.replica(proxy);
  const second = await fleet.replica(primary);
  await primary.call("SET", "k", "1");
  await converge([primary, first, second]);
  const shared = await primary.text("REPL.TOKEN");
  proxy.down.stall();
  await primary.call("SET", "k", "2");
  const newer = await primary.text("REPL.TOKEN");
  expect(await second.call("REPL.WAIT", newer, 30_000)).toBe("OK");
  await expect(first.call("REPL.WAIT", newer, 50)).rejects.toThrow(
    /^TIMEOUT this node has applied /,
  );

  const waiting = await RespClient.connect(first.port);
  fleet.defer(() => waiting.close());
  const answer = waiting.call("REPL.WAIT", newer, 0).catch(String);
  await until(async () => (await first.text("CLIENT", "LIST")).includes("cmd=repl.wait"), {
    what: "the wait",
  });
  await first.call("REPLICAOF", "NO", "ONE");
  expect(await answer).toMatch(/LOST \d+ of history .* left that history at \d+$/);
  expect(await first.call("REPL.WAIT", shared, 0)).toBe("OK");
  await expect(first.call("REPL.WAIT", newer, 0)).rejects.toThrow(/^LOST /);
  // What the promoted one has, a node that does not know of it yet waits for.
  await first.call("SET", "k", "3");
  const promoted = await first.text("REPL.TOKEN");
  await expect(second.call("REPL.WAIT", promoted, 50)).rejects.toThrow(/^TIMEOUT /);
  await expect(second.call("REPL.WAIT", "nonsense", 0)).rejects.toThrow(/^ERR token is 'nonsense'/);
});
