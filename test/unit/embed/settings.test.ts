/** The types of an embedder's options are those of the table of settings: an option is written down once. */
import { expectTypeOf, test } from "vitest";
import type { PrimaryOptions, ReplicaOptions } from "../../../src/index.ts";
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
