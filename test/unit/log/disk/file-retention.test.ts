import { describe, expect, test } from "vitest";
import { firstToKeep, type RetentionNeeds } from "../../../../src/log/disk/file-retention.ts";

/** Files 3 to 8 begin at 300, 400 ... 800; the log ends at 850. */
const NEEDS: RetentionNeeds = {
  files: [3, 4, 5, 6, 7, 8].map((number) => ({ number, start: 100 * number })),
  checkpoints: [7, 5],
  end: 850,
  keepBytes: 200,
  reading: Number.POSITIVE_INFINITY,
  isDiskFull: false,
};

describe("firstToKeep", () => {
  test.each<[string, Partial<RetentionNeeds>, number]>([
    ["the older checkpoint keeps its log", {}, 5],
    ["log-keep keeps more than that", { keepBytes: 500 }, 3],
    ["log-keep counts from the file that has the offset", { keepBytes: 401 }, 4],
    ["more than there is keeps all", { keepBytes: 10_000 }, 3],
    ["a link that reads holds its file", { reading: 420 }, 4],
    ["without a second checkpoint all stays", { checkpoints: [7] }, 3],
    ["without any checkpoint all stays", { checkpoints: [] }, 3],
    ["a full disk keeps the newer checkpoint", { isDiskFull: true }, 7],
    ["a full disk keeps nothing for replicas", { isDiskFull: true, keepBytes: 500 }, 7],
    ["files that are gone do not come back", { checkpoints: [7, 2] }, 3],
    ["a full disk without a checkpoint keeps all", { isDiskFull: true, checkpoints: [] }, 3],
  ])("%s", (_, change, first) => {
    expect(firstToKeep({ ...NEEDS, ...change })).toBe(first);
  });
});
