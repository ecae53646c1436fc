/** The file that says how much of a kept snapshot is synced. */
import { describe, expect, test } from "vitest";
import { readCheckpoint } from "../../../src/replica/part-checkpoint.ts";

describe("part checkpoint", () => {
  const good = {
    version: 2,
    begin: {
      snapshotId: "ab".repeat(16),
      position: { history: "cd".repeat(16), offset: 5, chain: 6 },
      rank: { term: 2, run: 3 },
      lineage: [{ history: "ef".repeat(16), left: 3, term: 1, run: 0 }],
      sync: { now: { copies: 1, level: "durable", members: ["12".repeat(16)] }, was: null },
      format: { name: "f", version: 1 },
      firstChunk: 0,
      records: 1,
      bytes: 2,
    },
    chunks: 1,
    fileBytes: 100,
  };

  test("what was written is read back", () => {
    expect(readCheckpoint(JSON.stringify(good))).toMatchObject({ chunks: 1, fileBytes: 100 });
    expect(readCheckpoint(JSON.stringify(good)).begin).toEqual({ type: "snapshot", ...good.begin });
  });

  test.each([
    ["version", { ...good, version: 1 }],
    ["begin", { ...good, begin: null }],
    ["chunks", { ...good, chunks: -1 }],
    ["chunks", { ...good, chunks: 1.5 }],
    ["fileBytes", { ...good, fileBytes: "100" }],
    ["snapshotId", { ...good, begin: { ...good.begin, snapshotId: "../../x" } }],
    [
      "chain",
      { ...good, begin: { ...good.begin, position: { ...good.begin.position, chain: 2 ** 32 } } },
    ],
    ["rank", { ...good, begin: { ...good.begin, rank: undefined } }],
    ["rank.term", { ...good, begin: { ...good.begin, rank: { term: 2 ** 53, run: 0 } } }],
    ["rank.run", { ...good, begin: { ...good.begin, rank: { term: 0, run: 2 ** 32 } } }],
    ["lineage", { ...good, begin: { ...good.begin, lineage: {} } }],
    [
      "lineage",
      {
        ...good,
        begin: { ...good.begin, lineage: Array.from({ length: 65 }, () => good.begin.lineage[0]) },
      },
    ],
    [
      "format.name",
      { ...good, begin: { ...good.begin, format: { name: "f".repeat(256), version: 1 } } },
    ],
    ["checkpoint", []],
    ["checkpoint", null],
  ])("a wrong %s => an Error that names it", (name, value) => {
    expect(() => readCheckpoint(JSON.stringify(value))).toThrow(
      Array.isArray(value) ? "version" : name,
    );
  });
});
