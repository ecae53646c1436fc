/** The types of an embedder's options are those of the table of settings: an option is written down once. */
import { expect, expectTypeOf, test } from "vitest";
import { Primary, type PrimaryOptions, type ReplicaOptions } from "../../../src/index.ts";
import type { EmbeddedValues } from "../../../src/node/settings.ts";

/** Not of the table (src/embed/settings.ts). */
type Other = "log" | "workerUrl";

test("options: what is documented is in the table, with the same type, and the other way round", () => {
  expectTypeOf<Omit<PrimaryOptions, Other>>().toEqualTypeOf<EmbeddedValues<"primary">>();
  type OfReplica = Omit<ReplicaOptions, Other | "of">;
  expectTypeOf<OfReplica>().toEqualTypeOf<Omit<EmbeddedValues<"replica">, "of">>();
  expectTypeOf<ReplicaOptions["of"]>().toEqualTypeOf<string>();
  expectTypeOf<EmbeddedValues<"replica">["logLevel"]>().toEqualTypeOf<
    "debug" | "info" | "warn" | "error" | undefined
  >();
});

test.each<[unknown, RegExp]>([
  [null, /options are null; an object is allowed/],
  [7, /options are 7; an object is allowed/],
  [{ log: "stderr" }, /log: of type string; expected a function/],
  [{ workerUrl: "worker.js" }, /workerUrl: "worker.js" is not allowed; expected an absolute path/],
  [{ workerUrl: 7 }, /workerUrl: 7 is not allowed/],
  [{ backoffMaxMs: 1 }, /backoffMaxMs: 1 is not allowed; expected a whole number from 100/],
])("options that are none: %j => UsageError, before anything is opened", async (given, says) => {
  const opened = Primary.open(given as PrimaryOptions);
  await expect(opened).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringMatching(says) as string,
  });
});
