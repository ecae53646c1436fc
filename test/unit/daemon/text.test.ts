import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeDecimal } from "../../../src/resp/decimal.ts";
import { matchesGlob } from "../../../src/resp/glob.ts";
import { replicationFields } from "../../../src/resp/info-replication.ts";
import { createLogger, type LogFormat } from "../../../src/node/logger.ts";
import { addLongDoubles } from "../../../src/resp/long-double.ts";
import type { LinkStatus, NodeStatus } from "../../../src/node/api.ts";
import { readInteger } from "../../../src/resp/numbers.ts";
import { progressLine, ProgressTerminal, shipLine } from "../../../src/daemon/progress.ts";
import { statusText } from "../../../src/daemon/status.ts";
import { FakeClient, FakeNode, FakePort } from "../resp/fake-node.ts";

describe("logger", () => {
  const line = (format: LogFormat, fields: Record<string, string | number | boolean>) => {
    let out = "";
    const log = createLogger({
      level: "info",
      format,
      sink: (text) => (out += text),
      now: () => 0,
    });
    log.debug("hidden");
    log.info("event", fields);
    return out;
  };

  test("json and pretty", () => {
    expect(line("json", { port: 1, ok: true, text: "a b" })).toBe(
      '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"event","port":1,"ok":true,"text":"a b"}\n',
    );
    expect(line("pretty", { port: 1, ok: true, text: 'a "b' })).toBe(
      '1970-01-01T00:00:00.000Z info  event port=1 ok=true text="a \\"b"\n',
    );
  });

  test("any text in a field => one line, no control characters, bounded", () => {
    const nasty = "a\nb\r\u001b[31m\u2028\u0085\u202e\u0000\u007f";
    for (const format of ["json", "pretty"] as const) {
      for (const text of [nasty, "x".repeat(100_000)]) {
        const out = line(format, { text });
        expect(out.length).toBeLessThan(2000);
        expect(out.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
        expect(out.endsWith("\n")).toBe(true);
      }
    }
    const parsed = JSON.parse(line("json", { text: nasty })) as { text: string };
    expect(parsed.text).toBe(nasty);
  });
});

describe("numbers", () => {
  test.each([
    ["0", 0],
    ["-1", -1],
    ["999999999999999", 999999999999999],
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9223372036854775808", null],
    ["", null],
    ["-", null],
    ["-0", null],
    ["01", null],
    ["+1", null],
    [" 1", null],
    ["1.0", null],
  ])("readInteger(%j) => %s", (text, expected) => {
    const bytes = Buffer.from(text);
    expect(readInteger(bytes, 0, bytes.length)).toBe(expected);
  });

  test("writeDecimal of any safe integer => String", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -200, max: 2000 })),
        (value) => {
          const into = Buffer.alloc(32, "?");
          expect(into.toString("latin1", 3, writeDecimal(into, 3, value))).toBe(String(value));
        },
      ),
    );
  });

  test.each([
    ["10.5", "0.1", "10.6"],
    ["5.0e3", "2.0e2", "5200"],
    ["3", "1.1", "4.1"],
    ["0", "-0", "0"],
    ["1", "inf", "infinite"],
    ["1", "nan", "not a float"],
    ["1", "", "not a float"],
    ["1", " 1", "not a float"],
    ["1", "1e99999", "not a float"],
    ["1", "0x10", "17"],
    ["-0.00000000000000001", "0", "-0.00000000000000001"],
  ])("addLongDoubles(%s, %s) => %s", (a, b, sum) => {
    expect(addLongDoubles(a, b)).toBe(sum);
  });
});

