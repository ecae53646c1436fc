/**
 * What a start makes of what a data directory has.
 *
 * Interfaces alone. Owns: their shape. Does not own: how it comes about (node-disk.ts).
 * Tested in: test/unit/embed/taken-back.test.ts.
 */
import type { Manifest } from "../../log/disk/manifest.ts";
import type { ReclaimPlan } from "../reclaiming.ts";

/** How the log goes on: in which generation, with which file, and what the node has. */
export interface Start {
  readonly manifest: Manifest;
  readonly number: number;
  readonly holds: "nothing" | "whole";
}

/** What a start makes of what it found: what counts, and whom it asks before it leads. */
export interface Judged {
  readonly manifest: Manifest;
  readonly plan: ReclaimPlan | null;
}
