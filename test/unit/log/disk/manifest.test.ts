import { describe, expect, test } from "vitest";
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
} from "../../../../src/log/disk/manifest.ts";
import { crc32 } from "../../../../src/wire/crc.ts";
import { DIRECTORY, HISTORY } from "./machine.ts";

const MANIFEST: Manifest = {
  directoryId: DIRECTORY,
  generation: 3,
  firstLog: 17,
  lastLog: 19,
  checkpoints: [
    {
      position: { history: HISTORY, offset: 4096, chain: 7 },
      log: 18,
      records: 10,
      bytes: 2000,
      clockMs: 1_767_225_600_000,
    },
  ],
  incompleteTo: null,
};

function withSum(value: unknown): string {
  const line = `${JSON.stringify(value)}\n`;
  const bytes = Buffer.from(line);
  return `${line}${crc32(bytes, 0, bytes.length, 0).toString(16).padStart(8, "0")}\n`;
}

describe("manifest", () => {
  test.each([null, "unknown", 12] as const)("comes back as it was, incomplete to %s", (to) => {
    const manifest: Manifest = { ...MANIFEST, incompleteTo: to };
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
  });

  test("what it cannot keep is not written", () => {
    const incompleteTo = Number.POSITIVE_INFINITY;
    expect(() => encodeManifest({ ...MANIFEST, incompleteTo })).toThrow();
  });

  test("every flipped bit and every cut is refused", () => {
    const text = Buffer.from(encodeManifest(MANIFEST));
    for (let at = 0; at < text.length; at++) {
      const flipped = Buffer.from(text);
      flipped[at] = flipped[at]! ^ 1;
      expect(() => decodeManifest(flipped.toString()), `byte ${at}`).toThrow();
      expect(() => decodeManifest(text.subarray(0, at).toString()), `cut ${at}`).toThrow();
    }
  });

  test.each([
    ["version", { version: 2 }],
    ["directoryId", { directoryId: "x" }],
    ["generation", { generation: -1 }],
    ["firstLog", { firstLog: 1.5 }],
    ["lastLog", { lastLog: null }],
    ["checkpoints", { checkpoints: [1, 2, 3] }],
    ["checkpoint", { checkpoints: [null] }],
    ["position", { checkpoints: [{ ...MANIFEST.checkpoints[0], position: 1 }] }],
    ["clockMs", { checkpoints: [{ ...MANIFEST.checkpoints[0], clockMs: "1" }] }],
    ["incompleteTo", { incompleteTo: "much" }],
  ])("names the field that is wrong: %s", (name, change) => {
    expect(() => decodeManifest(withSum({ version: 1, ...MANIFEST, ...change }))).toThrow(name);
  });
});
