/**
 * A copy of the sources and the simulator in a directory of its own, with textual changes: the
 * shipped code is never touched.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Edit {
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

const ROOT = resolve(import.meta.dirname, "../..");

/** The text of the edit's file with its change; throws when it does not fit. */
export function edited(text: string, { file, from, to }: Edit): string {
  assert(text.split(from).length === 2, `${file} does not hold this text once: ${from}`);
  return text.replace(from, () => to);
}

export class Workbench {
  private readonly dir = mkdtempSync(join(tmpdir(), "hawser-sim-"));

  constructor(edits: readonly Edit[]) {
    for (const part of ["src", "test/sim", "tools", "scripts/sim", "package.json"])
      cpSync(join(ROOT, part), join(this.dir, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.dir, "node_modules"));
    for (const edit of edits) {
      const path = join(this.dir, edit.file);
      writeFileSync(path, edited(readFileSync(path, "utf8"), edit));
    }
  }

  /** Runs the simulator until a seed fails. Resolves with its output, or null after `limitMs`. */
  run(seeds: number, limitMs: number, flags: readonly string[]): Promise<string | null> {
    const args = ["--import", "tsx", "scripts/sim/main.ts", "--quiet", "--until-failure"];
    args.push("--seeds", String(seeds), ...flags);
    const child = spawn(process.execPath, args, { cwd: this.dir });
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
    child.stderr.on("data", (bytes: Buffer) => (output += bytes.toString()));
    return new Promise((done) => {
      child.on("close", (_code, signal) => {
        clearTimeout(timer);
        done(signal === null ? output : null);
      });
    });
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }
}
