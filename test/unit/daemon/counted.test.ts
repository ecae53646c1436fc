/** One, or more than one. */
import { expect, test } from "vitest";
import { counted } from "../../../src/daemon/counted.ts";

test.each([
  [0, "0 replicas"],
  [1, "1 replica"],
  [2, "2 replicas"],
])("%i => %s", (count, text) => {
  expect(counted(count, "replica")).toBe(text);
});
