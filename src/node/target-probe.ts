/**
 * What a client port says to the opening of a connection (wire/opening.ts), so that --of and REPLICAOF
 * take either port.
 *
 *   a flat list (or map) of names and values, "repl_port" among them     a node: dial there
 *   an error                                                             in words for an operator
 *
 * Owns: reading the answer. Does not own: the connection (upstream-socket.ts).
 */
import { printable } from "../wire/text.ts";
import type { Address } from "../net/address.ts";
import { type TargetProbe, WrongTarget } from "./upstream-socket.ts";

const PORT_MAX = 65_535;
/** Characters of an error that are shown. */
const SHOWN_CHARS = 200;

export const CLIENT_PORT_PROBE: TargetProbe = {
  read(answer: Buffer, target: Address): Address | null {
    const text = answer.toString("latin1");
    if (text.startsWith("-")) {
      if (!text.includes("\r\n")) return null;
      throw explain(text.slice(1, text.indexOf("\r\n")));
    }
    if (!/^[*%]\d/.test(text) && text.length > 1) throw new WrongTarget("it is not a hawser node");
    const found = /repl_port\r\n(?:\$\d+\r\n|:)(\d+)\r\n/.exec(text);
    if (found === null) return null;
    const port = Number(found[1]);
    if (port < 1 || port > PORT_MAX)
      throw new WrongTarget(
        `it names the replication port ${port.toString().slice(0, 20)}, expected 1 to ${PORT_MAX}`,
      );
    return { host: target.host, port };
  },
};

/** What an error means for whoever wrote the address, and whether it passes by itself. */
const MEANINGS: readonly (readonly [string, string, boolean])[] = [
  ["NOAUTH", "its client port requires a password: name its replication port instead", false],
  ["ERR unknown command", "it speaks RESP but is not a hawser node", false],
  [
    "ERR max number of clients reached",
    "its client port has no place left (max number of clients reached): name its replication port instead",
    true,
  ],
];

function explain(error: string): Error {
  for (const [start, meaning, passes] of MEANINGS)
    if (error.startsWith(start)) return passes ? new Error(meaning) : new WrongTarget(meaning);
  return new Error(`it answered: ${printable(error.slice(0, SHOWN_CHARS))}`);
}
