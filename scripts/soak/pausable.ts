/** Something that goes on by itself, pauses between two steps, and ends when told. */
export class Pausable {
  protected paused = false;
  /** No step is under way. */
  protected idle = true;
  protected over = false;

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Paused, and everything it asked is answered. */
  get isIdle(): boolean {
    return this.paused && this.idle;
  }

  end(): void {
    this.over = true;
  }
}
