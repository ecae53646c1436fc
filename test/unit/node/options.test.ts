import { describe, expect, test } from "vitest";
import { helpText } from "../../../src/daemon/help.ts";
import { SETTINGS } from "../../../src/node/settings.ts";
import { UsageError } from "../../../src/node/option-values.ts";
import { readCommandLine } from "../../../src/daemon/command-line.ts";
import type { NodeOptions, Variables } from "../../../src/node/options.ts";

function node(argv: readonly string[], variables: Variables = {}, file = "{}"): NodeOptions {
  const line = readCommandLine(argv, variables, () => file);
  if (line.kind !== "node") throw new Error(`not a node but ${line.kind}`);
  return line.options;
}

describe("options: values", () => {
  test("defaults of a primary and of a replica", () => {
    expect(node(["primary"])).toMatchObject({
      port: 6380,
      replPort: 16380,
      bind: "127.0.0.1",
      of: null,
      backlogBytes: 256 * 1024 * 1024,
      holdBytes: 0,
      logKeepBytes: 0,
      shipGatherMs: 200,
      throttleMaxMs: 60_000,
      windowBytes: 64 * 1024 * 1024,
      ringSlots: 16,
      chunkBytes: 256 * 1024,
      silenceMs: 60_000,
      stallMs: 30_000,
      onDivergence: "resync",
    });
    expect(node(["replica", "--of", "localhost:6380"])).toMatchObject({
      port: 6381,
      replPort: 16381,
      of: { host: "localhost", port: 6380 },
    });
  });

  test.each([
    [
      "announce-host",
      "h".repeat(256),
      /announce-host: "h{40}\.\.\." expected a host of at most 255 bytes/,
    ],
    [
      "announce-host",
      "\u00e9".repeat(128),
      /announce-host: "é{128}" expected a host of at most 255 bytes/,
    ],
    ["announce-host", "two words", /announce-host: "two words" expected a host: a name/],
    ["bind", "h".repeat(256), /bind: .*a host of at most 255 bytes/],
    ["announce-host", "", /announce-host: "" expected a host, found nothing/],
    ["bind", "a b", /bind: "a b" expected a host: a name/],
    ["seed-from", ":6380", /seed-from: ":6380" expected a host, found nothing/],
    ["seed-from", "a b:6380", /seed-from: .* expected a host: a name/],
    ["seed-from", "[]:6380", /seed-from: .* expected a host/],
    ["seed-from", "[host]:6380", /seed-from: .* expected a host/],
    ["seed-from", `ok:1,${"h".repeat(256)}:2`, /seed-from: .*a host of at most 255 bytes/],
    ["seed-from", `${"\u00e9".repeat(128)}:2`, /seed-from: .*a host of at most 255 bytes/],
  ])("--%s %s => refused with the limit", (name, text, error) => {
    const argv = ["primary", `--${name}`, text, "--insecure"];
    expect(() => node(argv)).toThrow(UsageError);
    expect(() => node(argv)).toThrow(error);
  });

  test("--announce-host: as long as HELLO carries it => taken", () => {
    const host = "h".repeat(255);
    expect(node(["primary", "--announce-host", host]).announceHost).toBe(host);
  });

  test("flag > variable > file > default", () => {
    const file = '{"port": 1, "window": "1mb", "maxmemory": "2gb", "insecure": true}';
    const variables = { HAWSER_PORT: "2", HAWSER_WINDOW: "2mb" };
    expect(node(["primary", "--config", "f", "--port", "3"], variables, file)).toMatchObject({
      port: 3,
      windowBytes: 2 * 1024 * 1024,
      maxmemory: 2 * 1024 * 1024 * 1024,
      insecure: true,
      shipRate: 0,
    });
    expect(node(["primary"], { HAWSER_CONFIG: "f" }, file).port).toBe(1);
  });

  test("a profile comes after everything that is given, and before the defaults", () => {
    const MIB = 1024 * 1024;
    const file = '{"profile": "edge", "stall": "7s"}';
    expect(node(["primary", "--config", "f"], {}, file)).toMatchObject({
      windowBytes: MIB,
      shipWindowBytes: MIB,
      ringSlots: 8,
      chunkBytes: 64 * 1024,
      silenceMs: 300_000,
      stallMs: 7_000,
      handshakeMs: 30_000,
      backoffMaxMs: 60_000,
      backlogBytes: 256 * MIB,
    });
    const variables = { HAWSER_PROFILE: "wan", HAWSER_SILENCE: "90s" };
    expect(node(["primary", "--config", "f", "--chunk", "32kb"], variables, file)).toMatchObject({
      shipWindowBytes: 32 * MIB,
      chunkBytes: 32 * 1024,
      silenceMs: 90_000,
      stallMs: 7_000,
    });
  });

  test.each([
    ["--backlog", "65536", "backlogBytes", 65_536],
    ["--backlog=1.5mb", "", "backlogBytes", 1.5 * 1024 * 1024],
    ["--ship-rate", "10MB", "shipRate", 10 * 1024 * 1024],
    ["--ship-gather", "1s", "shipGatherMs", 1000],
    ["--throttle-max", "2m", "throttleMaxMs", 120_000],
    ["--backlog-ttl", "30", "backlogTtlMs", 30_000],
    ["--port", "0", "replPort", 0],
    ["--allow-reset", "", "allowReset", true],
    ["--allow-reset", "false", "allowReset", false],
    ["--of", "[::1]:7000", "of", { host: "::1", port: 7000 }],
  ] as const)("%s %s => %s is %j", (flag, value, name, expected) => {
    const command = flag === "--of" ? "replica" : "primary";
    const argv = [command, flag, ...(value === "" ? [] : [value])];
    expect(node(argv)[name]).toEqual(expected);
  });
});

