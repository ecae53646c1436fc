/**
 * Preloaded into a node: it dies, as by SIGKILL, at the step that DIE_AT names, a frame of the protocol by its
 * number, or an event of its log.
 *
 *   say:20      instead of saying it
 *   said:20     when the kernel has it
 *   heard:21    when it has arrived from a replica, and before anything is done with it
 *   event:name  when the line is to be written
 */
const { Socket } = require("node:net");
const { threadId } = require("node:worker_threads");

const [, when, what] = /^(say|said|heard|event):(\w+)$/.exec(process.env.DIE_AT);
const HEAD_BYTES = 16;

function die() {
  process.kill(process.pid, "SIGKILL");
  // Nothing more of this happens.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** A frame of this type is in what was read or written, which begins with a frame. */
function has(bytes) {
  if (!Buffer.isBuffer(bytes)) return false;
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    if (bytes[at + 8] === Number(what)) return true;
    const length = bytes.readUInt32LE(at + 12);
    if (length < HEAD_BYTES) return false;
    at += length;
  }
  return false;
}

const { write, emit } = Socket.prototype;
if (threadId === 0 && (when === "say" || when === "said"))
  Socket.prototype.write = function (bytes, ...rest) {
    const isIt = has(bytes);
    if (isIt && when === "say") die();
    const taken = write.call(this, bytes, ...rest);
    if (isIt) process.nextTick(die);
    return taken;
  };
if (threadId === 0 && when === "heard")
  Socket.prototype.emit = function (event, ...rest) {
    if (event === "data" && has(rest[0])) die();
    return emit.call(this, event, ...rest);
  };
if (threadId === 0 && when === "event") {
  const say = process.stderr.write;
  process.stderr.write = function (text, ...rest) {
    if (String(text).includes(`"event":"${what}"`)) die();
    return say.call(this, text, ...rest);
  };
}
