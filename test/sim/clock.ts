/**
 * Virtual time: a heap of events, each with a due time; equal times run in the order they were
 * asked for. Nothing else in a simulation knows what time it is.
 */
export class SimError extends Error {}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events at one instant above which nothing is moving any more. */
const INSTANT_EVENTS_MAX = 200_000;

export class Clock {
  nowMs = 0;
  events = 0;
  /** Called after every event. */
  after: () => void = () => undefined;
  private readonly heap: Event[] = [];
  private order = 0;
  private instantEvents = 0;

  at(atMs: number, run: () => void): void {
    this.push({ atMs: Math.max(atMs, this.nowMs), order: this.order++, run });
  }

  in(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs events up to `untilMs`, or until `done` says so. Returns whether it did. */
  run(untilMs: number, done: () => boolean = () => false): boolean {
    while (this.heap.length > 0 && this.heap[0]!.atMs <= untilMs) {
      const event = this.pop();
      this.instantEvents = event.atMs > this.nowMs ? 0 : this.instantEvents + 1;
      if (this.instantEvents > INSTANT_EVENTS_MAX)
        throw new SimError(
          `time stands still at ${this.nowMs} ms: something asks for turns for ever`,
        );
      this.nowMs = event.atMs;
      this.events += 1;
      event.run();
      this.after();
      if (done()) return true;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
    return false;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event {
    const { heap } = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
