/**
 * The help texts.
 *
 * Owns: words. Does not own: options and their defaults (node/settings.ts).
 * Tested in: test/unit/node/options.test.ts.
 */
import { type Setting } from "../node/settings.ts";
import { settingsOf, variableOf } from "../node/setting-lookup.ts";
import type { HelpTopic } from "./command-line.ts";

const WITHOUT_DIR = `With --dir a node keeps its data. Without it a restarted primary is empty: its replicas refuse it and
keep theirs. To bring it back, start it with --seed-from REPLICA, or promote a replica (REPLICAOF NO ONE).`;

const USAGE = `hawser: replicates a key-value state from one primary to many replicas

  hawser primary [--port 6380] [--repl-port 16380] [--bind 127.0.0.1] [--backlog 256mb] ...
  hawser replica --of HOST:PORT [--port 6381] [--repl-port 16381] ...
  hawser status [HOST:PORT] [--watch] [--json] [--password PASSWORD]
  hawser status [HOST:PORT] --events [--json]
  hawser verify [HOST:PORT] [--timeout 30s] [--json] [--password PASSWORD]
  hawser checkpoint [HOST:PORT] [--timeout 10m] [--json] [--password PASSWORD]
  hawser switchover PRIMARY TO REPLICA [--timeout 10s] [--force] [--json] [--password PASSWORD]
  hawser members [HOST:PORT] [add ID | remove ID] [--force] [--timeout 10s] [--json] [--password PASSWORD]
  hawser backup DIR|- [--from HOST:PORT] [--repl-password PASSWORD] [--json]
  hawser inspect DIR [--json]
  hawser restore FILE|OLD --dir DIR [--at OFFSET|TIME] [--log OLD] [--replace]
  hawser help [primary|replica|status|verify|checkpoint|switchover|members|backup|inspect|restore]
  hawser version

Clients speak RESP (redis-cli -p 6380). ${WITHOUT_DIR}
`;

const STATUS = `hawser status [HOST:PORT] [--watch] [--json] [--password PASSWORD]
hawser status [HOST:PORT] --events [--json] [--password PASSWORD]
hawser status [HOST:PORT] --check [--password PASSWORD]

Asks a node on its client port (127.0.0.1:6380) for role, position, backlog, and for each replica
its state and lag. During a full sync it shows progress: chunks, MB, MB/s, ETA.

  --watch      again every second until Ctrl-C
  --events     what happened to links, syncs and roles: the last 128 events, oldest first
  --json       the node's status as one JSON object, one line for each time with --watch;
               with --events one JSON array
  --check      what is not as it should be, a line each; exit 0 nothing, 1 degraded, 2 down
  --password   the node's --requirepass (or HAWSER_REQUIREPASS)

Exit codes without --check: 0 all right; 1 no answer; 2 wrong command line; 3 degraded.
`;

const VERIFY = `hawser verify [HOST:PORT] [--timeout 30s] [--json] [--password PASSWORD]

Asks a node on its client port (127.0.0.1:6380) to compare its replicas with itself: all of the
state, at one position, while writes go on. One line for each replica: equal, differs or no_answer.
Of a replica that differs up to 20 keys are named, if its client port takes the same password.

  --timeout    how long replicas have to answer
  --json       the report as one JSON object
  --password   the --requirepass of the nodes (or HAWSER_REQUIREPASS)

Exit codes: 0 every replica answered and is equal; 1 not; 2 wrong command line.
`;

const CHECKPOINT = `hawser checkpoint [HOST:PORT] [--timeout 10m] [--json] [--password PASSWORD]

Asks a node that has a log on disk (--dir), on its client port (127.0.0.1:6380), to write its state
there now, while it goes on, and waits for it: the next start reads that, and the log behind it. The
node does so by itself as its log grows.

  --timeout    how long to wait for it; the node goes on
  --json       where and how much as one JSON object
  --password   the node's --requirepass (or HAWSER_REQUIREPASS)

Exit codes: 0 written; 1 not; 2 wrong command line.
`;

const SWITCHOVER = `hawser switchover PRIMARY TO REPLICA [--timeout 10s] [--force] [--json] [--password PASSWORD]

Makes REPLICA the primary, and PRIMARY its replica, without losing a write: PRIMARY holds its writers
until REPLICA has all of its log, resigns, and REPLICA leads. Both are named by HOST:PORT, PRIMARY by
its client port, REPLICA by a port that it announces (hawser status PRIMARY lists them). Other
replicas stay below PRIMARY. No full sync follows.

  --timeout    writers are held no longer; then everything goes on as before
  --force      then REPLICA leads with what it has instead, and what it lacks is lost
  --json       the report as one JSON object
  --password   the --requirepass of PRIMARY (or HAWSER_REQUIREPASS)

Exit codes: 0 REPLICA leads; 1 not, or it is not known yet: the message says which; 2 wrong command
line.
`;

const MEMBERS = `hawser members [HOST:PORT] [--json] [--password PASSWORD]
hawser members [HOST:PORT] add ID | remove ID [--force] [--timeout 10s] [--json] [--password PASSWORD]
hawser members [HOST:PORT] --force [--json] [--password PASSWORD]

Asks the primary, on its client port (127.0.0.1:6380), who confirms writes in synchronous mode (--sync):
the rule, and for each member its store id, its address, whether it is linked, complete and good, and
how far it has confirmed. add and remove change that, one at a time, and wait until the members of
before and after have confirmed it. ID is a store id: of a replica that is no member, hawser status
--json has it as replicaId. A replica that was removed is not taken again by itself.

  --force      the members of before are asked no more: those that a change still needs are gone for
               good. With add or remove only when it is not confirmed within --timeout. Should one of
               them lead again, what was confirmed since is lost
  --timeout    how long to wait until a change is confirmed; it stays under way after that
  --json       the members as one JSON object
  --password   the --requirepass of the node (or HAWSER_REQUIREPASS)

Exit codes: 0 shown, or changed; 1 not, or not confirmed yet: the message says which; 2 wrong command
line.
`;

