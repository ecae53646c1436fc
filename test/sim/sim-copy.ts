/**
 * Somebody takes a copy of a node (`hawser backup`), from the machine of another: what arrives whole is the
 * state that the node had at the position that the copy names.
 *
 * Owns: the receiver. Does not own: copying (src/replica/copying.ts), the connection (sim-shell.ts).
 */
import { Copying } from "../../src/replica/copying.ts";
import { Store } from "../../src/store/store.ts";
import type { StagedStore } from "../../src/store/loader.ts";
import type { Position } from "../../src/wire/messages.ts";
import type { SimNode } from "./sim-node.ts";
import { SimShell } from "./sim-shell.ts";
import { liveDigest } from "./truth.ts";

const TICK_MS = 100;

/** `whole` is called with what the copy has, if it comes to that. */
export function takeCopy(
  from: SimNode,
  at: SimNode,
  whole: (position: Position, digest: string) => void,
): void {
  const { world } = at;
  const store = new Store({ arenaSegmentBytes: 16_384, indexPageEntries: 16, hashSeed: [1, 2] });
  let staged: StagedStore | null = null;
  let position: Position | null = null;
  let isOver = false;
  const shell = new SimShell(
    at,
    () => from.name,
    () => copying,
  );
  const copying: Copying = new Copying({
    shell,
    password: "",
    randomId: () => world.randomId(),
    sink: {
      begin: (begin) => {
        position = begin.position;
        staged = store.stage(begin);
      },
      chunk: (bytes, start, end) => staged!.load(bytes, start, end),
      end: (end) => {
        staged!.finish(end);
        store.swap(staged!);
        const { records, sum } = liveDigest(store);
        world.mark("disk: copy whole");
        whole(position!, `${records}:${sum}`);
      },
    },
    welcomed: () => undefined,
    isFull: () => false,
    onDone: (error) => {
      isOver = true;
      if (error !== "") world.mark("disk: copy ended early");
    },
  });
  copying.start(at.now());
  const tick = (): void => {
    if (isOver) return;
    copying.tick(at.now());
    at.after(TICK_MS, tick);
  };
  tick();
}
