/**
 * The adapters for stores on disk, and the example with a schema of its own, keep the contract of a state: all
 * checks of the suite, with real files and a process that is killed.
 */
import { describe, test } from "vitest";
import { conformance, type ConformanceOptions } from "../../src/conformance/index.ts";

const subjectUrl = (name: string): URL => new URL(`../tools/${name}-subject.mjs`, import.meta.url);

describe.each(["level", "memory-level", "lmdb", "accounts"])("%s", async (name) => {
  const module = subjectUrl(name);
  const { default: subject } = (await import(module.href)) as { default: ConformanceOptions };
  for (const { name: check, run, timeoutMs } of conformance({ ...subject, module, execArgv: [] }))
    test(check, run, timeoutMs + 10_000);
});
