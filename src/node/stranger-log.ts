/**
 * A log that strangers cannot fill: what they cause without being let in (a wrong password, noise, a
 * port scan) gets some lines at once, and one line a second when it goes on.
 *
 *   auth_failed client=10.0.0.9:4711                first ones: as they are
 *   auth_failed client=10.0.0.9:5200 times=1804     then: the last of them, and how many they were
 *
 * A budget is one event's, in total: strangers have as many addresses as they like.
 * Owns: which lines are held back, and their count. Does not own: the memory of events (event-log.ts).
 */
import { isByStranger } from "./event-log.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";

/** Lines of one event that are logged as they are, when it was quiet before. */
const BURST = 8;
/** Each earns one more line. */
const EVERY_MS = 1_000;

/** What those who connect cause, most of them before AUTH. */
const BY_CLIENTS: ReadonlySet<string> = new Set([
  "auth_failed",
  "client_dropped",
  "client_port_error",
  "repl_port_error",
]);

/** `log` with lines of strangers folded. */
export function foldStrangers(log: Logger): Logger {
  const budgets = new Map<string, Budget>();
  const at = (level: LogLevel) => {
    return (event: string, fields: LogFields = {}): void => {
      if (!BY_CLIENTS.has(event) && !isByStranger(event, fields)) {
        log[level](event, fields);
        return;
      }
      let budget = budgets.get(event);
      if (budget === undefined) budgets.set(event, (budget = new Budget()));
      budget.spend((times) => log[level](event, times === 1 ? fields : { ...fields, times }));
    };
  };
  // Why not debug: whoever asks for it wants every line.
  return {
    debug: (event, fields) => log.debug(event, fields),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  };
}

/** One event's lines. */
class Budget {
  private left = BURST;
  private held = 0;
  private write: (times: number) => void = () => undefined;
  private timer: NodeJS.Timeout | null = null;

  spend(write: (times: number) => void): void {
    if (this.left > 0) {
      this.left -= 1;
      write(1);
    } else {
      this.held += 1;
      this.write = write;
    }
    this.timer ??= setInterval(() => this.earn(), EVERY_MS).unref();
  }

  private earn(): void {
    if (this.held > 0) {
      this.write(this.held);
      this.held = 0;
    } else if (++this.left === BURST && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }
}
