import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { fingerprintOf, knownHost } from "../../../../src/adapters/store/known-hosts.ts";

/** As a public key is on the wire: its type with its length, and the rest. */
function keyOf(type: string, rest: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type + rest)]);
}

const ED = keyOf("ssh-ed25519", "one");
const OTHER = keyOf("ssh-ed25519", "two");
const RSA = keyOf("ssh-rsa", "three");
const lineOf = (hosts: string, key: Buffer): string => {
  const type = key === RSA ? "ssh-rsa" : "ssh-ed25519";
  return `${hosts} ${type} ${key.toString("base64")} a comment`;
};
const hashed = (name: string): string => {
  const salt = Buffer.from("twenty bytes of salt");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
};

test.each([
  ["its name", lineOf("nas.example", ED), "known"],
  ["its name among others", lineOf("other,nas.example,10.0.0.1", ED), "known"],
  ["its name in capitals", lineOf("NAS.Example", ED), "known"],
  ["a wildcard", lineOf("*.example", ED), "known"],
  ["a question mark", lineOf("na?.example", ED), "known"],
  ["a wildcard without it", lineOf("*.example,!nas.example", ED), "unknown"],
  ["a hash", lineOf(hashed("nas.example"), ED), "known"],
  ["the hash of another", lineOf(hashed("nas.example2"), ED), "unknown"],
  ["another name", lineOf("xnas.example", ED), "unknown"],
  ["a name that only looks like it", lineOf("nasXexample", ED), "unknown"],
  ["another port", lineOf("[nas.example]:2222", ED), "unknown"],
  ["another key of the type", lineOf("nas.example", OTHER), "changed"],
  ["two keys of the type", `${lineOf("nas.example", OTHER)}\n${lineOf("nas.example", ED)}`, "known"],
  ["a key of another type", lineOf("nas.example", RSA), "unknown"],
  ["a revoked key", `${lineOf("nas.example", ED)}\n@revoked ${lineOf("*", ED)}`, "revoked"],
  ["a revoked other key", `${lineOf("nas.example", ED)}\n@revoked ${lineOf("*", OTHER)}`, "known"],
  ["an authority", `@cert-authority ${lineOf("nas.example", ED)}`, "unknown"],
  ["a comment", `# ${lineOf("nas.example", ED)}`, "unknown"],
  ["half a line", "nas.example ssh-ed25519", "unknown"],
  ["nothing", "", "unknown"],
  ["lines of another system", `\r\n${lineOf("nas.example", ED)}\r\n`, "known"],
])("%s", (_what, text, verdict) => {
  expect(knownHost(["", text], "nas.example", 22).verdict(ED)).toBe(verdict);
});

test("a port of one's own is part of the name", () => {
  for (const hosts of ["[nas.example]:2222", "[nas.example]:*", hashed("[nas.example]:2222")]) {
    expect(knownHost([lineOf(hosts, ED)], "nas.example", 2222).verdict(ED)).toBe("known");
  }
  expect(knownHost([lineOf("nas.example", ED)], "nas.example", 2222).verdict(ED)).toBe("unknown");
});

test("which types are known, of several files", () => {
  const files = [lineOf("h", RSA), `${lineOf("h", ED)}\n${lineOf("h", OTHER)}\n${lineOf("i", ED)}`];
  expect(knownHost(files, "h", 22).keyTypes).toEqual(["ssh-rsa", "ssh-ed25519"]);
  expect(knownHost(files, "j", 22).keyTypes).toEqual([]);
});

test("a fingerprint of what is no key", () => {
  expect(fingerprintOf(ED)).toMatch(/^ssh-ed25519 SHA256:[\w+/]{43}$/);
  for (const key of [Buffer.alloc(0), Buffer.from("x"), Buffer.from("\u00FF\u00FF\u00FF\u00FFx\u001B[2J")])
    expect(fingerprintOf(key)).toMatch(/^unknown SHA256:/);
});
