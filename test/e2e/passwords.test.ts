/** --requirepass for clients, --repl-password for links. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser, type Daemon } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";

async function lastError(node: Daemon, text: string): Promise<void> {
  await until(async () => (await node.status()).upstream?.lastError.includes(text), {
    what: `${node.name} to show "${text}"`,
    describe: () => node.status(),
  });
}

test("e2e: password: the same on both ends => a link", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--repl-password", "harbour", "--clients-open");
  const replica = await fleet.replica(primary, "--repl-password", "harbour", "--clients-open");
  await primary.call("SET", "k", "v");
  await converge([primary, replica]);
});

test.each([
  ["wrong", ["--repl-password", "harbor", "--clients-open"], "wrong password"],
  ["missing", [], "a password is required"],
])(
  "e2e: password: %s on the replica => no data, the reason on both ends",
  async (_, flags, why) => {
    const text = `auth: ${why}; both ends need the same --repl-password`;
    const fleet = useFleet();
    const primary = await fleet.primary("--repl-password", "harbour", "--clients-open");
    await primary.call("SET", "k", "v");
    const replica = await fleet.replica(primary, ...flags);
    await lastError(replica, text);
    await expect(replica.call("DBSIZE")).rejects.toThrow("LOADING");
    const { replicaId } = await replica.status();
    const line = primary.find("link_closed", { replica: replicaId });
    expect(line).toMatchObject({ level: "warn", reason: "rejected", detail: text });
    const { counters, links } = await primary.status();
    expect(links).toEqual([]);
    expect(count(counters, "sync_full")).toBe(0);
    expect(JSON.stringify([primary.log, replica.log])).not.toMatch(/harbour|harbor/);
  },
);

test("e2e: password: set on the replica only => it does not trust the primary", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  await primary.call("SET", "k", "v");
  const replica = await fleet.replica(primary, "--repl-password", "harbour", "--clients-open");
  const why = "the upstream asks for no password and this node has one";
  await lastError(replica, why);
  await expect(replica.call("DBSIZE")).rejects.toThrow("LOADING");
  const line = await until(() => primary.find("link_closed", { reason: "replica_refused" }), {
    what: "the reason at the primary",
  });
  expect(line).toMatchObject({ level: "warn" });
  expect(line["detail"]).toContain(why);
  expect(count((await primary.status()).counters, "sync_full")).toBe(0);
});

test.each([
  [["--requirepass", "x"], "--repl-open"],
  [["--repl-password", "x"], "--clients-open"],
])("e2e: password: %j alone => refused, and %s says that it is meant", async (flags, consent) => {
  const refused = await runHawser(["primary", "--port", "0", ...flags]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(consent);
  const fleet = useFleet();
  const primary = await fleet.primary(...flags, consent);
  expect(primary.exit).toBeNull();
});

test("e2e: password: --requirepass => NOAUTH, WRONGPASS, AUTH, and status with the password", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--requirepass", "secret", "--repl-open");
  const client = await RespClient.connect(primary.port);
  fleet.defer(() => client.close());
  await expect(client.call("GET", "k")).rejects.toThrow("NOAUTH Authentication required.");
  await expect(client.call("AUTH", "nope")).rejects.toThrow(
    "WRONGPASS invalid username-password pair or user is disabled.",
  );
  expect(await client.call("AUTH", "secret")).toBe("OK");
  expect(await client.call("SET", "k", "v")).toBe("OK");
  const address = `127.0.0.1:${primary.port}`;
  const told = await runHawser(["status", address, "--json", "--password", "secret"]);
  expect(JSON.parse(told.stdout)).toMatchObject({ role: "primary" });
  const refused = await runHawser(["status", address]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/NOAUTH|password/);
});
