/** SAVE, BGSAVE, LASTSAVE, REPL.CHECKPOINT and INFO of them: replies, and what is asked of the node. */
import { describe, expect, test } from "vitest";
import { readCheckpointReport } from "../../../src/daemon/answers.ts";
import { checkpointText } from "../../../src/daemon/checkpoint.ts";
import type { CheckpointEntry } from "../../../src/log/disk/manifest.ts";
import type { HawserNode } from "../../../src/node/api.ts";
import type { CheckpointDone, CheckpointRefusal } from "../../../src/node/checkpointer.ts";
import { FakeClient, FakePort, request } from "./fake-node.ts";

const ENTRY: CheckpointEntry = {
  position: { history: "0a".repeat(16), offset: 77, chain: 5 },
  log: 3,
  records: 12,
  bytes: 345,
  clockMs: 1_767_225_600_999,
};

class FakeCheckpoints {
  refusal: CheckpointRefusal | null = null;
  newest: CheckpointEntry | null = null;
  readonly asked: CheckpointDone[] = [];

  ask(done: CheckpointDone): CheckpointRefusal | null {
    if (this.refusal === null) this.asked.push(done);
    return this.refusal;
  }

  get status(): NonNullable<HawserNode["checkpoints"]>["status"] {
    const isBusy = this.asked.length > 0;
    return {
      present: isBusy ? { ms: 2_500, bytes: 1, bytesTotal: 2 } : null,
      newest: this.newest,
      lastMs: this.newest === null ? -1 : 1_999,
      lastError: this.newest === null ? "ERR_DISK_FULL" : "",
      logBytes: 40,
      records: 4,
    };
  }
}

function made(): { checkpoints: FakeCheckpoints; client: FakeClient; port: FakePort } {
  const port = new FakePort();
  const checkpoints = new FakeCheckpoints();
  port.node.checkpoints = checkpoints;
  return { port, checkpoints, client: new FakeClient(port) };
}

describe("checkpoints", () => {
  test("without a log on disk they are refused, and there never was one", () => {
    const client = new FakeClient(new FakePort());
    for (const word of ["SAVE", "BGSAVE", "REPL.CHECKPOINT"])
      expect(client.send(request(word))).toContain("-ERR this node keeps no log on disk");
    expect(client.send(request("LASTSAVE"))).toBe(":0\r\n");
  });

  test("BGSAVE answers at once, also inside a transaction", () => {
    const { checkpoints, client } = made();
    expect(client.send(request("BGSAVE"))).toBe("+Background saving started\r\n");
    expect(client.send(request("BGSAVE", "schedule"))).toBe("+Background saving started\r\n");
    expect(client.send(request("BGSAVE", "now"))).toBe("-ERR syntax error\r\n");
    client.send(request("MULTI") + request("BGSAVE"));
    expect(client.send(request("EXEC"))).toBe("*1\r\n+Background saving started\r\n");
    expect(checkpoints.asked).toHaveLength(3);
  });

  test("SAVE waits, and says what went wrong", () => {
    const { checkpoints, client } = made();
    expect(client.send(request("SAVE"))).toBe("");
    checkpoints.asked[0]!("", ENTRY);
    expect(client.taken()).toBe("+OK\r\n");
    expect(client.send(request("SAVE"))).toBe("");
    checkpoints.asked[1]!("the node stops", null);
    expect(client.taken()).toBe("-ERR the node stops\r\n");
  });

  test.each([
    ["busy", "-ERR Background save already in progress\r\n"],
    ["no_state", "-ERR this node has no whole state to save\r\n"],
    ["stopping", "-ERR this node is shutting down\r\n"],
  ] as const)("%s", (refusal, text) => {
    const { checkpoints, client } = made();
    checkpoints.refusal = refusal;
    for (const word of ["SAVE", "BGSAVE", "REPL.CHECKPOINT"])
      expect(client.send(request(word))).toBe(text);
  });

  test("REPL.CHECKPOINT says where and how much, as the command line believes it", () => {
    const { checkpoints, client } = made();
    client.send(request("REPL.CHECKPOINT"));
    checkpoints.asked[0]!("", ENTRY);
    const [, json = ""] = client.taken().split("\r\n");
    const report = readCheckpointReport(json);
    expect(report).toMatchObject({ position: ENTRY.position, records: 12, bytes: 345 });
    expect(checkpointText({ ...report, ms: 7 })).toBe(
      `checkpoint  ${ENTRY.position.history} @ 77   12 records   345 bytes   7 ms\n`,
    );
  });

  test("INFO and LASTSAVE tell of the newest and the present one", () => {
    const { checkpoints, client } = made();
    const field = (name: string): string =>
      new RegExp(`\r\n${name}:(.*)\r\n`).exec(client.send(request("INFO", "persistence")))?.[1] ??
      "";
    expect(field("rdb_last_bgsave_status")).toBe("err");
    expect(field("rdb_last_bgsave_time_sec")).toBe("-1");
    expect(field("rdb_current_bgsave_time_sec")).toBe("-1");
    checkpoints.newest = ENTRY;
    client.send(request("BGSAVE"));
    expect(client.send(request("LASTSAVE"))).toBe(":1767225600\r\n");
    expect(field("rdb_last_save_time")).toBe("1767225600");
    expect(field("rdb_bgsave_in_progress")).toBe("1");
    expect(field("rdb_current_bgsave_time_sec")).toBe("2");
    expect(field("rdb_last_bgsave_time_sec")).toBe("1");
    expect(field("rdb_last_bgsave_status")).toBe("ok");
    expect(field("rdb_changes_since_last_save")).toBe("4");
  });
});