describe("glob", () => {
  test.each([
    ["*", "", true],
    ["*", "abc", true],
    ["a*c", "abc", true],
    ["a*c", "abd", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[c-a]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["[a", "a", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a\\", "a\\", true],
    ["**b", "ab", true],
    ["h[\\]]x", "h]x", true],
    ["", "", true],
    ["", "a", false],
  ])("%s on %j => %s", (pattern, text, expected) => {
    const bytes = Buffer.from(`__${text}__`);
    expect(matchesGlob(Buffer.from(pattern), bytes, 2, 2 + text.length)).toBe(expected);
  });

  test("many stars against a long key => quick", () => {
    const text = Buffer.alloc(5000, "a");
    const pattern = Buffer.from(`${"a*".repeat(40)}b`);
    const started = performance.now();
    expect(matchesGlob(pattern, text, 0, text.length)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("any pattern on any text => no throw", () => {
    const part = fc.constantFrom("*", "?", "[", "]", "^", "-", "\\", "a", "b");
    fc.assert(
      fc.property(fc.array(part), fc.string({ maxLength: 20 }), (parts, text) => {
        const bytes = Buffer.from(text);
        matchesGlob(Buffer.from(parts.join("")), bytes, 0, bytes.length);
      }),
    );
  });
});

const LINK: LinkStatus = {
  replicaId: "r",
  nodeId: "n",
  remote: "127.0.0.1:5000",
  host: "10.0.0.1",
  clientPort: 6381,
  replPort: 16381,
  state: "shipping",
  sent: 10,
  applied: 5,
  lagBytes: 5,
  lagMs: 12,
  lastAckAgoMs: 1500,
  outputBytes: 0,
  connectedAtMs: 0,
  ship: {
    state: "sending",
    snapshotId: "s",
    chunksSent: 3,
    chunksAcked: 2,
    bytesSent: 5_242_880,
    bytesTotal: 10_485_760,
    startedAtMs: 0,
  },
};
const PRIMARY: NodeStatus = {
  ...new FakeNode().status(),
  links: [LINK, { ...LINK, state: "streaming", ship: null }],
};
const REPLICA: NodeStatus = {
  ...PRIMARY,
  role: "replica",
  links: [],
  lineage: [{ history: "4".repeat(32), left: 77 }],
  upstream: {
    host: "10.0.0.9",
    port: 16380,
    state: "restoring",
    lastIoAgoMs: 100,
    downForMs: 2500,
    lastError: "bad\nnews",
    retryInMs: 0,
    received: 20,
    applied: 10,
    upstreamLagBytes: 10,
    rootLink: "down",
    rootDownForMs: 2500,
    lagBytes: 25,
    staleMs: 300,
    restore: { chunks: 4, bytes: 1_048_576, bytesTotal: 4_194_304, startedAtMs: 0 },
  },
};

describe("INFO replication", () => {
  const fields = (status: NodeStatus) => Object.fromEntries(replicationFields(status));

  test("primary with a shipping and a streaming replica", () => {
    expect(fields(PRIMARY)).toMatchObject({
      role: "master",
      connected_slaves: 2,
      slave0: "ip=10.0.0.1,port=6381,state=send_bulk,offset=5,lag=1,lag_bytes=5,lag_ms=12",
      master_replid: `${"3".repeat(32)}00000000`,
      master_replid2: "0".repeat(40),
      second_repl_offset: -1,
      replica_lag_bytes: 5,
    });
    expect(fields(PRIMARY)["slave1"]).toContain("state=online");
  });

  test("replica that restores, with a history before", () => {
    expect(fields(REPLICA)).toMatchObject({
      role: "slave",
      master_host: "10.0.0.9",
      master_link_status: "down",
      master_sync_in_progress: 1,
      master_sync_perc: "25.00",
      slave_repl_offset: 10,
      slave_read_only: 1,
      upstream_lag_bytes: 10,
      root_link_status: "down",
      root_link_down_since_seconds: 2,
      root_lag_bytes: 25,
      root_stale_ms: 300,
      master_replid2: `${"4".repeat(32)}00000000`,
      second_repl_offset: 77,
      session_last_error: "bad news",
    });
  });

  test("what a peer announces cannot add fields", () => {
    const status = { ...PRIMARY, links: [{ ...LINK, host: "x,state=online\r\nrole:slave" }] };
    expect(String(fields(status)["slave0"])).not.toMatch(/[\r\n]|,state=online/);
  });

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

describe("status and progress", () => {
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

  test("the page: plain without colour, one line for each fact", () => {
    const text = statusText(REPLICA, false, 1000);
    expect(text).toMatch(/^role {6}replica/);
    expect(text).toContain("upstream  10.0.0.9:16380 restoring, applied 10, 10 bytes behind it");
    expect(text).toContain(
      "root      link down for 3 s, 25 bytes behind its last known end, state at most 300 ms old by its clock",
    );
    expect(text).toContain("last error: bad\\u000anews");
    expect(text).not.toContain("\u001b");
    expect(statusText(PRIMARY, true, 1000)).toContain("\u001b[32mstreaming");
  });
});
