/** Where in the stream of a connection's replies those to writes are, and what stands there in the end. */
import { describe, expect, test } from "vitest";
import { HeldWrites } from "../../../src/resp/held-writes.ts";
import { UNCONFIRMED } from "../../../src/resp/unconfirmed.ts";

/** Replies are letters here: upper case for writes; each UNCONFIRMED is shown as "!". */
function shown({ bytes, writes }: { bytes: Buffer; writes: number }): [string, number] {
  return [String(bytes).replaceAll(/-UNCONFIRMED [^\r]*\r\n/g, "!"), writes];
}

describe("held writes", () => {
  test("each write is replaced by itself, and what stands between them stays", () => {
    const held = new HeldWrites();
    held.add(0, 2, UNCONFIRMED.disk);
    held.add(2, 3, UNCONFIRMED.disk);
    held.add(5, 6, UNCONFIRMED.disk);
    expect(shown(held.unconfirmed(Buffer.from("AABccD"), 0))).toEqual(["!!cc!", 3]);
    expect(shown(held.unconfirmed(Buffer.from("ccDd"), 3))).toEqual(["cc!d", 1]);
  });

  test("reads are replaced too, with words of their own, and are no writes", () => {
    const held = new HeldWrites();
    held.add(0, 1, UNCONFIRMED.write);
    held.add(1, 2, UNCONFIRMED.read);
    const { bytes, writes, reads } = held.unconfirmed(Buffer.from("Wr"), 0);
    expect([writes, reads]).toEqual([1, 1]);
    expect(String(bytes).split("\r\n")).toEqual([
      expect.stringMatching(/^-UNCONFIRMED This write was executed here/),
      expect.stringMatching(/^-UNCONFIRMED What this read/),
      "",
    ]);
  });

  test("an answer in several pieces is one error, in the first of them", () => {
    const held = new HeldWrites();
    held.add(1, 9, UNCONFIRMED.disk);
    expect(shown(held.unconfirmed(Buffer.from("aBBB"), 0))).toEqual(["a!", 1]);
    expect(shown(held.unconfirmed(Buffer.from("BBBB"), 4))).toEqual(["", 0]);
    expect(shown(held.unconfirmed(Buffer.from("Bc"), 8))).toEqual(["c", 0]);
  });

  test("what was sent is forgotten, however long a connection is never idle", () => {
    const held = new HeldWrites();
    for (let at = 0; at < 10_000; at += 2) {
      held.add(at, at + 1, UNCONFIRMED.disk);
      held.dropTo(at - 10);
    }
    expect(shown(held.unconfirmed(Buffer.from("AaAaAa"), 9_994))).toEqual(["!a!a!a", 3]);
    held.dropTo(10_000);
    expect(shown(held.unconfirmed(Buffer.from("aaa"), 10_000))).toEqual(["aaa", 0]);
  });
});
