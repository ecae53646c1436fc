/** What a link has handed to its socket: pieces in order, each released once. */
import { describe, expect, test } from "vitest";
import { Output } from "../../../src/primary/output.ts";

describe("output", () => {
  test("pieces are released in order, each once, the rest when the socket is gone", () => {
    const released: number[] = [];
    const output = new Output();
    for (let n = 0; n < 3000; n++) output.push(2, { release: () => released.push(n) });
    output.push(1, null);
    expect(output.bytes).toBe(6001);
    for (let n = 0; n < 2000; n++) expect(output.taken()).toBe(2);
    expect(output.bytes).toBe(2001);
    output.releaseAll();
    expect(output.bytes).toBe(0);
    expect(released).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    expect(() => output.taken()).toThrow("more pieces");
  });

  test("a release that pushes again finds a consistent queue", () => {
    const output = new Output();
    output.push(5, { release: () => output.push(7, null) });
    output.taken();
    expect(output.bytes).toBe(7);
  });
});
