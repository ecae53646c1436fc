/** Deliberate bugs in what nodes say of themselves: node batches, completeness, consent. */
import { type Mutant, mutantsOf } from "./mutant.ts";

const mutant = mutantsOf({ rule: "D29" });
const onDisk = mutantsOf({ mode: "on-disk", rule: "D29" });
const ofConsent = mutantsOf();

export const WORD_MUTANTS: readonly Mutant[] = [
  mutant("a promotion does not say that its history begins", [
    "node/role-moves.ts",
    "    backlog.beginHistory(begins);\n",
    "",
  ]),
  mutant("a node batch is given to the state", [
    "replica/apply.ts",
    "if (isNodeBatch(bytes, found.at)) {",
    "if (isNodeBatch(bytes, found.at) && found.at < 0) {",
  ]),
  mutant("a history begins before anything is written in it", [
    "log/open-batch.ts",
    "    this.#node = record;\n",
    "    this.#segments.extend(this.#segments.next, this.#segments.chain, this.#segments.usualBytes + record.length);\n    this.#putNode(this.#segments.newest, record);\n",
  ]),
  mutant("a replica that is given another state says that it is complete", [
    "node/completeness.ts",
    "this.#isComplete = this.has(applied) && !isShip && isOurs;",
    "this.#isComplete = this.has(applied) && isOurs;",
  ]),
  mutant("a node stays complete by what another history has", [
    "node/completeness.ts",
    "this.#isComplete = this.has(applied) && !isShip && isOurs;",
    "this.#isComplete = this.has(applied) && !isShip;",
  ]),
  mutant("a replica that does not know its root is taken for one", [
    "replica/handshake.ts",
    "byRoot: rootId === nodeId,",
    "byRoot: rootId === nodeId || welcome.path.length === 1,",
  ]),
  // On disks: there a node comes back with less than it acknowledged, and is welcomed with that.
  onDisk("a replica is complete once it is welcomed", [
    "node/completeness.ts",
    "!this.#owesSwap && applied >= this.#end && applied >= this.#missing",
    "!this.#owesSwap && this.#end !== NOBODY",
  ]),
  ofConsent("kept consent is not bound to the node that said who it is", [
    "node/kept-consent.ts",
    'if (kept !== null && kept.nodeId === "" && nodeId !== "") this.#keep({ ...kept, nodeId });',
    "void nodeId;",
  ]),
  ofConsent("a refusal is forgotten with the process", [
    "node/present-role.ts",
    "    this.role = roles.withoutConsent(this.role);\n    this.#consent.over();\n",
    "    this.role = roles.withoutConsent(this.role);\n",
  ]),
];
