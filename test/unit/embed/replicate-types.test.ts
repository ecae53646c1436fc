/** What of a node over a state of one's own compiles and what must not: tsc fails when a line is right that must be wrong. */
import { expect, expectTypeOf, test } from "vitest";
import type { LogPosition, ReplicatedState } from "../../../src/bridge/seam.ts";
import { replicate, type ReplicateOptions } from "../../../src/embed/replicate.ts";
import type { ReplicatedNode } from "../../../src/embed/replicated-node.ts";

interface Transaction {
  put(key: string, value: string): void;
}

test("types: writes, bodies and what they return; a transaction has the type that the state gives it", () => {
  const use = async (
    plain: ReplicatedNode,
    node: ReplicatedNode<Transaction>,
    state: ReplicatedState<Transaction>,
  ): Promise<void> => {
    expectTypeOf(await plain.write(Buffer.from("a"))).toEqualTypeOf<LogPosition>();
    await plain.write([new Uint8Array(1), Buffer.alloc(1)], { timeoutMs: 5 });
    expectTypeOf(await plain.update((log) => (log(Buffer.from("a")), 5))).toEqualTypeOf<number>();
    const text = node.transact(async (tx, log) => {
      tx.put("a", "b");
      log(Buffer.from("a"));
      return Promise.resolve("done");
    });
    expectTypeOf(await text).toEqualTypeOf<string>();
    expectTypeOf(await replicate(state)).toEqualTypeOf<ReplicatedNode<Transaction>>();
    expectTypeOf(await node.confirmed(node.position, { replicas: 1 })).toEqualTypeOf<number>();
    expectTypeOf(node.on("synced", ({ position }) => position.offset)).toEqualTypeOf<() => void>();
    expectTypeOf(node.unref()).toEqualTypeOf<ReplicatedNode<Transaction>>();
    await using closed = node;
    expectTypeOf(closed.role).toEqualTypeOf<"primary" | "replica" | "closed">();
  };
  expect(use).toBeTypeOf("function");
});

test("types: what must not compile", () => {
  const wrong = async (node: ReplicatedNode, typed: ReplicatedNode<Transaction>): Promise<void> => {
    // @ts-expect-error a record is bytes
    await node.write("text");
    // @ts-expect-error what log() is given is bytes
    await node.update((log) => log("text"));
    await node.transact((tx) => {
      // @ts-expect-error a state without transactions hands nothing to a body
      expectTypeOf(tx.put).toBeFunction();
    });
    // @ts-expect-error a transaction is what the state says
    await typed.transact((tx: { get(key: string): string }) => tx.get("a"));
    // @ts-expect-error how many replicas
    await node.confirmed(node.position, {});
    // @ts-expect-error a level that there is none of
    await node.confirmed(node.position, { replicas: 1, level: "written" });
    // @ts-expect-error an event that there is none of
    node.on("snyced", () => undefined);
    // @ts-expect-error its port is its own
    node.port = 5;
    // @ts-expect-error times are numbers
    await node.synced({ timeoutMs: "5s" });
  };
  // @ts-expect-error a misspelt option
  const misspelt: ReplicateOptions = { listn: 5 };
  // @ts-expect-error an option of another name here
  const other: ReplicateOptions = { replPort: 5 };
  expect([typeof wrong, misspelt, other]).toHaveLength(3);
});
