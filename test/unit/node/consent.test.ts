import { describe, expect, test } from "vitest";
import { boundTo, consentFor, givenConsent, NO_CONSENT } from "../../../src/node/consent.ts";
import {
  consentOf,
  startFollowing,
  startLeading,
  startSeeding,
  toFollowing,
  toLeading,
  toPromoting,
  withHolding,
  withoutConsent,
} from "../../../src/node/roles.ts";

const [ONE, TWO] = ["1".repeat(32), "2".repeat(32)];
const X = { host: "x", port: 1 };

describe("consent", () => {
  test("bound to the first node that says who it is", () => {
    const bound = boundTo(boundTo(givenConsent("replicaof"), ONE), TWO);
    expect([consentFor(bound, ONE), consentFor(bound, TWO)]).toEqual(["replicaof", "none"]);
    expect(consentFor(givenConsent("replicaof"), TWO)).toBe("replicaof");
  });

  test("none => none for anybody, whoever the upstream is", () => {
    expect(boundTo(givenConsent("none"), ONE)).toEqual(NO_CONSENT);
    expect(consentFor(NO_CONSENT, ONE)).toBe("none");
  });

  test("given by REPLICAOF => good until used up, void for the next REPLICAOF without it", () => {
    const following = toFollowing(startLeading("none"), X, "replicaof");
    expect(consentOf(following).kind).toBe("replicaof");
    expect(consentOf(toFollowing(following, X, "none")).kind).toBe("none");
    // Typed again it is for whoever is there now.
    const bound = { ...following, consent: boundTo(following.consent, ONE) };
    expect(consentFor(consentOf(toFollowing(bound, X, "replicaof")), TWO)).toBe("replicaof");
    expect(consentOf(withoutConsent(following)).kind).toBe("none");
  });

  test("--allow-reset on a primary => for the first node it is told to follow, not for the second", () => {
    const first = toFollowing(startLeading("reset"), X, "replicaof");
    expect(consentOf(first).kind).toBe("reset");
    expect(consentOf(toFollowing(first, X, "replicaof")).kind).toBe("replicaof");
  });

  test("--allow-reset on a replica => for the upstream it was started with alone", () => {
    const started = startFollowing(X, "reset");
    expect(consentOf(started).kind).toBe("reset");
    expect(consentOf(toFollowing(started, X, "replicaof")).kind).toBe("replicaof");
  });

  test("--seed-from => none: a source's state is not unrelated, or it is not taken", () => {
    const rounds = { why: "", start: () => undefined, stop: () => undefined };
    const seeding = startSeeding(rounds);
    expect(consentOf(seeding)).toEqual(NO_CONSENT);
    expect(consentOf(toFollowing(seeding, X, "none"))).toEqual(NO_CONSENT);
  });

  test("a promotion uses it up", () => {
    const following = withHolding(startFollowing(X, "reset"), "whole");
    const leading = toLeading(toPromoting(following, [() => undefined]));
    expect(consentOf(toFollowing(leading, X, "none")).kind).toBe("none");
  });
});
