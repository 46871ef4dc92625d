import { describe, expect, test } from "vitest";
import { isSftpTarget, parseSftpLocation } from "../../../src/domain/sftp-location.ts";

function refusal(target: string): unknown {
  try {
    return parseSftpLocation(target);
  } catch (error) {
    return error;
  }
}

test("all that a target may say", () => {
  expect(
    parseSftpLocation(
      "sftp://backup@NAS.example:2222/srv/rabbit%20mq/?identityFile=~/.ssh/backup&passphraseFile=/run/p&passwordFile=/run/w&knownHosts=/etc/mqbackup/known_hosts",
    ),
  ).toEqual({
    user: "backup",
    host: "nas.example",
    port: 2222,
    path: "/srv/rabbit mq",
    identityFile: "~/.ssh/backup",
    passphraseFile: "/run/p",
    passwordFile: "/run/w",
    knownHosts: "/etc/mqbackup/known_hosts",
    text: "sftp://backup@nas.example:2222/srv/rabbit%20mq",
  });
});

test.each([
  ["sftp://h/a", { user: null, host: "h", port: 22, path: "/a", text: "sftp://h/a" }],
  ["SFTP://h:22//a//b/", { port: 22, path: "/a/b", text: "sftp://h/a/b" }],
  ["sftp://a%40b@h/a", { user: "a@b", text: "sftp://a%40b@h/a" }],
  ["sftp://me@[FE80::1]:23/a", { host: "fe80::1", port: 23, text: "sftp://me@[fe80::1]:23/a" }],
  ["sftp://h/~/a/b", { path: "a/b", text: "sftp://h/~/a/b" }],
  ["sftp://h/~", { path: ".", text: "sftp://h/~" }],
  ["sftp://h/a/~", { path: "/a/~" }],
  ["sftp://h/%E2%82%AC?identityFile=/a?b", { path: "/€", identityFile: "/a?b" }],
])("%s", (target, expected) => expect(parseSftpLocation(target)).toMatchObject(expected));

test("what is a directory is none", () => {
  expect(["sftp://h/x", "SFTP://h"].map(isSftpTarget)).toEqual([true, true]);
  expect(["/sftp://h", "sftp", "./sftp:/h", "ssh://h"].map(isSftpTarget)).toEqual(Array(4).fill(false));
});

describe("refused", () => {
  test.each([
    ["sftp://", "names no host", "sftp://user@host/path"],
    ["sftp:///a", "names no host", ""],
    ["sftp://user@/a", "names no host", ""],
    ["sftp://bad host/a", "names no host", ""],
    ["sftp://[zz]/a", "names no host", ""],
    ["sftp://h:port/a", "names no host", ""],
    ["sftp://h:0/a", "port 0", ""],
    ["sftp://h:65536/a", "port 65536", ""],
    ["sftp://@h/a", "the user of target sftp://h is empty", ""],
    ["sftp://h", "names no directory", "sftp://user@host/path"],
    ["sftp://h/", "names no directory", ""],
    ["sftp://h?knownHosts=/x", "names no directory", ""],
    ["sftp://h/a/../b", 'cannot be used: ".."', "without . and .."],
    ["sftp://h/a%2Fb", "cannot be used", ""],
    ["sftp://h/a%00b", "cannot be used", ""],
    ["sftp://h/a%", "cannot be used", "%25"],
    ["sftp://h/a#b", "cannot be used", "%23"],
    ["sftp://h/a?identityfile=/x", "unknown option identityfile=", "Did you mean identityFile=?"],
    [
      "sftp://h/a?StrictHostKeyChecking=no",
      "unknown option StrictHostKeyChecking=",
      "Known are identityFile",
    ],
    ["sftp://h/a?knownHosts=", "knownHosts= of target sftp://h is empty", ""],
    ["sftp://h/a?knownHosts=/x&knownHosts=/y", "has knownHosts= twice", ""],
  ])("%s", (target, message, hint) => {
    expect(refusal(target)).toMatchObject({
      code: "SETTING_INVALID",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  test.each([
    "sftp://user:s3cr3t@h/a",
    "sftp://user:s3cr3t/x@h/a",
    "sftp://user:12/s3cr3t@h/a",
    "sftp://:s3cr3t@h/a",
    "sftp://user:s3cr3t?@h/a",
    "sftp://h/a?password=s3cr3t",
    "sftp://h/a?passphrase=s3cr3t",
    "sftp://h/a?pass=s3cr3t",
  ])("a password, which is not told: %s", (target) => {
    const error = refusal(target);
    expect(error).toMatchObject({ code: "SETTING_INVALID" });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cr3t");
  });
});
