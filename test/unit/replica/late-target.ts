/** A state for tests that answers later: it writes down what it is asked, and answers when the test says. */
import type { LateStaging, LateTarget } from "../../../src/store/state.ts";

export class LateRecorder implements LateTarget {
  readonly answers = "later";
  onAnswer: (error: Error | null) => void = () => undefined;
  appliedTo = 0;
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  /** Answers so many calls at once. */
  atOnce = 0;
  /** Thrown by the next call. */
  throws: Error | null = null;
  /** Thrown by the call of this name, or whose name begins so, once. */
  throwsAt: Readonly<Record<string, Error>> = {};

  isEmpty(): boolean {
    return false;
  }

  applyRange(_bytes: Buffer, from: number, to: number): boolean {
    this.appliedTo = from;
    return this.ask(`apply ${from}-${to}`);
  }

  stage(): LateStaging {
    this.asked.push("stage");
    this.throwFor("stage");
    return {
      load: (bytes, from, to) => this.ask(`load ${bytes.toString("latin1", from, to)}`),
      commit: ({ records }) => this.ask(`commit ${records}`),
      abort: () => this.ask("abort"),
    };
  }

  /** Answers the call under way; after a failed applyRange() it is at `appliedTo`. */
  answer(error: Error | null = null, appliedTo = 0): void {
    this.appliedTo = appliedTo;
    this.onAnswer(error);
  }

  private throwFor(what: string): void {
    const found = Object.entries(this.throwsAt).find(([name]) => what.startsWith(name));
    if (found === undefined) return;
    const [name, error] = found;
    this.throwsAt = Object.fromEntries(
      Object.entries(this.throwsAt).filter(([other]) => other !== name),
    );
    throw error;
  }

  private ask(what: string): boolean {
    this.asked.push(what);
    const { throws } = this;
    this.throws = null;
    if (throws !== null) throw throws;
    this.throwFor(what);
    if (this.atOnce === 0) return false;
    this.atOnce -= 1;
    return true;
  }
}

/** Turns of a node that end when the test says. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  readonly after = (run: () => void): void => void this.waiting.push(run);

  end(): void {
    for (const run of this.waiting.splice(0)) run();
  }
}
