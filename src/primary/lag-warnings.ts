/**
 * Early warnings of links without a hold: at 50 % and at 80 % of the backlog, with the time that is
 * left; and forgiveness for those that keep up.
 * Tested in: test/unit/embed/lag.test.ts.
 */
import type { Backlog } from "../log/backlog.ts";
import type { Counters, Journal } from "./journal.ts";
import type { Link } from "./link.ts";
import { relapseMs, type FeederOptions } from "./options.ts";
import type { Quarantine } from "./quarantine.ts";
import { Rate } from "./rate.ts";

/** Shares of the backlog at which a lagging replica is warned of, and the one below which it is well again. */
const WARN_AT = [0.5, 0.8] as const;
const WELL_BELOW = 0.25;

/** What warnings need of the feeder. */
export interface LagOwner {
  readonly deps: { readonly journal: Journal };
  readonly options: FeederOptions;
  readonly backlog: Backlog;
  readonly counters: Counters;
  readonly quarantine: Quarantine;
}

/** What is remembered of a link. */
interface Watch {
  readonly applied: Rate;
  warned: number;
}

export class LagWarnings {
  private readonly watches = new WeakMap<Link, Watch>();

  /** @param writesPerSecond bytes of log written per second */
  look(owner: LagOwner, link: Link, writesPerSecond: number, nowMs: number): void {
    if (link.state.kind !== "streaming" || link.confirmed < 0) return;
    const { backlog, quarantine, options } = owner;
    let watch = this.watches.get(link);
    if (watch === undefined) {
      watch = { applied: new Rate(link.confirmed, nowMs), warned: 0 };
      this.watches.set(link, watch);
    }
    watch.applied.observe(link.confirmed, nowMs);
    const lag = backlog.next - link.confirmed;
    const share = lag / backlog.sizeBytes;
    const replica = link.hello?.storeId ?? "";
    if (share < WELL_BELOW) {
      if (watch.warned > 0)
        owner.deps.journal("info", "replica_caught_up", { replica, lag_bytes: lag });
      watch.warned = 0;
      if (nowMs - Math.max(link.movement.connectedAtMs, link.sync.shippedAtMs) > relapseMs(options))
        quarantine.forgive(replica);
      return;
    }
    const next = WARN_AT[watch.warned];
    if (next === undefined || share < next) return;
    watch.warned += 1;
    const growth = writesPerSecond - watch.applied.perSecond;
    owner.deps.journal("warn", "replica_lags", {
      replica,
      percent_of_backlog: Math.round(share * 100),
      lag_bytes: lag,
      seconds_left: growth > 0 ? Math.round((backlog.sizeBytes - lag) / growth) : -1,
    });
    owner.counters.bump(`replica_lag_warnings_${next * 100}`);
  }
}
