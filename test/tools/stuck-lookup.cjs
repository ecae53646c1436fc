/** Preloaded by a test: every look-up of a name keeps a thread of the pool, until a pipe is opened. */
const { open } = require("node:fs");
const dns = require("node:dns");
const { isIP } = require("node:net");

const { lookup } = dns;

dns.lookup = (host, options, done) => {
  if (isIP(host) !== 0) lookup(host, options, done);
  else open(process.env.STUCK_PIPE, "r", () => done(new Error("the pipe was opened")));
};
