/**
 * Inputs that once failed or are worth a second look, one file each, replayed by the fuzzers' tests:
 *
 *   corpus/<fuzzer>/<name>.hex   bytes in hex digits; a line that begins with # says what it is
 *   corpus/<fuzzer>/<name>.txt   text as it is
 *
 * A fuzzer that fails names its input as such a file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "corpus");

/** All inputs of one fuzzer, as (name, bytes). */
export function corpus(fuzzer: string): [string, Buffer][] {
  const names = readdirSync(join(ROOT, fuzzer)).sort();
  return names.map((name) => {
    const content = readFileSync(join(ROOT, fuzzer, name));
    return [name, name.endsWith(".hex") ? fromHex(content.toString("latin1")) : content];
  });
}

function fromHex(text: string): Buffer {
  const digits = text.replaceAll(/^#.*$/gm, "").replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error("not hex digits");
  return Buffer.from(digits, "hex");
}

/** Runs one input of a fuzzer; a failure says how to keep it. */
export async function trying<T>(
  fuzzer: string,
  input: Buffer,
  run: () => T | Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const hex = input.toString("hex");
    throw new Error(`failed on this input; keep it as corpus/${fuzzer}/<name>.hex: ${hex}`, {
      cause: error,
    });
  }
}
