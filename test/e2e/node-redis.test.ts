/** node-redis, unchanged, as an application would use it. */
import { createClient } from "redis";
import { expect, test } from "vitest";
import { useFleet } from "../tools/fleet.ts";
import { until } from "../../tools/wait.ts";

const REFUSED = "client side caching is not supported";
const cached = { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0 } } as const;

test("e2e: node-redis: connects with RESP3, writes and reads", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const client = createClient({ RESP: 3, socket: { host: "127.0.0.1", port: primary.port } });
  client.on("error", () => undefined);
  await client.connect();
  expect(await client.set("k", "v", { expiration: { type: "PX", value: 3_600_000 } })).toBe("OK");
  expect(await client.get("k")).toBe("v");
  expect(await client.multi().incr("n").get("n").exec()).toEqual([1, "1"]);
  client.destroy();
});

test("e2e: node-redis: client side caching => connect() rejects and says why, never a stale cache", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const socket = { host: "127.0.0.1", port: primary.port };
  // As most write it down: without a listener the first error is thrown.
  const plain = createClient({ ...cached, socket });
  await expect(plain.connect()).rejects.toThrow(REFUSED);
  // With one, and told not to try again.
  const once = createClient({ ...cached, socket: { ...socket, reconnectStrategy: false } });
  once.on("error", () => undefined);
  await expect(once.connect()).rejects.toThrow(REFUSED);
  // The library's default tries again for ever, whatever the error: its events say what is wrong.
  const patient = createClient({ ...cached, socket });
  const errors: string[] = [];
  patient.on("error", (error: Error) => errors.push(error.message));
  const connecting = patient.connect().catch(() => undefined);
  await until(() => (errors.length > 1 ? true : null), { what: "two errors", timeoutMs: 20_000 });
  expect(errors.every((message) => message.includes(REFUSED))).toBe(true);
  patient.destroy();
  await connecting;
});
