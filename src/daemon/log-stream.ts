/**
 * Standard error whose reader hangs: a log collector that is stopped, or slower than what is logged.
 *
 * Node writes to a pipe without waiting for its reader and keeps what does not fit, so lines would pile
 * up in memory without a bound. Beyond one, lines are dropped and counted; once the reader has taken
 * what waits, it is told how many. (A terminal is different: it is written to in place, and one that is
 * held by Ctrl-S holds the process.)
 * Owns: the bound. Does not own: a reader that is gone (lost-readers.ts), what is written.
 */

/** What may wait for the reader, characters. */
const WAITING_MAX = 1024 * 1024;

/** The part of a Writable that is used; 'drain' comes once nothing waits any more. */
export interface LogTarget {
  readonly writableLength: number;
  write(text: string): unknown;
  once(event: "drain", listener: () => void): unknown;
}

export class LogStream {
  private readonly target: LogTarget;
  private readonly onLost: (lines: number) => void;
  private lost = 0;

  /** @param onLost hears how many lines were dropped once there is room again; it may write */
  constructor(target: LogTarget, onLost: (lines: number) => void) {
    this.target = target;
    this.onLost = onLost;
  }

  /** Writes whole lines, or drops them. */
  write(text: string): void {
    if (this.target.writableLength + text.length <= WAITING_MAX) {
      this.target.write(text);
      return;
    }
    if (this.lost++ === 0) this.target.once("drain", () => this.tell());
  }

  private tell(): void {
    const { lost } = this;
    this.lost = 0;
    this.onLost(lost);
  }
}
