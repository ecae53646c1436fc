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
  const awaits = () => () => undefined;
  const synchronous = { isOn: true, confirmed: 9, leadership: 1, timeoutMs: 100, awaits };
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

test("it is known that somebody waits, until that has ended; what is confirmed already is not waited for", async () => {
  const backlog = { next: 10, seal: () => false };
  let waiting = 0;
  const awaits = () => {
    waiting += 1;
    return () => void (waiting -= 1);
  };
  const synchronous = { isOn: true, confirmed: 9, leadership: 1, timeoutMs: 100, awaits };
  const wait = (until: (holds: () => boolean) => Promise<void>) =>
    awaitConfirmed({ backlog, synchronous }, until, () => 0);
  await wait((holds) => {
    expect([waiting, holds()]).toEqual([1, false]);
    synchronous.confirmed = 10;
    expect(holds()).toBe(true);
    // Who was told in time was told, whatever comes of the node before it goes on.
    synchronous.isOn = false;
    return Promise.resolve();
  });
  synchronous.isOn = true;
  await wait(() => expect.fail("it is confirmed"));
  synchronous.confirmed = 9;
  await expect(wait(() => Promise.reject(new Error("closed")))).rejects.toThrow("closed");
  expect(waiting).toBe(0);
});
