/** REPLICAOF: which hosts are taken. */
import { describe, expect, test } from "vitest";
import { FakeClient, FakePort } from "../fake-node.ts";

describe("REPLICAOF: hosts", () => {
  test.each([
    ["", /found nothing/],
    ["a b", /expected a host: a name/],
    ["a\r\nb", /expected a host/],
    ["a\u0000", /expected a host/],
    ["[localhost]", /expected a host/],
    ["[::1", /expected a host/],
    ["a:b", /expected a host/],
    ["::1]", /expected a host/],
    ["h".repeat(300), /at most 255 bytes/],
    ["h".repeat(256), /at most 255 bytes/],
    ["\u00e9", /expected a host/],
  ])("%j => refused, nothing changed", (host, why) => {
    const port = new FakePort();
    const client = new FakeClient(port);
    const words = ["REPLICAOF", host, "6380"].map((word) => Buffer.from(word));
    const sent = Buffer.concat([
      Buffer.from("*3\r\n"),
      ...words.map((word) =>
        Buffer.concat([Buffer.from(`$${word.length}\r\n`), word, Buffer.from("\r\n")]),
      ),
    ]);
    const reply = client.send(sent);
    expect(reply).toMatch(/^-ERR Invalid master host '[^\r\n]*': [^\r\n]*\r\n$/);
    expect(reply).toMatch(why);
    expect([port.node.followed, port.node.role]).toEqual([[], "primary"]);
  });

  test.each([
    ["localhost", "localhost"],
    ["10.0.0.2", "10.0.0.2"],
    ["my_db-1.example.org", "my_db-1.example.org"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["[fe80::1%eth0]", "fe80::1%eth0"],
    ["::ffff:127.0.0.1", "::ffff:127.0.0.1"],
    ["2001:db8:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:1"],
    ["h".repeat(255), "h".repeat(255)],
  ])("%s => followed", (host, followed) => {
    const port = new FakePort();
    expect(new FakeClient(port).call("REPLICAOF", host, "6380")).toBe("+OK\r\n");
    expect(port.node.followed).toEqual([`${followed}:6380`]);
  });
});
