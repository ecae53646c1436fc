/** A copy taken from a real feeder, and from peers that lie: it is whole or it is an error. */
import { beforeEach, expect, test } from "vitest";
import type { CheckpointSink } from "../../../src/log/disk/checkpoint-frames.ts";
import type { LinkOut } from "../../../src/primary/link.ts";
import { Copying } from "../../../src/replica/copying.ts";
import type { SessionShell } from "../../../src/replica/deps.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Decoder } from "../../../src/wire/decoder.ts";
import {
  type Control,
  FRAME,
  type Greeting,
  type Hello,
  NO_SYNC,
  type SnapshotBegin,
  type Welcome,
} from "../../../src/wire/messages.ts";
import { hmacProof } from "../../../src/wire/proof.ts";
import { ControlSink } from "../../../src/wire/control-sink.ts";
import { DiskError } from "../../../src/errors.ts";
import { batch } from "../log/tools.ts";
import { Harness, id } from "../primary/feeder-harness.ts";

/** The copier's end: what it says, what it was given, how it ended. */
class End extends ControlSink implements SessionShell, CheckpointSink {
  readonly said: Control[] = [];
  readonly got: string[] = [];
  done: string | null = null;
  paused = false;
  full = false;
  destroyed = false;
  refuses = false;
  pendingBytes = 0;
  onSaid: (bytes: Buffer) => void = () => undefined;
  readonly copying: Copying;
  readonly #decoder = new Decoder(new Set(Object.values(FRAME)), this);

  constructor(password = "") {
    super();
    let ids = 500;
    this.copying = new Copying({
      shell: this,
      password,
      randomId: () => id(ids++),
      welcomed: ({ clusterId }) => this.got.push(`of ${clusterId}`),
      sink: {
        begin: (begin) => this.got.push(`begin ${begin.position.offset}`),
        chunk: (_bytes, from, to) => this.got.push(`chunk ${to - from}`),
        end: (end) => {
          if (this.refuses) throw new DiskError("ERR_DISK_FULL", "no room");
          this.got.push(`end ${end.chunks}`);
        },
      },
      isFull: () => this.full,
      onDone: (error) => {
        expect(this.done).toBeNull();
        this.done = error;
      },
    });
  }

  begin(): void {}
  chunk(): void {}
  control(message: Control): void {
    this.said.push(message);
  }
  dial(): void {}
  write(bytes: Buffer): void {
    this.#decoder.push(bytes, 0, bytes.length);
    this.onSaid(bytes);
  }
  end(): void {}
  destroy(): void {
    this.destroyed = true;
  }
  pauseReading(paused: boolean): void {
    this.paused = paused;
  }
  wantStep(): void {}

  hear(...messages: Control[]): this {
    for (const message of messages) {
      const bytes = encode(message);
      this.copying.onBytes(bytes, 0, bytes.length, 0);
    }
    return this;
  }
}

const GREETING: Greeting = {
  type: "greeting",
  versionMin: 1,
  versionMax: 1,
  nonce: id(1),
  authRequired: false,
};
const WELCOME: Welcome = {
  type: "welcome",
  decision: "ship_new",
  proof: "",
  nodeId: id(2),
  clusterId: null,
  path: [id(2)],
  rootId: id(2),
  position: { history: id(3), offset: 9, chain: 4 },
  rank: { term: 0, run: 0 },
  lineage: [],
  skipBytes: 0,
  discardBytes: 0,
};
const SNAPSHOT: SnapshotBegin = {
  type: "snapshot",
  snapshotId: id(4),
  position: { history: id(3), offset: 9, chain: 4 },
  rank: { term: 0, run: 0 },
  lineage: [],
  sync: NO_SYNC,
  format: { name: "any", version: 3 },
  firstChunk: 0,
  records: 0,
  bytes: 0,
};
const EMPTY_DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const END = {
  type: "end",
  snapshotId: id(4),
  chunks: 0,
  records: 0,
  bytes: 0,
  digest: EMPTY_DIGEST,
} as const;

let end: End;
beforeEach(() => {
  end = new End();
  end.copying.start(0);
  end.copying.onConnected(0);
});

