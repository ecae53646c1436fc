/** `dir` and `fsync` of an embedded node, and what durable() promises. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Primary } from "../../../src/embed/primary.ts";
import { Replica } from "../../../src/embed/replica.ts";
import type { NodeEvents } from "../../../src/index.ts";

test("what durable() has answered for is there again, and close() leaves the rest", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-durable-"));
  try {
    const first = await Primary.open({ dir, fsync: "no" });
    first.set("a", "1");
    await first.durable();
    const { position } = first;
    expect(first["parts"].node.backlog.durable).toBe(position.offset);
    first.set("b", "2");
    await first.close();
    await expect(first.durable()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    const second = await Primary.open({ dir });
    expect([String(second.get("a")), String(second.get("b"))]).toEqual(["1", "2"]);
    await second.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("without dir nothing can be durable, and a wrong fsync names what is allowed", async () => {
  const primary = await Primary.open();
  await expect(primary.durable()).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await primary.close();
  await expect(Primary.open({ fsync: "sometimes" as "no" })).rejects.toThrow(
    "expected always or everysec or no",
  );
});

test("closed meanwhile: durable() does not stay open", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-durable-"));
  const primary = await Primary.open({ dir });
  primary.set("a", "1");
  const [durable] = await Promise.allSettled([primary.durable(), primary.close()]);
  if (durable.status === "rejected") expect(durable.reason).toMatchObject({ code: "ERR_CLOSED" });
  rmSync(dir, { recursive: true });
});

/** Two fresh directories, and whatever is opened is closed. */
async function inDirectories(
  run: (dirs: readonly [string, string]) => Promise<void>,
): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "hawser-durable-"));
  try {
    await run([join(base, "a"), join(base, "b")]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

test("a replica: what it has applied is durable here, also when a full sync has just brought it", async () => {
  await inDirectories(async ([above, below]) => {
    const primary = await Primary.open({ dir: above });
    primary.set("a", "1");
    const replica = await Replica.open({
      of: `127.0.0.1:${primary.replPort}`,
      dir: below,
      fsync: "no",
    });
    await expect(replica.durable()).rejects.toMatchObject({ code: "ERR_NOT_SYNCED" });
    await replica.synced();
    // Its generation counts with its first checkpoint.
    await replica.durable();
    expect(replica["parts"].node.backlog.durable).toBeGreaterThanOrEqual(replica.position.offset);
    primary.set("b", "2");
    expect(await primary.waitForReplicas(1, { timeoutMs: 10_000 })).toBe(1);
    const { offset } = replica.position;
    await replica.durable();
    expect(replica["parts"].node.backlog.durable).toBeGreaterThanOrEqual(offset);
    await primary.close();
    await replica.close();
    await expect(replica.durable()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    const again = await Replica.open({ of: "127.0.0.1:1", dir: below });
    expect([String(again.get("a")), String(again.get("b"))]).toEqual(["1", "2"]);
    await again.durable();
    await again.close();
  });
});

test("a replica without dir can make nothing durable", async () => {
  const replica = await Replica.open({ of: "127.0.0.1:1" });
  await expect(replica.durable()).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await replica.close();
});

test("a replica that is told of a checkpoint => began, then done at the position of its full sync", async () => {
  await inDirectories(async ([, below]) => {
    const primary = await Primary.open();
    primary.set("a", "1");
    const replica = await Replica.open({ of: `127.0.0.1:${primary.replPort}`, dir: below });
    const told: NodeEvents["checkpoint"][] = [];
    const done = new Promise<void>((resolve) => {
      replica.on("checkpoint", (happened) => {
        told.push(happened);
        if (happened.change === "done") resolve();
      });
    });
    await done;
    const { position } = primary;
    expect(told).toMatchObject([
      { change: "began", cause: "generation", position, ms: 0, why: "" },
      { change: "done", cause: "generation", position, why: "" },
    ]);
    expect(told[1]!.bytes).toBeGreaterThan(0);
    await replica.close();
    await primary.close();
  });
});
