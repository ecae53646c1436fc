/** What a client port answers to the opening of a connection. */
import { expect, test } from "vitest";
import { CLIENT_PORT_PROBE } from "../../../src/node/target-probe.ts";

const TARGET = { host: "upstream", port: 6380 };

function read(answer: string): unknown {
  return CLIENT_PORT_PROBE.read(Buffer.from(answer, "latin1"), TARGET);
}

test.each([
  "*2\r\n$9\r\nrepl_port\r\n:16380\r\n",
  "%1\r\n$9\r\nrepl_port\r\n:16380\r\n",
  "*2\r\n$9\r\nrepl_port\r\n$5\r\n16380\r\n",
])("%j => its replication port", (answer) => {
  expect(read(answer)).toEqual({ host: "upstream", port: 16380 });
});

test.each(["*2\r\n$9\r\nrepl_port\r\n:163", "-ERR", "*"])("%j => more is waited for", (answer) => {
  expect(read(answer)).toBeNull();
});

test.each([
  ["99999999", "99999999"],
  ["0", "0"],
  ["65536", "65536"],
  ["9".repeat(400), "Infinity"],
])("a port that is none, %s => an error that names it and what is allowed", (port, shown) => {
  expect(() => read(`*2\r\n$9\r\nrepl_port\r\n:${port}\r\n`)).toThrow(
    `it names the replication port ${shown}, expected 1 to 65535`,
  );
});

test.each([
  ["-ERR max number of clients reached\r\n", /no place left \(max number of clients reached\)/],
  ["-NOAUTH Authentication required.\r\n", /requires a password: name its replication port/],
  ["-ERR unknown command 'REPL.INFO'\r\n", /speaks RESP but is not a hawser node/],
  ["-ERR odd \u001b[2J\u009b\r\n", /^it answered: ERR odd \\u\{1b\}\[2J\\u\{9b\}$/],
  ["+OK\r\n", /not a hawser node/],
  ["HTTP/1.1 400 Bad Request\r\n", /not a hawser node/],
] as const)("%j => in words for an operator", (answer, words) => {
  expect(() => read(answer)).toThrow(words);
});