test("a real feeder: SNAPSHOT, chunks and END arrive, all are acknowledged, BYE ends it whole", async () => {
  const h = new Harness();
  batch(h.log, 300);
  const heard: Buffer[] = [];
  const out: LinkOut = {
    write: (bytes, from, to) => heard.push(Buffer.from(bytes.subarray(from, to))),
    flush: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
    beingTaken: 0,
  };
  const link = h.feeder.accept("copy:1", out, 0);
  end.onSaid = (bytes) => link.onBytes(bytes, 0, bytes.length, h.nowMs);
  for (let n = 0; n < 20 && end.done === null; n++) {
    await h.turns();
    for (const bytes of heard.splice(0)) end.copying.onBytes(bytes, 0, bytes.length, h.nowMs);
  }
  expect(end.done).toBe("");
  expect(end.got).toEqual([`of ${id(3)}`, "begin 300", "chunk 100", "end 1"]);
  expect(end.said.map(({ type }) => type)).toEqual(["hello", "ack", "ack", "ack"]);
  expect((end.said[0] as Hello).purpose).toBe("copy");
  expect(end.said.at(-1)).toMatchObject({ mode: "streaming", applied: 300 });
  expect(h.feeder.counters.get("copies_done")).toBe(1);
});

test("a connection that ends after END is whole; before it is not", () => {
  end.hear(GREETING, WELCOME, SNAPSHOT, END).copying.onClosed("gone");
  expect(end.done).toBe("");
  const other = new End();
  other.copying.onConnected(0);
  other.hear(GREETING, WELCOME, SNAPSHOT).copying.onClosed("gone");
  expect([other.done, other.destroyed]).toEqual(["gone", true]);
});

test("interrupted: an error before END, and none after it", () => {
  end.hear(GREETING, WELCOME, SNAPSHOT).copying.stop("interrupted");
  expect(end.done).toBe("interrupted");
  const other = new End();
  other.copying.onConnected(0);
  other.hear(GREETING, WELCOME, SNAPSHOT, END).copying.stop("interrupted");
  expect(other.done).toBe("");
});

test("a receiver that cannot take the end: an error, and END is not acknowledged", () => {
  end.refuses = true;
  end.hear(GREETING, WELCOME, SNAPSHOT, END);
  expect(end.done).toBe("ERR_DISK_FULL: no room");
  expect(end.said.filter(({ type }) => type === "ack")).toHaveLength(1);
});

test.each([
  [
    "not_ready: no state",
    [GREETING, { type: "reject", code: "not_ready", message: "no state", retryAfterMs: 0 }],
  ],
  ["shutdown: bye", [GREETING, WELCOME, { type: "bye", code: "shutdown", message: "bye" }]],
  ["a snapshot before WELCOME", [GREETING, SNAPSHOT]],
  ["a WELCOME that answers no HELLO", [WELCOME]],
  ["a second GREETING", [GREETING, GREETING]],
  ["END does not fit the chunks", [GREETING, WELCOME, SNAPSHOT, { ...END, bytes: 5 }]],
  ["END of another snapshot", [GREETING, WELCOME, SNAPSHOT, { ...END, snapshotId: id(99) }]],
  ["SNAPSHOT from chunk 3 on", [GREETING, WELCOME, { ...SNAPSHOT, firstChunk: 3 }]],
  ["it requires a password", [{ ...GREETING, authRequired: true }]],
] as [string, Control[]][])("%s", (why, messages) => {
  end.hear(...messages);
  expect(end.done).toContain(why);
  expect(end.got.some((word) => word.startsWith("end"))).toBe(false);
});

test("a password: proved by both ends, or it ends", () => {
  const proved = new End("sesame");
  proved.copying.onConnected(0);
  proved.hear({ ...GREETING, authRequired: true });
  const { nonce, proof } = proved.said[0] as Hello;
  expect(proof).toBe(hmacProof("sesame", "replica", GREETING.nonce, nonce));
  proved.hear({ ...WELCOME, proof: "00".repeat(32) });
  expect(proved.done).toContain("did not prove");
});

test("silence ends it, a heartbeat is said each second, a full receiver rests the reading and is no silence", () => {
  end.hear(GREETING, WELCOME, SNAPSHOT);
  const acks = (): number => end.said.filter(({ type }) => type === "ack").length;
  const before = acks();
  end.copying.tick(1_000);
  end.copying.tick(1_500);
  expect(acks()).toBe(before + 1);
  end.full = true;
  end.copying.tick(59_000);
  expect(end.paused).toBe(true);
  end.copying.tick(200_000);
  expect(end.done).toBeNull();
  end.full = false;
  end.copying.tick(200_100);
  expect(end.paused).toBe(false);
  end.copying.tick(260_000);
  expect(end.done).toBeNull();
  end.copying.tick(260_100);
  expect(end.done).toContain("nothing heard");
});
