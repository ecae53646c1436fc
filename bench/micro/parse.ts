/** Pipelined commands in reads of 64 KiB, cut wherever they end. */
import type { Case } from "../lib/measure.ts";
import { shipped } from "../lib/shipped.ts";
import { piecesOf } from "./decode.ts";
import { KEY_BYTES, VALUE_BYTES } from "./material.ts";

const COMMANDS = 8192;

export async function parse(): Promise<Case[]> {
  const { RespParser } = await shipped("resp/parser");
  const commands = { set: set(), get: `*2\r\n$3\r\nGET\r\n$${KEY_BYTES}\r\nkey:000000000000\r\n` };
  return Object.entries(commands).map(([name, command]) => {
    const reads = piecesOf(Buffer.from(command.repeat(COMMANDS), "latin1"));
    const parser = new RespParser();
    let count = 0;
    return {
      name: `parse.${name}`,
      operation: `a pipelined ${name.toUpperCase()} of ${command.length} bytes`,
      ops: COMMANDS,
      isSteady: true,
      bytes: command.length,
      run: () => {
        for (const read of reads) {
          parser.feed(read);
          while (parser.parse()) count += parser.count;
        }
        if (count % COMMANDS !== 0) throw new Error(`${count} commands were found`);
      },
      floor: {
        name: "Buffer.indexOf over the bytes",
        run: () => {
          for (const read of reads) if (read.indexOf(0) >= 0) throw new Error("a zero");
        },
      },
    };
  });
}

function set(): string {
  return `*3\r\n$3\r\nSET\r\n$${KEY_BYTES}\r\nkey:000000000000\r\n$${VALUE_BYTES}\r\n${"v".repeat(VALUE_BYTES)}\r\n`;
}
