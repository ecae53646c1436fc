/** A full sync in a terminal: one line that comes back below the log. */
import { describe, expect, test } from "vitest";
import { progressLine, ProgressTerminal, shipLine } from "../../../src/daemon/progress.ts";
import { LINK, PRIMARY, REPLICA } from "../resp/status-examples.ts";

describe("progress", () => {
  test("progress lines: chunks, MB, MB/s, ETA", () => {
    expect(progressLine(REPLICA, 1000)).toBe("full sync: 4 chunks, 1.0/4.0 MB, 1.0 MB/s, ETA 3 s");
    expect(progressLine(PRIMARY, 1000)).toBe("");
    expect(shipLine(LINK, 2000)).toBe("full sync: 3 chunks, 5.0/10.0 MB, 2.5 MB/s, ETA 2 s");
  });

  test("progress on a terminal => log lines stand alone, it comes back below them", () => {
    let out = "";
    const terminal = new ProgressTerminal({ write: (text: string) => (out += text) });
    terminal.progress("");
    terminal.log("first\n");
    terminal.progress("10 %");
    terminal.log("second\n");
    terminal.progress("20 %");
    terminal.progress("");
    terminal.log("third\n");
    const erase = "\r\u001b[K";
    expect(out).toBe(`first\n${erase}10 %${erase}second\n10 %${erase}20 %${erase}third\n`);
  });
});
