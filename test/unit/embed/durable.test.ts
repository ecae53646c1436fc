/** `dir` and `fsync` of an embedded node, and what durable() promises. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Primary } from "../../../src/embed/primary.ts";

test("what durable() has answered for is there again, and close() leaves the rest", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hawser-durable-"));
  try {
    const first = await Primary.open({ dir, fsync: "no" });
    first.set("a", "1");
    await first.durable();
    const { position } = first;
    expect(first["node"].backlog.durable).toBe(position.offset);
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
