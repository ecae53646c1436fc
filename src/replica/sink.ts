/**
 * What an upstream sends, to the part of the session that it is for.
 *
 * Owns: which message goes where. Does not own: what is done with it.
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import type { DecoderSink } from "../wire/decoder.ts";
import type * as m from "../wire/messages.ts";
import type { ReceivingLog } from "./deps.ts";
import type { Handshaking } from "./handshaking.ts";
import type { Restoring } from "./restoring.ts";
import type { Streaming } from "./streaming.ts";

/** The session itself, for what is of no state alone. */
export interface SinkSession {
  onPing(ping: m.Ping): void;
  onBye(bye: m.Bye): void;
  onFailover(message: m.Prepare | m.Take | m.Release): void;
  onSyncRequest(request: m.SyncRequest): void;
  onPeers(told: m.PeersTold): void;
}

export class SessionSink implements DecoderSink {
  private readonly session: SinkSession;
  private readonly handshaking: Handshaking;
  private readonly streaming: Streaming;
  private readonly restoring: Restoring;
  private readonly log: ReceivingLog;

  constructor(
    session: SinkSession,
    handshaking: Handshaking,
    streaming: Streaming,
    restoring: Restoring,
    log: ReceivingLog,
  ) {
    this.session = session;
    this.handshaking = handshaking;
    this.streaming = streaming;
    this.restoring = restoring;
    this.log = log;
  }

  control(message: m.Control): void {
    switch (message.type) {
      case "greeting":
        this.handshaking.onGreeting(message);
        return;
      case "welcome":
        this.handshaking.onWelcome(message);
        return;
      case "reject":
        this.handshaking.onReject(message);
        return;
      case "ping":
        this.session.onPing(message);
        return;
      case "snapshot":
        this.restoring.onSnapshot(message);
        return;
      case "end":
        this.restoring.onEnd(message, this.handshaking.welcome!);
        return;
      case "bye":
        this.session.onBye(message);
        return;
      case "verify":
        this.streaming.onVerify(message);
        return;
      case "peers":
        this.session.onPeers(message);
        return;
      case "prepare":
      case "take":
      case "release":
        this.session.onFailover(message);
        return;
      case "sync":
        this.session.onSyncRequest(message);
        return;
      default:
        throw new WireError("ERR_WIRE_STATE", `${message.type} from an upstream`);
    }
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.streaming.batchHead(head, at, length);
  }

  // Why straight to the log: these are called for every piece that arrives.
  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.log.receiveBytes(bytes, from, to);
  }

  batchEnd(): void {
    this.streaming.batchEnd();
  }

  chunkHead(number: number, payloadBytes: number): void {
    this.restoring.chunkHead(number, payloadBytes);
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.restoring.chunkBytes(bytes, from, to);
  }

  chunkEnd(digest: number): void {
    this.restoring.chunkEnd(digest);
  }
}