const BACKUP = `hawser backup DIR|- [--from HOST:PORT] [--repl-password PASSWORD] [--json]

Takes a copy of a running node, primary or replica, at one position, while it goes on: as a full sync
does, over its replication port (its client port leads there). Every sum is checked. The node needs
no disk, and counts nobody as its replica. hawser restore makes a data directory of the file.

  DIR              the directory for the file hawser-TIME-OFFSET.checkpoint; made if it is not there.
                   A file of that name is whole: an interrupted backup leaves none, and what a
                   killed one left goes with the next
  -                standard output; then the report goes to standard error. It is whole if this ends
                   with 0; hawser restore refuses any that is not
  --from           the node [127.0.0.1:6380]
  --repl-password  of its replication links (or HAWSER_REPL_PASSWORD)
  --json           the report as one JSON object

Exit codes: 0 whole; 1 not; 2 wrong command line.
`;

const INSPECT = `hawser inspect DIR [--json]

Reads a data directory (--dir of a node) and changes nothing: its log files, positions and marks,
its checkpoints, every damage, and what a start would come to: new, whole, torn, incomplete or
refused. No node is needed. Beside a running one it shows a moment: the newest file may end inside a
batch that is being written.

  --json       the report as one JSON object

Exit codes: 0 a start would lose nothing that was proven synced; 1 it would, or would be refused,
or the directory cannot be read; 2 wrong command line.
`;

const RESTORE = `hawser restore FILE --dir DIR [--log OLD] [--at OFFSET|TIME] [--replace]
hawser restore OLD --dir DIR [--at OFFSET|TIME] [--replace]

Makes the data directory DIR, which is new or empty, from a backup, or from the data directory OLD of
another node: its newest checkpoint before the point, and its log from there. Every sum is checked.
Start it with hawser primary --dir DIR. FILE and OLD are read, and not changed; a node may run in OLD.

  --dir        the directory to make
  --log        the data directory whose log follows FILE
  --at         up to where the log is taken: all of it, when this is left out. An offset: batches that
               end there or before. A time (2030-01-01T02:00:00Z, 2030-01-01T03:00:00+01:00, or
               @1893463200000, ms since 1970): batches whose clock, the primary's, is not later
  --replace    keep history, lineage and cluster: the node takes the place of the one that the source
               is of. Replicas of that one which are not ahead of it continue without a full sync;
               those that are ahead have data that it lacks, and lose it when they follow. Never
               start both nodes.

Without --replace the history is new, with no lineage: no replica of the old node takes it for its
primary, or gives up data for it, unless told to (--allow-reset, REPLICAOF).

Exit codes: 0 made; 1 not; 2 wrong command line, DIR is not empty, or --at is not in the log: the
range that is there is named. But for 0 nothing is left in DIR.
`;

export function helpText(topic: HelpTopic): string {
  if (topic === "") return USAGE;
  if (topic === "status") return STATUS;
  if (topic === "verify") return VERIFY;
  if (topic === "checkpoint") return CHECKPOINT;
  if (topic === "switchover") return SWITCHOVER;
  if (topic === "members") return MEMBERS;
  if (topic === "backup") return BACKUP;
  if (topic === "inspect") return INSPECT;
  if (topic === "restore") return RESTORE;
  const rows = settingsOf(topic);
  const usage =
    topic === "primary"
      ? "hawser primary: the node that takes writes"
      : "hawser replica --of HOST:PORT: follows a node, answers reads, feeds replicas of its own";
  return `${usage}

${WITHOUT_DIR}

Every option is a flag, a variable (${variableOf("repl-port")} for --repl-port) or a key of the JSON file named
by --config; a flag beats a variable, a variable the file. Sizes: kb mb gb. Times: ms s m.

${rows.map(line).join("\n")}
  --config FILE               JSON object of options, e.g. {"port": 6380, "backlog": "1gb"}
`;
}

function line(row: Setting): string {
  const word = row.choices === undefined ? PLACEHOLDERS[row.kind] : ` ${row.choices.join("|")}`;
  // The longest choices get a line of their own.
  const flag = `--${row.name}${word}`;
  const column =
    flag.length < FLAG_CHARS ? flag.padEnd(FLAG_CHARS) : `${flag}\n  ${" ".repeat(FLAG_CHARS)}`;
  const quiet = ["", "false"].includes(row.fallback);
  return `  ${column} ${row.help}${quiet ? "" : ` [${row.fallback}]`}`;
}

/** Width of the column of flags. */
const FLAG_CHARS = 27;

const PLACEHOLDERS: Readonly<Record<Setting["kind"], string>> = {
  port: " PORT",
  size: " SIZE",
  count: " COUNT",
  time: " TIME",
  text: " TEXT",
  host: " HOST",
  secret: " SECRET",
  switch: "",
  choice: "",
  address: " HOST:PORT",
  addresses: " HOST:PORT,..",
};