describe("options: what is wrong is named, and what is allowed", () => {
  test.each([
    [["nosuch"], /unknown command "nosuch": expected primary, replica/],
    [["primary", "--nosuch"], /unknown flag --nosuch; allowed: --config --port/],
    [["primary", "--backlgo", "1mb"], /unknown flag --backlgo: did you mean --backlog\?; allowed:/],
    [["status", "--pasword", "x"], /unknown flag --pasword: did you mean --password\?/],
    [["primary", "--of", "a:1"], /--of: only for hawser replica/],
    [["primary", "stray"], /unexpected argument "stray"/],
    [["primary", "--port"], /--port: a value is missing/],
    [["primary", "--port", "99999"], /--port: "99999" expected a port, 0 to 65535/],
    [["primary", "--port", "1", "--port", "2"], /--port: given twice/],
    [["primary", "--backlog", "1tb"], /--backlog: "1tb" expected a size such as/],
    [["primary", "--backlog", "10"], /--backlog: 10 is out of range; expected 16kb to/],
    [["primary", "--backlog", "0"], /--backlog: 0 is out of range; expected 16kb to/],
    [["primary", "--window", "1kb"], /--window: 1024 is out of range; expected 16kb to/],
    [["primary", "--hold", "1"], /--hold: 1 is out of range; expected 0, or 16kb to/],
    [["primary", "--ship-rate", "1"], /--ship-rate: 1 is out of range; expected 0, or 16kb to/],
    [
      ["primary", "--ship-gather", "2m"],
      /--ship-gather: 120000 is out of range; expected 0 to 60s/,
    ],
    [["primary", "--throttle-max", "0"], /--throttle-max: 0 is out of range; expected 100ms to/],
    [["primary", "--throttle-max", "9999999m"], /--throttle-max: \d+ is out of range/],
    [["primary", "--backlog-ttl", "999999m"], /--backlog-ttl: \d+ is out of range/],
    [["primary", "--stall", "9999999m"], /--stall: \d+ is out of range; expected 3s to 1440m/],
    [["primary", "--maxmemory", "2000000gb"], /--maxmemory: \d+ is out of range/],
    [["primary", "--maxclients", "0"], /--maxclients: 0 is out of range; expected 1 to 999999/],
    [["primary", "--ship-gather", "1h"], /--ship-gather: "1h" expected a time such as/],
    [["primary", "--log-level", "loud"], /expected debug or info or warn or error/],
    [["replica"], /--of: needed/],
    [["replica", "--of", "nohost"], /--of: "nohost" expected HOST:PORT/],
    [["primary", "--port", "60000"], /--repl-port: needed/],
    [["primary", "--port", "7000", "--repl-port", "7000"], /--repl-port: 7000 is the client port/],
    [["primary", "--bind", "0.0.0.0"], /set --requirepass and --repl-password, or --insecure/],
    [["primary", "--bind", "0.0.0.0", "--requirepass", "x"], /set both, or --repl-open to/],
    [["primary", "--requirepass", "x"], /--requirepass without --repl-password: .*--repl-open/],
    [
      ["primary", "--repl-password", "x"],
      /--repl-password without --requirepass: .*--clients-open/,
    ],
    [["replica", "--of", "a:1", "--requirepass", "x", "--insecure"], /--repl-open/],
    [["primary", "--bind", "0.0.0.0", "--repl-open"], /set --requirepass, or/],
    [["primary", "--requirepass", "x".repeat(4097), "--repl-open"], /longer than 4096 bytes/],
    [
      ["status", "--nosuch"],
      /unknown flag --nosuch; allowed: --watch --json --events --check --password/,
    ],
    [["verify", "--watch"], /unknown flag --watch; allowed: --json --password --timeout/],
    [["verify", "--timeout", "soon"], /--timeout: "soon" expected a time/],
    [["status", "--events", "--watch"], /--events: not together with --watch/],
    [["primary", "--profile", "moon"], /--profile: "moon" expected lan or wan or edge/],
    [["primary", "--ring-slots", "1"], /--ring-slots: 1 is out of range; expected 2 to 1024/],
    [["primary", "--chunk", "2mb"], /--chunk: 2097152 is out of range; expected 4kb to 1mb/],
    [["primary", "--silence", "1s"], /--silence: 1000 is out of range; expected 3s to/],
    [["primary", "--maxclients", "1kb"], /--maxclients: "1kb" expected a count/],
    [["primary", "--load", "staged"], /unknown flag --load/],
    [["status", "nohost:x"], /expected HOST:PORT/],
  ])("%j => %s", (argv, message) => {
    const run = () => readCommandLine(argv, {}, () => "{}");
    expect(run).toThrow(UsageError);
    expect(run).toThrow(message);
  });

  test.each([
    ["[1]", /expected a JSON object/],
    ["{", /--config f: /],
    ['{"nosuch": 1}', /nosuch in f: unknown option; allowed: port/],
    ['{"ship_rate": 1}', /ship_rate in f: unknown option: did you mean ship-rate\?/],
    ['{"backlog": 1}', /backlog in f: 1 is out of range; expected 16kb to/],
    ['{"port": [1]}', /port in f: expected a string, a number or a boolean/],
    ['{"port": "x"}', /port in f: "x" expected a port/],
  ])("file %j => %s", (file, message) => {
    expect(() => readCommandLine(["primary", "--config", "f"], {}, () => file)).toThrow(message);
  });

  test("a variable with a wrong value is named; an unknown one is a warning", () => {
    expect(() => node(["primary"], { HAWSER_PORT: "x" })).toThrow(
      /HAWSER_PORT: "x" expected a port/,
    );
    const line = readCommandLine(["primary"], { HAWSER_REQUIREPAS: "x" }, () => "{}");
    expect(line).toMatchObject({ warnings: ["HAWSER_REQUIREPAS"] });
  });

  test("all loopback addresses need no password, --insecure needs none anywhere", () => {
    for (const bind of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) {
      expect(node(["primary", "--bind", bind]).bind).toBe(bind);
    }
    expect(node(["primary", "--bind", "0.0.0.0", "--insecure"]).insecure).toBe(true);
  });
});

describe("help", () => {
  test("every option of a command is in its help, and so is what there is not", () => {
    for (const topic of ["primary", "replica"] as const) {
      const text = helpText(topic);
      for (const row of SETTINGS) {
        expect(text.includes(`\n  --${row.name} `), row.name).toBe(
          row.of === "both" || row.of === topic,
        );
      }
      expect(text).toContain("Without it a restarted primary is empty");
      for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(110);
    }
    expect(helpText("")).toContain("With --dir a node keeps its data");
    expect(helpText("status")).toContain("--watch");
  });

  test.each([
    [["help"], { kind: "help", topic: "" }],
    [[], { kind: "help", topic: "" }],
    [["primary", "--help"], { kind: "help", topic: "primary" }],
    [["help", "replica"], { kind: "help", topic: "replica" }],
    [["--version"], { kind: "version" }],
    [
      ["status", "7000", "--json"],
      {
        kind: "status",
        options: {
          target: { host: "127.0.0.1", port: 7000 },
          password: "",
          watch: false,
          events: false,
          check: false,
          json: true,
        },
      },
    ],
  ])("%j => %j", (argv, expected) => {
    expect(readCommandLine(argv, {}, () => "{}")).toEqual(expected);
  });
});
