/**
 * Asking a node's client port where its replication port is, so that --of and REPLICAOF take either.
 *
 *   *1 $9 REPL.INFO  ->  a flat list (or map) of names and values, "repl_port" among them
 *
 * Owns: the question, reading the answer. Does not own: the connection (upstream-socket.ts).
 */
import type { Target, TargetProbe } from "./upstream-socket.ts";

export const CLIENT_PORT_PROBE: TargetProbe = {
  question: Buffer.from("*1\r\n$9\r\nREPL.INFO\r\n"),
  read(answer: Buffer, target: Target): Target | null {
    const text = answer.toString("latin1");
    if (text.startsWith("-")) {
      if (!text.includes("\r\n")) return null;
      throw new Error(explain(text.slice(1, text.indexOf("\r\n"))));
    }
    if (!/^[*%]\d/.test(text) && text.length > 1) throw new Error("it is not a hawser node");
    const port = /repl_port\r\n(?:\$\d+\r\n|:)(\d+)\r\n/.exec(text);
    if (port === null) return null;
    return { host: target.host, port: Number(port[1]) };
  },
};

function explain(error: string): string {
  if (error.startsWith("NOAUTH"))
    return "its client port requires a password: name its replication port instead";
  if (error.startsWith("ERR unknown command")) return "it speaks RESP but is not a hawser node";
  return `it answered: ${error.slice(0, 200)}`;
}
