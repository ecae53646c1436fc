/** Deliberate bugs in what ranks decide: who is fenced, and what that is worth. */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ rule: "D29", prefix: "rank: " });

export const RANK_MUTANTS: readonly Mutant[] = [
  mutant("a primary feeds a replica of a higher rank, and leads on", [
    "primary/admission.ts",
    'if (deps.node.role === "primary" && compareLeaders(led, deps.node) > 0)',
    'if (deps.node.role === "primary" && compareLeaders(led, deps.node) > 1e9)',
  ]),
  mutant("any rank fences", [
    "node/fence.ts",
    "if (compareLeaders(led, own) <= 0 || !Number.isFinite(fork)) return null;",
    "if (!Number.isFinite(fork)) return null;",
  ]),
  mutant("of two leaders of one term neither is fenced", [
    "log/history.ts",
    "if (ranks !== 0 || a.history === b.history) return ranks;",
    "if (ranks <= 0 || ranks > 0) return ranks;",
  ]),
  mutant("a fenced node takes writes", [
    "node/roles.ts",
    '      return "fenced";\n',
    "      return null;\n",
  ]),
  mutant("a fence is forgotten with the process", [
    "node/role-moves.ts",
    '    // Why it goes on when that fails: to lead on would be worse; the log tells of it.\n    this.remember({ role: "fenced", upstream: null, fence });\n',
    "",
  ]),
  mutant("a fenced node that is told to lead does so below whoever fenced it", [
    "node/identity.ts",
    "    this.promised = rank;\n    this.keep({ promised: rank });\n",
    "",
  ]),
  mutant("a fenced node follows by itself, and loses what it wrote", [
    "node/role-moves.ts",
    "if (this.parts.backlog.next <= role.fence.fork) this",
    "this",
  ]),
  mutant(
    "whoever is told to follow a lower rank loses what it has, at both ends",
    [
      "primary/resume.ts",
      '  return { ...decision, case: order < 0 ? "outranked" : "rolled_back" };',
      '  return order < 0 ? decision : { ...decision, case: "rolled_back" };',
    ],
    [
      "replica/handshake.ts",
      "  if (standsAbove(theirs, own) > 0) return null;\n",
      "  if (own.offset >= 0) return null;\n",
    ],
  ),
  mutant("a log is of the rank that it is in, not of the one that its last byte was written with", [
    "log/discard.ts",
    "  const last = lastWritten(own);\n  // A",
    "  const last: Leader = own;\n  // A",
  ]),
  mutant("a fenced node feeds", [
    "primary/hello-checks.ts",
    'if (node.fenced !== "") return',
    'if (node.fenced === "never") return',
  ]),
];
