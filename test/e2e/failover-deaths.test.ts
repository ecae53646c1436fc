/**
 * Each end of a planned failover is killed at each of its steps, with and without a directory: who leads then,
 * by itself or by whose word, what came of a write that was held, and that both ends are equal afterwards.
 *
 *   PREPARE   PREPARED   (resigned)   TAKE   (leads)
 */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { useFleet } from "../tools/fleet.ts";

const PRELOAD = fileURLToPath(new URL("../tools/die-at.cjs", import.meta.url));

/**
 * Who leads in the end. "primary" and "target": by itself. "target, told": by REPLICAOF NO ONE, as the primary has
 * lost its log with its process. "primary, forced": by REPLICAOF NO ONE FORCE, as the target lost its store.
 */
type Leader = "primary" | "target" | "target, told" | "primary, forced";

/** The frames: PREPARE 20, PREPARED 21, TAKE 22. */
const STEPS: readonly (readonly ["primary" | "target", string, Leader, Leader])[] = [
  // who dies, where; who leads then with --dir, and without
  ["primary", "say:20", "primary", "target, told"],
  ["primary", "said:20", "primary", "target, told"],
  ["target", "say:21", "primary", "primary"],
  ["target", "said:21", "target", "primary, forced"],
  ["primary", "heard:21", "primary", "target, told"],
  ["primary", "say:22", "target", "target, told"],
  ["primary", "said:22", "target", "target"],
  ["target", "event:failover_take", "target", "primary, forced"],
  ["target", "event:role_changed", "target", "primary, forced"],
];

/** A process that dies at `step`; null: it does not. */
async function dyingAt(step: string | null, start: () => Promise<Daemon>): Promise<Daemon> {
  if (step === null) return start();
  process.env["NODE_OPTIONS"] = `--require ${PRELOAD}`;
  process.env["DIE_AT"] = step;
  try {
    return await start();
  } finally {
    Reflect.deleteProperty(process.env, "NODE_OPTIONS");
    Reflect.deleteProperty(process.env, "DIE_AT");
  }
}

async function role(node: Daemon): Promise<string> {
  return (await node.status()).role;
}

/** INCR, on a connection of its own, while nobody may write: what is answered in the end. */
function holdWrite(fleet: Fleet, client: RespClient): Promise<string> {
  fleet.defer(() => client.close());
  return client.ask("INCR", "n").then(
    (reply) => (reply instanceof Error ? reply.message.split(" ")[0]! : `${Number(reply)}`),
    () => "closed",
  );
}

describe.each(["with a directory", "in memory"])("%s", (where) => {
  const isOnDisk = where === "with a directory";
  test.each(STEPS)("e2e: the %s dies at %s", async (who, step, withDir, without) => {
    const fleet = useFleet();
    const leader = isOnDisk ? withDir : without;
    const dirFlags = (): string[] => (isOnDisk ? ["--dir", directory(fleet)] : []);
    const [ofPrimary, ofTarget] = [dirFlags(), dirFlags()];
    const stepOf = (end: string): string | null => (end === who ? step : null);
    let primary = await dyingAt(stepOf("primary"), () => fleet.primary(...ofPrimary));
    let target = await dyingAt(stepOf("target"), () => fleet.replica(primary, ...ofTarget));
    await converge([primary, target]);
    for (let n = 0; n < 20; n++) await primary.call("SET", `k${n}`, n);
    await primary.call("SET", "n", 1);
    await converge([primary, target]);
    const writer = await RespClient.connect(primary.port);
    const sent = primary.text("FAILOVER").catch(() => "closed");
    const held = holdWrite(fleet, writer);
    const dying = who === "primary" ? primary : target;
    expect((await dying.ended()).signal).toBe("SIGKILL");
    await sent;

    if (leader === "target, told") {
      expect(await target.call("REPLICAOF", "NO", "ONE")).toBe("OK");
      await until(async () => (await role(target)) === "primary", { what: "it to lead" });
    }
    if (who === "primary") {
      // One that lost all it had comes back as a replica: who starts it knows that.
      const again = [...ofPrimary, ...portsOf(primary)];
      primary = isOnDisk ? await fleet.primary(...again) : await fleet.replica(target, ...again);
    } else target = await fleet.replica(primary, ...ofTarget, ...portsOf(target));
    if (leader === "primary, forced") {
      await until(async () => (await primary.status()).failover === "failover-in-progress", {
        what: "it to have resigned",
      });
      const refused = await primary.ask("REPLICAOF", "NO", "ONE");
      expect((refused as Error).message).toContain("FORCE");
      expect(await primary.call("REPLICAOF", "NO", "ONE", "FORCE")).toBe("OK");
    }
    const [leads, follows] = leader.startsWith("target") ? [target, primary] : [primary, target];
    await until(async () => (await role(leads)) === "primary", { what: "one to lead" });
    await until(async () => (await role(follows)) === "replica", { what: "one to follow" });
    const { counters } = await converge([leads, follows]);

    // The write that was held was executed once and answered, or not at all.
    const answer = await held;
    expect(answer).toMatch(/^(2|READONLY|UNBLOCKED|closed)$/);
    expect(await leads.text("GET", "n")).toBe(answer === "2" ? "2" : "1");
    if (who === "target" && leader === "primary") expect(answer).toBe("2");
    expect(await leads.text("GET", "k19")).toBe("19");
    expect(((await follows.ask("SET", "x", "1")) as Error).message).toMatch("READONLY");
    expect(await leads.call("SET", "x", "1")).toBe("OK");
    await converge([leads, follows]);
    expect(await follows.text("GET", "x")).toBe("1");

    // The way that it took.
    const [ofLeader, ofFollower] = counters;
    const taken = leader === "target" && step !== "event:role_changed" ? 1 : 0;
    expect(count(leader.startsWith("target") ? ofLeader! : ofFollower!, "failovers_taken")).toBe(
      taken,
    );
    if (who === "target") {
      const [ofPrimary1] = leader.startsWith("target") ? [ofFollower!] : [ofLeader!];
      expect(count(ofPrimary1, "failovers_resumed")).toBe(step === "say:21" ? 1 : 0);
      expect(count(ofPrimary1, "failovers_done")).toBe(leader === "target" ? 1 : 0);
    }
    if (isOnDisk) expect(count(ofLeader!, "sync_full")).toBe(step === "say:21" ? 1 : 0);
  });
});
