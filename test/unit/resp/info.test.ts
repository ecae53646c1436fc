/** INFO as a client asks for it: sections, all of them, none. */
import { describe, expect, test } from "vitest";
import { FakeClient, FakePort } from "./fake-node.ts";

describe("INFO", () => {
  test("INFO by section, all and default", () => {
    const client = new FakeClient(new FakePort());
    const all = client.call("INFO");
    for (const title of [
      "Server",
      "Clients",
      "Memory",
      "Persistence",
      "Stats",
      "Replication",
      "CPU",
      "Cluster",
      "Keyspace",
    ]) {
      expect(all).toContain(`# ${title}\r\n`);
    }
    const some = client.call("INFO", "cpu", "clients");
    expect(some).toContain("# Clients");
    expect(some).not.toContain("# Server");
    expect(client.call("INFO", "nosuch")).toBe("$0\r\n\r\n");
    client.call("SET", "k", "v", "EX", "10");
    expect(client.call("INFO", "keyspace")).toContain("db0:keys=1,expires=1,avg_ttl=0");
  });
});
