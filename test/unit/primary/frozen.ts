/** A frozen state for tests: nothing in it is read, and it tells when it is closed. */
import type { FrozenState } from "../../../src/store/state.ts";

export const frozen = (closed: string[]): FrozenState => ({
  records: 1,
  bytes: 1,
  read: () => {
    throw new Error("not read here");
  },
  digest: () => Promise.reject(new Error("not summed here")),
  close: () => void closed.push("closed"),
});
