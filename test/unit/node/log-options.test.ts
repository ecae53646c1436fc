/** What a node's log is given: its limits follow the settings. */
import { expect, test } from "vitest";
import { Backlog } from "../../../src/log/backlog.ts";
import { MEMORY_ONLY } from "../../../src/log/log-store.ts";
import { logOptions } from "../../../src/node/log-options.ts";

test("a setting that changes => the limit of the log changes", () => {
  const settings = { backlogBytes: 1 << 20, backlogTtlMs: 0 };
  const options = logOptions(settings, null, null);
  const log = new Backlog(0, 0, options);
  expect([log.sizeBytes, options.ttlMs, log.store]).toEqual([1 << 20, 0, MEMORY_ONLY]);
  Object.assign(settings, { backlogBytes: 2 << 20, backlogTtlMs: 5 });
  expect([log.sizeBytes, log.limits.ttlMs]).toEqual([2 << 20, 5]);
});
