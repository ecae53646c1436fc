/** INFO's section Replication: redis's fields and our own. */
import { describe, expect, test } from "vitest";
import { replicationFields } from "../../../src/resp/info-replication.ts";
import type { NodeStatus } from "../../../src/node/api.ts";
import type { MemberStatus, SyncStatus } from "../../../src/node/member-status.ts";
import { LINK, PRIMARY, REPLICA } from "./status-examples.ts";

/** Where it was last, as it announced it. */
const AWAY: MemberStatus = {
  storeId: "b".repeat(32),
  host: "10.0.0.2,x",
  clientPort: 6382,
  replPort: 16382,
  replacedBy: "",
  linked: false,
  complete: false,
  good: false,
  confirmed: -1,
  lagBytes: -1,
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

  test("synchronous mode: the rule, who is good, what is confirmed; nothing of it when it is off", () => {
    const sync: SyncStatus = {
      copies: 1,
      level: "durable",
      leads: true,
      confirmed: 70,
      goodMembers: 2,
      members: [AWAY],
      heldReplies: 3,
      change: { from: null, to: null },
    };
    expect(fields({ ...PRIMARY, sync })).toMatchObject({
      sync_copies: 1,
      sync_level: "durable",
      sync_members: 1,
      sync_held_replies: 3,
      sync_member0: `id=${AWAY.storeId},ip=10.0.0.2?x,port=6382,repl_port=16382,linked=0,complete=0,good=0,confirmed=-1,lag_bytes=-1,replaced_by=`,
      sync_good_members: 2,
      sync_confirmed_offset: 70,
      sync_changing: 1,
    });
    expect(Object.keys(fields(PRIMARY)).filter((name) => name.startsWith("sync_"))).toEqual([]);
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
});
