/** What confirmed() of an embedded node waits for, and what it says when that does not come. */
import { expect, test } from "vitest";
import { Primary } from "../../../src/embed/primary.ts";
import { Replica } from "../../../src/embed/replica.ts";
import { awaitConfirmed } from "../../../src/node/await-confirmed.ts";

test("without synchronous mode => at once", async () => {
  const primary = await Primary.open();
  primary.set("a", "1");
  await primary.confirmed();
  await primary.close();
});

test("with it: writes are refused without a member; with one, confirmed() tells when it has them", async () => {
  const primary = await Primary.open({ sync: 1 });
  expect(() => primary.set("a", "1")).toThrow("0 of the 1 that are needed");
  const replica = await Replica.open({ of: `127.0.0.1:${primary.replPort}` });
  await replica.synced();
  const { synchronous, turn } = primary["parts"].node;
  await new Promise<void>((resolve) => turn.until(() => synchronous.lacks === null, resolve));
  primary.set("a", "1");
  await primary.confirmed();
  expect(String(replica.get("a"))).toBe("1");
  await replica.close();
  await primary.close();
});

test("too few, too long => ERR_UNCONFIRMED; so when the node leads no more", async () => {
  const backlog = { next: 10, seal: () => false };
  const synchronous = { isOn: true, confirmed: 9, leadership: 1, timeoutMs: 100 };
  const clock = { ms: 0 };
  const wait = (meanwhile: () => void) =>
    awaitConfirmed(
      { backlog, synchronous },
      async (holds) => {
        expect(holds()).toBe(false);
        meanwhile();
        expect(holds()).toBe(true);
        return Promise.resolve();
      },
      () => clock.ms,
    );
  await expect(wait(() => (clock.ms += 100))).rejects.toThrow("within 100 ms");
  await expect(wait(() => (synchronous.leadership += 1))).rejects.toMatchObject({
    code: "ERR_UNCONFIRMED",
  });
  await expect(wait(() => (synchronous.isOn = false))).rejects.toThrow("leads no more");
});
