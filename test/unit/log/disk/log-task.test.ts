import { describe, expect, test } from "vitest";
import { LogTask, type SealedBytes } from "../../../../src/log/disk/log-task.ts";
import type { FsyncPolicy } from "../../../../src/log/disk/sync-policy.ts";
import { Machine, Model, START } from "./machine.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** A log that seals, a clock that is set, and the task between them and a virtual disk. */
function made(policy: FsyncPolicy) {
  const machine = new Machine(1);
  machine.fileBytes = 1_000_000;
  const model = new Model();
  const calls: string[] = [];
  machine.disk.fail = (call) => {
    calls.push(call);
    return null;
  };
  const writer = machine.writer(1, 0, START.chain);
  let taken = 0;
  const sealed: SealedBytes = {
    next: (limit) => {
      const to = Math.min(limit, model.bytes.length);
      return taken === to ? null : { bytes: model.bytes, from: taken, to };
    },
    took: (count) => {
      taken += count;
    },
  };
  const clock = { ms: 1000 };
  const seen: number[][] = [];
  const task = new LogTask(writer, {
    policy,
    sealed,
    now: () => clock.ms,
    moved: () => seen.push([task.written, task.durable]),
  });
  const append = (count: number): void => {
    for (let i = 0; i < count; i++) model.append(machine.random);
  };
  const syncs = (): number => calls.splice(0).filter((call) => call === "sync").length;
  syncs();
  return { machine, model, task, clock, append, seen, syncs };
}

describe("LogTask", () => {
  test("always: what is sealed is durable at once, one sync for all of it", () => {
    const { model, task, append, syncs } = made("always");
    append(3);
    task.run();
    expect([task.written, task.durable]).toEqual([model.bytes.length, model.bytes.length]);
    expect(syncs()).toBe(1);
    task.run();
    expect(syncs()).toBe(0);
  });

  test("always: zeros ahead of small syncs, written once for many of them", () => {
    const { machine, model, task, append, syncs } = made("always");
    const size = (): number => machine.disk.folder("log").open("00000001.log").sizeBytes;
    append(1);
    task.run();
    const ahead = size();
    expect(ahead).toBeGreaterThan(model.bytes.length + 200_000);
    for (let i = 0; i < 20; i++) {
      append(1);
      task.run();
    }
    expect([size(), syncs()]).toEqual([ahead, 21]);
  });

  test.each(["everysec", "no"] as const)("%s: no zeros ahead", (policy) => {
    const { machine, model, task, clock, append } = made(policy);
    append(1);
    task.run();
    task.wanted = model.bytes.length;
    task.run();
    clock.ms += 2000;
    task.run();
    expect(task.durable).toBe(model.bytes.length);
    expect(machine.disk.folder("log").open("00000001.log").sizeBytes).toBeLessThan(5_000);
  });

  test("everysec: a second after the oldest byte, whatever came later", () => {
    const { model, task, clock, append, syncs } = made("everysec");
    append(1);
    expect(task.run()).toBe(1100);
    for (let i = 0; i < 19; i++) {
      clock.ms += 50;
      append(1);
      task.run();
    }
    expect(task.written).toBe(model.bytes.length);
    expect([task.durable, syncs()]).toEqual([0, 0]);
    clock.ms = 2000;
    expect(task.run()).toBe(2050);
    expect([task.durable, syncs()]).toEqual([model.bytes.length, 1]);
  });

  test("everysec: at once when somebody waits", () => {
    const { model, task, append } = made("everysec");
    append(2);
    task.wanted = 1;
    task.run();
    expect(task.durable).toBe(model.bytes.length);
  });

  test("no: when somebody waits, and not at rest", () => {
    const { model, task, clock, append, syncs } = made("no");
    append(1);
    expect(task.run()).toBe(NEVER);
    clock.ms += 10_000;
    expect([task.run(), syncs()]).toEqual([NEVER, 0]);
    task.wanted = model.bytes.length;
    task.run();
    expect(task.durable).toBe(model.bytes.length);
  });

  test("a log that rests has its mark on the disk, once", () => {
    const { machine, model, task, clock, append, syncs } = made("everysec");
    append(2);
    const restMs = task.run();
    clock.ms = restMs;
    expect(task.run()).toBe(NEVER);
    expect(syncs()).toBe(2);
    expect(task.run()).toBe(NEVER);
    expect(syncs()).toBe(0);
    machine.disk.crash();
    expect(machine.recover().verdict).toMatchObject({
      kind: "whole",
      end: model.bytes.length,
      proven: model.bytes.length,
    });
  });

  test("a full disk is trouble, and ends when there is room", () => {
    const { machine, model, task, clock, append } = made("everysec");
    append(1);
    task.wanted = model.bytes.length;
    task.run();
    const { written } = task;
    // Why not before: there would be room in the zeros.
    task.policy = "always";
    machine.disk.capacity = machine.disk.usedBytes;
    append(4);
    expect(task.run()).toBe(1250);
    expect(task.trouble?.code).toBe("ERR_DISK_FULL");
    expect([task.written, task.durable]).toEqual([written, written]);
    clock.ms = 1100;
    expect(task.run()).toBe(1250);
    clock.ms = 1250;
    task.run();
    expect(task.trouble?.code).toBe("ERR_DISK_FULL");
    machine.disk.capacity = NEVER;
    clock.ms = 1500;
    task.run();
    expect(task.trouble).toBe(null);
    expect(task.durable).toBe(model.bytes.length);
  });

  test("on a full disk what was written before is synced all the same", () => {
    const { machine, task, clock, append } = made("everysec");
    append(1);
    task.run();
    const { written } = task;
    expect([written > 0, task.durable]).toEqual([true, 0]);
    machine.disk.capacity = machine.disk.usedBytes;
    append(4);
    clock.ms = 2000;
    task.run();
    expect(task.trouble?.code).toBe("ERR_DISK_FULL");
    expect(task.durable).toBe(written);
  });

  test("a sync that fails is the end", () => {
    const { machine, task, append } = made("always");
    append(1);
    machine.disk.fail = (call) => (call === "sync" ? "ERR_DISK_SYNC" : null);
    expect(task.run()).toBe(NEVER);
    expect([task.isDead, task.trouble?.code, task.durable]).toEqual([true, "ERR_DISK_SYNC", 0]);
    machine.disk.fail = () => null;
    append(1);
    expect(task.run()).toBe(NEVER);
    expect(task.durable).toBe(0);
  });

  test("a stop leaves all that was sealed, and says that it was told", () => {
    const { machine, model, task, append } = made("no");
    append(5);
    task.stop();
    expect(task.durable).toBe(model.bytes.length);
    machine.disk.crash();
    expect(machine.recover().verdict).toMatchObject({ clean: true, end: model.bytes.length });
  });

  test("who listens is told of every move", () => {
    const { model, task, append, seen } = made("always");
    append(1);
    task.run();
    const end = model.bytes.length;
    expect(seen).toContainEqual([end, 0]);
    expect(seen.at(-1)).toEqual([end, end]);
  });
});
