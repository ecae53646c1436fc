/**
 * A session's handshake: GREETING is answered with HELLO, and WELCOME or REJECT is judged.
 *
 *   GREETING -> HELLO -> WELCOME continue | wait   streaming.ts goes on
 *                     -> WELCOME with a ship       restoring.ts goes on
 *                     -> REJECT                    later again, or never
 *
 * Owns: both nonces, the welcome that this connection runs under. Does not own: what HELLO says and
 * how a welcome is judged (handshake.ts), the connection (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { WireError } from "../errors.ts";
import type * as m from "../wire/messages.ts";
import type { Backoff } from "./backoff.ts";
import * as handshake from "./handshake.ts";
import type { SessionLife } from "./life.ts";
import { reportWelcomed } from "./reports.ts";
import type { Restoring } from "./restoring.ts";
import type { RootView } from "./root-view.ts";
import { Versions } from "./formats.ts";
import type { Streaming } from "./streaming.ts";

/** What a handshake reads, and moves on. */
export interface HandshakeParts {
  readonly backoff: Backoff;
  readonly root: RootView;
  readonly streaming: Streaming;
  readonly restoring: Restoring;
}

export class Handshaking {
  /** The welcome that this connection runs under; null before it. */
  welcome: m.Welcome | null = null;
  private readonly life: SessionLife;
  private readonly parts: HandshakeParts;
  private readonly versions: Versions;
  /** Of the GREETING that was answered; "" before. */
  private feederNonce: m.Id = "";

  constructor(life: SessionLife, parts: HandshakeParts) {
    this.life = life;
    this.parts = parts;
    this.versions = new Versions(life.deps.node.format);
  }

  /** HELLO is out. */
  get saidHello(): boolean {
    return this.feederNonce !== "";
  }

  /** The connection is over. */
  forget(): void {
    this.welcome = null;
    this.feederNonce = "";
  }

  onGreeting(greeting: m.Greeting): void {
    const { life, parts } = this;
    const { state, deps } = life;
    // Why only one: each is answered with a HELLO, before anybody has proved anything.
    if (state.kind !== "handshake" || this.saidHello)
      throw new WireError("ERR_WIRE_STATE", `a second GREETING, or one while ${state.kind}`);
    this.feederNonce = greeting.nonce;
    const refusal = handshake.judgeGreeting(deps.options.replPassword, greeting);
    if (refusal !== null) {
      life.turnDown(refusal, "standing");
      return;
    }
    const { receivedChain, shipWanted } = parts.streaming;
    const restore = parts.restoring.current;
    const version = this.versions.asked;
    const claim = { log: deps.log, receivedChain, restore, shipWanted, version };
    life.say(handshake.answerGreeting(deps.node, deps.options, greeting, state.nonce, claim));
  }

  onWelcome(welcome: m.Welcome): void {
    const { life, parts } = this;
    const { state, deps } = life;
    if (state.kind !== "handshake" || !this.saidHello)
      throw new WireError("ERR_WIRE_STATE", `a WELCOME while ${state.kind}`);
    const { node } = deps;
    const refusal = this.judge(welcome);
    if (refusal !== null) {
      life.refuse(refusal.why, refusal.lasting);
      return;
    }
    this.welcome = welcome;
    this.versions.taken();
    parts.root.onWelcome(welcome);
    life.onWelcomed();
    const { nodeId, rootId, path } = welcome;
    node.onWelcome(nodeId, [...path, node.nodeId], rootId, handshake.endOf(node, welcome));
    reportWelcomed(deps, welcome);
    this.follow(welcome);
    life.wantAck();
  }

  private judge(welcome: m.Welcome): ReturnType<typeof handshake.judgeWelcome> {
    const { deps, state, torn } = this.life;
    const nonce = state.kind === "handshake" ? state.nonce : "";
    const { node, options, log } = deps;
    return handshake.judgeWelcome(node, options, welcome, this.feederNonce, nonce, torn, log);
  }

  private follow(welcome: m.Welcome): void {
    const { streaming, restoring } = this.parts;
    const { decision, clusterId, rank, lineage } = welcome;
    const { history } = welcome.position;
    const streams = handshake.isStream(welcome);
    restoring.owesSnapshot = !streams;
    if (decision === "continue") {
      this.life.deps.node.adopt({ history, rank, lineage }, clusterId);
      restoring.drop();
    }
    if (streams) streaming.begin(welcome.skipBytes);
    else this.life.move({ kind: "restoring", begin: null });
  }

  onReject(reject: m.Reject): void {
    const { life, parts } = this;
    const { state, deps } = life;
    if (state.kind !== "handshake")
      throw new WireError("ERR_WIRE_STATE", `a REJECT while ${state.kind}`);
    deps.counters.bump(`rejected_${reject.code}`);
    // Why no verdict yet: an upstream of an older version may have records that this state reads.
    if (reject.code === "format" && this.versions.refused()) {
      life.fail(`rejected: ${reject.code}: ${reject.message}`, life.nowMs, "passing");
      return;
    }
    const longestMs = handshake.longestRetryMs(deps.options);
    parts.backoff.atLeastMs = Math.min(reject.retryAfterMs, longestMs);
    if (handshake.isVerdict(reject)) deps.node.onRefused();
    const lasting = handshake.isVerdict(reject) ? "standing" : "passing";
    life.fail(`rejected: ${reject.code}: ${reject.message}`, life.nowMs, lasting);
  }
}
