import { describe, expect, it } from "vitest";
import { maskPath, maskUrl, pathOf, secretsOf } from "../../../src/cli/url-text.ts";

describe("a URL to be seen", () => {
  it.each([
    ["amqp://host:5672/vhost", "amqp://host:5672/vhost"],
    ["amqp://user@host", "amqp://user@host"],
    ["amqp://user:secret@host:5672/vhost", "amqp://user:***@host:5672/vhost"],
    ["amqp://:secret@host", "amqp://:***@host"],
    ["amqp://user:sec/ret@host", "amqp://user:***@host"],
    ["amqp://user:sec@ret@host/v", "amqp://user:***@host/v"],
    ["amqp://user:sec@ret/x@host/v", "amqp://user:***@host/v"],
    ["amqp//user:secret@host", "amqp//user:***@host"],
    ["user:secret@host", "user:***@host"],
    ["amqp://user:sec", "amqp://user:***"],
    ["localhost:5672", "localhost:5672"],
    ["localhost:5672/vhost", "localhost:5672/vhost"],
    ["amqp://[::1]:5672", "amqp://[::1]:5672"],
    ["http://user:se?cr#et@host", "http://user:***@host"],
  ])("%s", (url, shown) => {
    expect(maskUrl(url)).toBe(shown);
  });
});

describe("secrets of a URL", () => {
  it.each([
    ["amqp://host:5672/vhost", []],
    ["amqp://user@host", []],
    ["amqp://user:a%2Fb@host", ["a%2Fb", "a/b"]],
    ["amqp//user:a/b@host", ["a/b"]],
  ])("%s", (url, secrets) => {
    expect(secretsOf(url)).toEqual(secrets);
  });

  it("holds the password also when the path has an @", () => {
    expect(secretsOf("amqp://user:secret@host/v@w")).toContain("secret");
  });
});

it.each([
  ["https://hc-ping.com/0c4f1f9a-0000-4000", "https://hc-ping.com/***"],
  ["http://u:pw@h:8000/ping/x?k=1#f", "http://h:8000/***"],
  ["not a url", "***"],
])("shows of %s no more than %s", (url, shown) => expect(maskPath(url)).toBe(shown));

it("keeps the long parts of a path secret, and no words", () => {
  const secret = pathOf("https://h/api/v1/heartbeat/tok%2Ben0123456789?k=another-0123");
  expect(secret).toEqual(
    expect.arrayContaining(["tok%2Ben0123456789", "tok+en0123456789", "k=another-0123"]),
  );
  expect(secret).not.toContain("heartbeat");
  expect(pathOf("no url")).toEqual(["no url"]);
});
