/** A leader tells whom it remembers, until each has answered. */
import { expect, test } from "vitest";
import { Announcer } from "../../../src/node/announcing.ts";
import type { SeedAnswer } from "../../../src/node/seed-choice.ts";
import type { Announcement } from "../../../src/replica/inquiry.ts";
import type { Address } from "../../../src/net/address.ts";
import type { StateAnswer } from "../../../src/wire/messages.ts";

const A = { host: "a", port: 1 };
const B = { host: "b", port: 2 };
const STATE = { role: "replica" } as StateAnswer;

class Leader {
  leads = true;
  readonly asked: string[] = [];
  readonly heard: string[] = [];
  readonly timers: (() => void)[] = [];
  readonly pausesMs: number[] = [];
  answer: (answers: readonly SeedAnswer[]) => void = () => undefined;
  readonly announcer = new Announcer({
    ask: (sources, _withinMs, done, announcement) => {
      expect(announcement).toBeDefined();
      this.asked.push(sources.map(({ host }) => host).join());
      this.answer = done;
    },
    later: (ms, run) => {
      this.pausesMs.push(ms);
      this.timers.push(run);
    },
    announcement: () => (this.leads ? ({} as Announcement) : null),
    heard: (_state, { host }) => this.heard.push(host),
  });

  says(...answers: readonly (readonly [Address, StateAnswer | null])[]): void {
    this.answer(answers.map(([source, state]) => ({ source, state, error: "" })));
  }

  passes(): void {
    for (const run of this.timers.splice(0)) run();
  }
}

test("all are told; who is silent is told again, until it answers", () => {
  const leader = new Leader();
  leader.announcer.leads([A, B, A]);
  expect(leader.asked).toEqual(["a,b"]);
  leader.says([A, STATE], [B, null]);
  expect(leader.heard).toEqual(["a"]);
  leader.passes();
  leader.passes();
  expect(leader.asked).toEqual(["a,b", "b", "b"]);
  leader.says([B, STATE]);
  leader.passes();
  expect([leader.asked.length, leader.heard, leader.timers.length]).toEqual([3, ["a", "b"], 0]);
});

test("one that is gone for good is told ever more seldom; who leads anew begins as at first", () => {
  const leader = new Leader();
  leader.announcer.leads([A]);
  for (let round = 0; round < 6; round++) {
    leader.says([A, null]);
    leader.passes();
  }
  expect(leader.pausesMs).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  leader.announcer.leads([A]);
  expect(leader.pausesMs.at(-1)).toBe(5_000);
});

test("nobody is remembered => nobody is told", () => {
  const leader = new Leader();
  leader.announcer.leads([]);
  expect([leader.asked, leader.timers.length]).toEqual([[], 0]);
});

test("it leads no more => over", () => {
  const leader = new Leader();
  leader.announcer.leads([A]);
  leader.leads = false;
  leader.passes();
  expect([leader.asked.length, leader.timers.length]).toEqual([1, 0]);
});

test("it leads anew => the rounds of before are over, and so are their answers", () => {
  const leader = new Leader();
  leader.announcer.leads([A]);
  const late = leader.answer;
  leader.announcer.leads([B]);
  late([{ source: A, state: STATE, error: "" }]);
  leader.passes();
  expect([leader.asked, leader.heard]).toEqual([["a", "b", "b"], []]);
});
