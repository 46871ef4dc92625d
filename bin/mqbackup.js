#!/usr/bin/env node
// Nothing may be imported before the version is known to be new enough.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  process.stderr.write(
    `mqbackup: Node.js ${process.versions.node} is too old, 20.11 or newer is needed\n` +
      "hint: Install a newer Node.js, or put it first in PATH.\n",
  );
  process.exit(1);
}
await import("../dist/cli/main.js");
