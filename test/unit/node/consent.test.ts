import { describe, expect, test } from "vitest";
import { GivenConsent } from "../../../src/node/consent.ts";
import { Identity } from "../../../src/node/identity.ts";

const [ONE, TWO] = ["1".repeat(32), "2".repeat(32)];

describe("consent", () => {
  test("given by REPLICAOF => good until used up, void for the next REPLICAOF without it", () => {
    const consent = new GivenConsent("none");
    consent.give("replicaof");
    expect([consent.kind, consent.for(ONE)]).toEqual(["replicaof", "replicaof"]);
    consent.give("none");
    expect(consent.kind).toBe("none");
    consent.give("replicaof");
    consent.useUp();
    expect(consent.kind).toBe("none");
  });

  test("bound to the first node that says who it is", () => {
    const consent = new GivenConsent("none");
    consent.give("replicaof");
    consent.bind(ONE);
    consent.bind(TWO);
    expect([consent.for(ONE), consent.for(TWO)]).toEqual(["replicaof", "none"]);
    // Typed again it is for whoever is there now.
    consent.give("replicaof");
    expect(consent.for(TWO)).toBe("replicaof");
  });

  test("--allow-reset on a primary => for the first node it is told to follow, not for the second", () => {
    const consent = new GivenConsent("reset");
    consent.give("replicaof");
    expect(consent.kind).toBe("reset");
    consent.give("replicaof");
    expect(consent.kind).toBe("replicaof");
  });

  test("--allow-reset on a replica => for the upstream it was started with alone", () => {
    const consent = new GivenConsent("reset");
    consent.onStartedFollowing();
    expect(consent.kind).toBe("reset");
    consent.give("replicaof");
    expect(consent.kind).toBe("replicaof");
  });

  test("used up before anybody was followed => the next REPLICAOF gives its own only", () => {
    const consent = new GivenConsent("reset");
    consent.useUp();
    consent.give("replicaof");
    expect(consent.kind).toBe("replicaof");
  });

  test("a promotion uses it up", () => {
    const identity = new Identity("", false);
    identity.consent.give("replicaof");
    identity.promote(10);
    expect(identity.consent.kind).toBe("none");
  });
});
