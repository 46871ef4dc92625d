import { describe, expect, it } from "vitest";
import type { BindingDefinition, Definitions } from "../../../src/domain/definitions.ts";
import { topologyOf } from "../../../src/domain/restore-topology.ts";

const exchange = (name: string): Definitions["exchanges"][number] => ({
  name,
  type: "topic",
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: {},
});

const binding = (
  source: string,
  destination: string,
  destinationType: BindingDefinition["destinationType"] = "queue",
): BindingDefinition => ({ source, destination, destinationType, routingKey: "#", arguments: {} });

const toQ = binding("near", "q");
const toNear = binding("far", "near", "exchange");
const toFar = binding("near", "far", "exchange");
const builtIn = binding("amq.topic", "q");
const definitions: Definitions = {
  vhost: "/",
  exchanges: ["", "amq.topic", "far", "near", "elsewhere", "q"].map(exchange),
  bindings: [
    binding("", "q"),
    toQ,
    toNear,
    toFar,
    builtIn,
    binding("elsewhere", "other"),
    binding("far", "q", "exchange"),
  ],
  policies: [],
};

describe("what leads to queues", () => {
  it("is found over several exchanges, also in circles, and leaves out what every broker has", () => {
    const { exchanges, bindings } = topologyOf(definitions, ["q"]);
    expect(exchanges.map(({ name }) => name)).toEqual(["far", "near"]);
    expect(new Set(bindings)).toEqual(new Set([toQ, toNear, toFar, builtIn]));
  });

  it("is nothing for a queue without bindings", () => {
    expect(topologyOf(definitions, ["alone"])).toEqual({ exchanges: [], bindings: [] });
  });
});
